//! Version numbers. Clients choose features by etcd's.

/// The etcd release whose behaviour this server has.
pub(crate) const ETCD: &str = "3.5.33";

/// The cluster version that goes with it.
pub(crate) const CLUSTER: &str = "3.5.0";

/// This program's own version.
pub(crate) const RETCD: &str = env!("CARGO_PKG_VERSION");
