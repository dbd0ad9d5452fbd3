//! Random numbers.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// A random number from the system.
pub(crate) fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        let flags = GetRandomFlags::empty();
        filled += getrandom(&mut bytes[filled..], flags)?;
    }
    Ok(u64::from_ne_bytes(bytes))
}
