//! Binding the addresses that the flags name.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// An address that can't be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    /// `host:port` as the operator wrote it.
    pub(crate) address: String,
    /// What the system said.
    pub(crate) source: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "listen tcp {}: bind: {}", self.address, self.source)
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Listens on the first address that `host_port` resolves to, IPv4 first as etcd does.
pub(crate) fn bind(host_port: &str) -> Result<TcpListener, BindError> {
    let failed = |source| BindError { address: host_port.to_owned(), source };
    let mut addresses: Vec<SocketAddr> = host_port.to_socket_addrs().map_err(failed)?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
    let address = addresses.first().copied().ok_or_else(none).map_err(failed)?;
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}
