//! Tools that work on files, without a member: `etcd-dump` so far.
//!
//! A tool is a function from arguments to output and an exit code. Files come in as a
//! [`retcd_vfs::Vfs`], so that tests can run it on files in memory.

pub mod dump;
mod notation;
mod request;
