//! Sockets and network threads.
//!
//! One single-threaded runtime per core; a connection lives on one of them from its first byte to
//! its last. The first thread accepts and deals connections out in turn. HTTP/1.1 and HTTP/2 share
//! a port: the first bytes of a connection tell which it is.

mod connection;
mod cork;
mod listener;
mod threads;

pub(crate) use connection::{Answerer, ConnectionOptions};
pub(crate) use listener::{BindError, bind};
pub(crate) use threads::{NetworkThreads, Served};
