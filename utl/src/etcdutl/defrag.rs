//! `defrag`: merges everything in a stopped member's engine, so that all space that can be given
//! back is.

use super::Surroundings;
use super::failure::Failure;
use super::folder;
use crate::notation::DecimalSize;
use retcd_engine::Step;
use std::path::Path;

/// Runs it on the data directory.
pub(super) fn run(data_dir: &Path, surroundings: &mut Surroundings<'_>) -> Result<(), Failure> {
    let opened = folder::open(&surroundings.vfs, data_dir)?;
    let engine = &*opened.engine;
    let (path, before) = (opened.dir.display(), engine.stats());
    let size = DecimalSize(before.file_bytes);
    surroundings.tell(format_args!("defragmenting {path}: {size} in {} runs", before.runs));
    engine.request_merge()?;
    let mut progress = surroundings.progress("defragmenting", before.file_bytes);
    let mut written = before.bytes_written;
    loop {
        match engine.step()? {
            Step::Idle if !engine.stats().is_owed => break,
            Step::OutOfSpace => {
                return Err(Failure::Refused(format!(
                    "{path}: there is no room on the disk to merge in; nothing is lost"
                )));
            }
            Step::Idle | Step::Worked => {}
        }
        let now = engine.stats().bytes_written;
        progress.add(now.saturating_sub(written));
        written = now;
    }
    drop(progress);
    let after = engine.stats();
    let (size, gone) = (after.file_bytes, before.file_bytes.saturating_sub(after.file_bytes));
    let (size, gone) = (DecimalSize(size), DecimalSize(gone));
    surroundings.tell(format_args!("finished defragmenting {path}: {size}, {gone} less"));
    Ok(())
}
