//! The built server as its users see it: other people's client against a process on real files.
//!
//! Most modules use the crate `etcd-client`, an independent implementation of the API.

mod common;

mod a_data_directory_has_one_owner_and_outlives_it;
mod a_member_stays_with_its_engine;
mod a_member_that_lags_is_sent_a_snapshot;
mod keys_are_put_read_and_deleted;
mod kill;
mod leases_bind_keys_to_their_life;
mod locks_and_elections_have_one_holder;
mod maintenance_tells_about_the_member;
mod scrubs_raise_an_alarm;
mod space_comes_back_after_the_quota_was_met;
mod the_program_ends_as_it_is_told;
mod transactions_decide_and_apply_as_one;
mod watches_tell_every_change_once;
