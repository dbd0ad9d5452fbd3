//! Runs a server program as a black box, for the tests of `server/` and the load program of
//! `benches/`.
//!
//! A [`Server`] is one process on a data directory of the caller's: ports of its own on the
//! loopback, its JSON log lines captured, waited for by condition and never by time alone, and
//! killed when the value is dropped. It works the same for our program and for etcd's, so that a
//! test can be checked against the original. [`scrape`] asks its HTTP endpoints and [`procfs`] asks
//! the kernel what the process has used. [`random`] has the random numbers of tests and loads, and
//! [`linearizability`] judges what clients saw. [`dns`] is a name server for those who look for a
//! cluster.

pub mod cluster;
pub mod dns;
pub mod linearizability;
pub mod log;
pub mod ports;
pub mod procfs;
pub mod random;
pub mod scrape;
pub mod server;
pub mod wire_cutter;

pub use cluster::Cluster;
pub use dns::{DnsServer, Srv};
pub use ports::{free_addresses, free_addresses_for};
pub use server::{Server, ServerOptions, StartError};
pub use wire_cutter::WireCutter;
