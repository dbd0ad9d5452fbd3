//! Scenarios for the engines: one file each, named by the sentence that it holds to be true.

mod any_history_reads_like_the_oracle;
mod crashes_lose_nothing_flushed;
mod support;
