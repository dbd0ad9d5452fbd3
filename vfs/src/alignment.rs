//! Whether direct I/O in blocks of [`LOG_ALIGNMENT`] suits a file.
//!
//! Since Linux 6.1 `statx` tells what alignment direct I/O needs. Where it tells nothing, the first
//! write shows.

use crate::LOG_ALIGNMENT;
use crate::refusal::refused;
use rustix::fs::{AtFlags, StatxFlags, statx};
use std::fs::File;
use std::io;

/// Fails with a refusal if the file system says that direct I/O doesn't work for `file`, or needs a
/// wider alignment.
pub(crate) fn check(file: &File) -> io::Result<()> {
    match statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(told) if told.stx_mask & StatxFlags::DIOALIGN.bits() != 0 => {
            judge(told.stx_dio_mem_align, told.stx_dio_offset_align)
        }
        // Nothing is told: an older kernel, or a file system that doesn't say.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Both zero means that there is no direct I/O.
fn judge(memory: u32, offset: u32) -> io::Result<()> {
    let suits = |needed: u32| needed > 0 && (LOG_ALIGNMENT as u32).is_multiple_of(needed);
    if suits(memory) && suits(offset) {
        return Ok(());
    }
    let told = match (memory, offset) {
        (_, 0) => "the file system has none for this file".to_owned(),
        _ => format!("the file system needs {memory} bytes in memory and {offset} in the file"),
    };
    Err(refused("direct I/O in blocks of 4096 bytes", io::Error::other(told)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_refusal;

    #[test]
    fn narrower_alignments_suit_and_wider_or_none_are_refused() {
        for (memory, offset) in [(4, 512), (512, 4096), (4096, 4096)] {
            judge(memory, offset).unwrap();
        }
        for (memory, offset) in [(0, 0), (4, 8192), (65_536, 512), (512, 3000)] {
            assert!(is_refusal(&judge(memory, offset).unwrap_err()), "{memory} {offset}");
        }
    }

    #[test]
    fn a_file_can_be_asked() {
        let file = tempfile::tempfile().unwrap();
        if let Err(told) = check(&file) {
            assert!(is_refusal(&told), "{told}");
        }
    }
}
