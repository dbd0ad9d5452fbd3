//! The scenarios of a whole member, one file each. They are one program because they share what is
//! in `support`.

mod a_crash_at_any_operation_loses_nothing_acknowledged;
mod a_failed_operation_stops_the_member;
mod a_lone_member_serves;
mod a_member_goes_on_alone;
mod a_member_that_lags_gets_a_snapshot;
mod a_restart_replays_piece_by_piece;
mod a_start_that_was_interrupted_is_finished;
mod an_answer_outlives_any_crash_of_a_lone_member;
mod data_directories_of_all_versions_open;
mod history;
mod support;
