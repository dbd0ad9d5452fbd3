//! The `etcd` program as a library: flags, services, threads and sockets around the member.

pub mod flags;
pub mod logging;
