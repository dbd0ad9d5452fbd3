//! Watches, against a store that is nothing but a list of commits.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod a_snapshot_sends_no_watcher_back;
mod every_event_arrives_once_and_in_order;
mod model;
mod readers_on_other_threads_miss_nothing;
mod streams_answer_as_etcd_does;
