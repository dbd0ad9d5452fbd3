//! The log's scenarios, one file each. They are one program because they share what is in `support`.

mod support;
mod what_is_appended_is_read_back;
