//! Version numbers. Clients choose features by etcd's.

/// The etcd release whose behaviour this server has.
pub(crate) const ETCD: &str = retcd_api::ETCD_VERSION;

/// This program's own version.
pub(crate) const RETCD: &str = env!("CARGO_PKG_VERSION");
