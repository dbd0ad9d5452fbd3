//! Finding a cluster that nobody has listed: how members that are to found one find each other, and
//! how clients find members.
//!
//! - [`srv`]: SRV records of DNS, and the endpoints that they name for clients;
//! - [`peers`]: the founding members that they name;
//! - [`v2`] and [`v3`]: registries in which founding members meet; [`registry`] is what they have
//!   in common.
//!
//! The crate knows names, URLs and registries, and nothing of members' insides, so that the server
//! and `etcdctl` can both use it. Whatever it asks, it asks with a limit of time.

pub mod peers;
pub mod registry;
pub mod srv;
pub mod v2;
pub mod v3;
