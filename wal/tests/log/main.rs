//! The log's scenarios, one file each. They are one program because they share what is in
//! `support`.

mod a_crash_at_any_operation_loses_nothing_acknowledged;
mod a_damaged_end_is_cut_or_refused;
mod a_golden_directory_is_read_for_ever;
mod a_group_counts_only_in_its_place;
mod a_number_that_none_can_follow_is_refused;
mod a_reader_beside_a_writer_reads_nothing_wrong;
mod a_snapshot_restarts_the_log;
mod any_history_says_what_the_model_says;
mod entries_are_read_back_by_index;
mod groups_overlap_on_a_real_file;
mod model;
mod segments_come_and_go;
mod support;
mod the_best_way_of_writing_is_found;
mod what_is_appended_is_read_back;
