//! What a thread sleeps on while the kernel writes: an `eventfd` that completions ring.

use crate::Waiter;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A counter in the kernel that can be waited for.
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Waiter for Bell {
    fn wait(&self, limit: Duration) -> io::Result<()> {
        let limit = Timespec::try_from(limit).ok();
        let mut descriptors = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut descriptors, limit.as_ref()) {
            // A signal came: one of the returns for nothing that are allowed.
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut count = [0; 8];
        match rustix::io::read(&self.0, &mut count) {
            // Somebody else may have taken the count.
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn wake(&self) {
        // It fails only if the count is at its end, and then whoever waits is woken anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_that_rang_before_is_heard() {
        let bell = Bell::new().unwrap();
        bell.wake();
        bell.wake();
        bell.wait(Duration::from_secs(3600)).unwrap();
        // Nothing is left of both rings, so this ends by its limit.
        bell.wait(Duration::ZERO).unwrap();
    }
}
