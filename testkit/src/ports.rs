//! Addresses of the loopback that nobody uses at the moment of asking. Somebody may take one before
//! a server binds it; then the server says so, and others are tried.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Two addresses, for clients and for peers, that nobody else is given as long as this is there.
pub(crate) struct Held {
    pub(crate) addresses: [SocketAddr; 2],
    _listeners: [TcpListener; 2],
}

/// Holds two addresses.
pub(crate) fn hold_addresses() -> io::Result<Held> {
    let listeners = [
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
    ];
    let addresses = [listeners[0].local_addr()?, listeners[1].local_addr()?];
    Ok(Held { addresses, _listeners: listeners })
}

/// Two addresses.
pub fn free_addresses() -> io::Result<[SocketAddr; 2]> {
    Ok(hold_addresses()?.addresses)
}

/// Two addresses for each of so many servers, none of them twice.
pub fn free_addresses_for(servers: usize) -> io::Result<Vec<[SocketAddr; 2]>> {
    let held: Vec<Held> = (0..servers).map(|_| hold_addresses()).collect::<io::Result<_>>()?;
    Ok(held.iter().map(|held| held.addresses).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_address_is_given_twice() {
        let given = free_addresses_for(500).expect("there are some thousands");
        let all: HashSet<SocketAddr> = given.iter().flatten().copied().collect();
        assert_eq!(all.len(), 1000);
    }
}
