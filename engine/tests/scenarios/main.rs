//! Scenarios for the engines: one file each, named by the sentence that it holds to be true.

mod a_checkpoint_takes_the_engines_place;
mod a_full_disk_gives_up_only_the_merge;
mod all_engines_keep_the_contract;
mod an_entry_is_flushed_whole;
mod any_history_reads_like_the_oracle;
mod any_options_show_the_same;
mod any_thread_may_step;
mod checkpoints_hold_one_moment;
mod crashes_lose_nothing_flushed;
mod drawn;
mod errors_stop_the_engine_and_lose_nothing;
mod folders_of_all_versions_open;
mod garbage_in_one_place_costs_little;
mod history;
mod overwriting_needs_bounded_space;
mod play;
mod scrubs_find_damage;
mod support;
mod the_last_tier_shares_what_values_repeat;
mod what_is_not_needed_is_not_read;
