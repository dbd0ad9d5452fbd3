//! Scenarios over a store on the in-memory engine, one file for each behaviour. They share one
//! program, so that it is linked once.

mod a_checkpoint_goes_on_like_its_source;
mod a_database_of_etcds_holds_the_state;
mod alarms_refuse_and_the_quota_warns;
mod answers_are_those_that_etcd_gave;
mod compaction_hides_what_is_below;
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
