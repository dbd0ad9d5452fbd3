//! Tools that work on files, without a member: `etcdutl` and `etcd-dump`.
//!
//! A tool is a function from arguments to output and an exit code. Files come in as a
//! [`retcd_vfs::Vfs`], so that tests can run it on files in memory.

pub mod dump;
pub mod etcdutl;
mod notation;
mod progress;
mod request;
mod snapshot_hash;
