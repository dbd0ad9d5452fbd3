//! A log file with several writes under way in the kernel: io_uring and direct I/O.
//!
//! A write carries `RWF_DSYNC`, so its completion says that it is durable. The kernel ends writes
//! in any order; they are given back in the order of their begin ([`InOrder`]). Each file has a
//! ring of its own, made when it is opened: that is once per segment.
//!
//! A buffer that the kernel may read is in `writes`, and is freed only after its end was seen; a
//! file that is dropped waits for what is under way. After an error nothing more is begun.
#![expect(unsafe_code, reason = "the kernel reads buffers whose use no borrow shows")]

use crate::bell::Bell;
use crate::in_order::InOrder;
use crate::refusal::forbidden;
use crate::{AlignedBuf, LOG_ALIGNMENT, LogFile, Waiter};
use io_uring::types::Fd;
use io_uring::{EnterFlags, IoUring, opcode};
use rustix::io::{Errno, ReadWriteFlags};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

pub(crate) struct UringLog {
    ring: IoUring,
    file: File,
    length: u64,
    depth: usize,
    writes: InOrder,
    bell: Arc<Bell>,
    failed: bool,
}

impl UringLog {
    /// Writes to `file`, which was opened for direct I/O and has its full `length` in bytes.
    ///
    /// A ring that isn't to be had is a refusal: see [`crate::is_refusal`].
    pub(crate) fn new(file: File, length: u64, depth: usize) -> io::Result<UringLog> {
        let (ring, bell) = ring(depth).map_err(|error| forbidden("io_uring", error))?;
        let (writes, bell) = (InOrder::default(), Arc::new(bell));
        Ok(UringLog { ring, file, length, depth, writes, bell, failed: false })
    }

    fn begin(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        let bytes = u32::try_from(buf.len()).expect("a log file is shorter than 4 GiB");
        let entry = opcode::Write::new(Fd(self.file.as_raw_fd()), buf.as_ptr(), bytes)
            .offset(offset)
            .rw_flags(ReadWriteFlags::DSYNC.bits().cast_signed())
            .build()
            .user_data(self.writes.next_number());
        // SAFETY: the file is open as long as the ring. The buffer's bytes stay where they are when
        // `buf` moves into `writes`, which keeps it until the kernel is done with it, and nobody
        // writes to it there.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.expect("the ring has room for as many writes as may be under way");
        self.writes.begin(buf);
        match retried(|| self.ring.submit())? {
            1 => Ok(()),
            taken => Err(io::Error::other(format!("the kernel took {taken} writes of 1"))),
        }
    }

    /// Notes what has ended.
    fn reap(&mut self) {
        for ended in self.ring.completion() {
            self.writes.end(ended.user_data(), ended.result());
        }
    }

    /// Sleeps until the kernel has ended something that wasn't noted.
    fn wait(&self) -> io::Result<()> {
        // Nothing is handed to the kernel here, so that a write that it once refused stays refused.
        let enter = || {
            let flags = EnterFlags::GETEVENTS.bits();
            // SAFETY: without an argument and without writes to take the call only waits.
            unsafe { self.ring.submitter().enter::<()>(0, 1, flags, None) }
        };
        retried(enter).map(drop)
    }

    fn give_back(&mut self) -> io::Result<Option<AlignedBuf>> {
        self.reap();
        self.writes.next().transpose()
    }

    /// Runs a call unless an earlier one failed, and remembers if it does.
    fn guarded<T>(&mut self, call: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        if self.failed {
            return Err(io::Error::other("an earlier write to this log file failed"));
        }
        let result = call(self);
        self.failed = result.is_err();
        result
    }
}

impl LogFile for UringLog {
    fn submit(&mut self, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        assert!(self.writes.len() < self.depth, "too many writes under way");
        assert!(offset.is_multiple_of(LOG_ALIGNMENT as u64), "offset {offset} isn't aligned");
        assert!(offset + buf.len() as u64 <= self.length, "a log file isn't extended");
        self.guarded(|log| log.begin(offset, buf))
    }

    fn complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        self.guarded(|log| {
            loop {
                let ended = log.give_back()?;
                if ended.is_some() || log.writes.len() == 0 {
                    return Ok(ended);
                }
                log.wait()?;
            }
        })
    }

    fn try_complete(&mut self) -> io::Result<Option<AlignedBuf>> {
        self.guarded(UringLog::give_back)
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn waiter(&self) -> Option<Arc<dyn Waiter>> {
        Some(self.bell.clone())
    }
}

impl Drop for UringLog {
    fn drop(&mut self) {
        self.reap();
        // What the kernel refused to take never ends, and is not its to read.
        let refused = self.ring.submission().len();
        while self.writes.unfinished() > refused {
            if self.wait().is_err() {
                self.writes.leak();
                break;
            }
            self.reap();
        }
        self.bell.wake();
    }
}

fn ring(depth: usize) -> io::Result<(IoUring, Bell)> {
    let entries = u32::try_from(depth).map_err(|_| Errno::INVAL)?;
    let ring = IoUring::new(entries)?;
    let bell = Bell::new()?;
    ring.submitter().register_eventfd(bell.as_fd().as_raw_fd())?;
    Ok((ring, bell))
}

/// Repeats a call that a signal interrupted before it did anything.
fn retried(call: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_ends_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, [0; 4 * LOG_ALIGNMENT]).unwrap();
        // Every write to a file that was opened for reading fails.
        let file = File::open(&path).unwrap();
        let mut log = match UringLog::new(file, 4 * LOG_ALIGNMENT as u64, 2) {
            Ok(log) => log,
            Err(error) if crate::is_refusal(&error) => {
                println!("passed over: {error}");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        log.submit(0, AlignedBuf::new(1)).unwrap();
        log.submit(LOG_ALIGNMENT as u64, AlignedBuf::new(1)).unwrap();
        assert_eq!(log.complete().err().unwrap().raw_os_error(), Some(Errno::BADF.raw_os_error()));
        assert!(log.complete().is_err() && log.try_complete().is_err());
        assert!(log.submit(0, AlignedBuf::new(1)).is_err());
    }
}
