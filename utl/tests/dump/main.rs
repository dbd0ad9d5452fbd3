//! The scenarios of `etcd-dump`, one file each. They are one program because they share what is in
//! `support`.

mod a_damaged_database_is_reported;
mod a_database_of_etcds_is_shown;
mod a_database_of_its_own_is_shown;
mod a_directorys_health_is_told;
mod a_member_of_its_own_is_understood;
mod a_page_for_a_browser;
mod a_snapshot_is_described;
mod a_tree_of_its_own_is_shown;
mod any_damage_is_survived;
mod arguments_are_checked;
mod damage_is_reported_and_the_rest_goes_on;
mod database;
mod directories;
mod every_kind_of_entry_is_shown;
mod members_are_told;
mod nothing_in_the_folder_changes;
mod records_are_filtered;
mod segments_are_shown_through_their_life;
mod support;
mod the_health_of_etcds_directory_is_told;
