//! Scenarios over a store, one file for each behaviour: on the in-memory engine, and those with
//! crashes on the log-structured one. They share one program, so that it is linked once.

mod a_checkpoint_brings_a_member_up_to_date;
mod a_checkpoint_goes_on_like_its_source;
mod a_crash_under_load_keeps_index_and_data_together;
mod a_crash_while_compacting_keeps_the_revision;
mod a_crash_while_defragmenting_repeats_nothing;
mod a_database_of_etcds_becomes_the_state;
mod a_database_of_etcds_holds_the_state;
mod a_range_in_a_transaction_fails_alike_everywhere;
mod a_watch_from_a_compacted_delete_tells_the_delete;
mod a_watch_from_a_running_compaction_tells_all_of_its_revision;
mod alarms_refuse_and_the_quota_warns;
mod answers_are_those_that_etcd_gave;
mod compaction_hides_what_is_below;
mod crashing;
mod defragmenting_while_files_are_switched_loses_nothing;
mod entries_are_applied_once;
mod hash_kv_is_the_number_that_etcd_gives;
mod history;
mod json;
mod leases_take_their_keys_along;
mod members_come_through_the_log;
mod puts_and_deletes_keep_etcds_rules;
mod ranges_answer_what_was_asked;
mod readers_never_see_half_a_revision;
mod revisions_count_write_transactions;
mod streams_answer_a_range_in_pieces;
mod support;
mod the_past_is_kept_for_watchers;
mod transactions_are_checked_before_they_write;
#[path = "../shared/watching.rs"]
mod watching;
