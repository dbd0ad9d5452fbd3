//! Clusters of built servers on the loopback, through other people's client: members are killed,
//! paused, brought back, added, replaced, removed, and left alone.

mod common;
mod fault;
mod progress;
mod recorded_load;

mod a_cluster_grows_and_shrinks;
mod a_killed_leader_is_followed_by_another;
mod a_replaced_leader_answers_nothing_old;
mod a_snapshot_of_the_other_engine_is_refused;
mod any_member_answers_for_all;
mod leases_outlive_their_leader;
mod members_find_each_other;
mod members_that_differ_are_told_apart;
mod one_member_goes_on_alone;
mod registry;
mod the_larger_part_goes_on;
mod watches_miss_nothing;
mod what_clients_saw_is_linearizable;
