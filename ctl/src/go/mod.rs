//! What Go's standard library does to values on their way to and from text, as far as users see it.

pub(crate) mod duration;
pub(crate) mod io_error;
pub(crate) mod json;
pub(crate) mod log;
pub(crate) mod number;
pub(crate) mod scan;

pub(crate) use retcd_api::go::{quote, unquote_prefix};
