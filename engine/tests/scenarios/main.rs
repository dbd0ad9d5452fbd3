//! Scenarios for the engines: one file each, named by the sentence that it holds to be true.

mod a_full_disk_gives_up_only_the_merge;
mod any_history_reads_like_the_oracle;
mod crashes_lose_nothing_flushed;
mod errors_stop_the_engine_and_lose_nothing;
mod history;
mod support;
