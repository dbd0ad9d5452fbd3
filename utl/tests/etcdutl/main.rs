//! The scenarios of `etcdutl`, one file each.

mod a_backup_is_a_member_of_its_own;
mod a_killed_restore_leaves_no_member;
mod a_restored_directory_is_a_members;
mod a_snapshots_status_is_what_etcd_tells;
mod arguments_are_checked;
mod defrag_and_hashkv_work_on_directories;
mod support;
