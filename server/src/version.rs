//! Version numbers. Clients choose features by etcd's.

/// The etcd release whose behaviour this server has.
pub(crate) const ETCD: &str = "3.5.33";

/// This program's own version.
pub(crate) const RETCD: &str = env!("CARGO_PKG_VERSION");
