//! A data directory for a member of a new cluster whose state comes from elsewhere.
//!
//! Whoever restores makes the engine first, with the state as of [`Founders::mark`]. The log begins
//! behind that: what it would hold before, the additions of the founding members, is in the state.
//! All members of the cluster are restored from the same state, each in its own directory.

use crate::{DataDir, Founders, Result};
use retcd_wal::{Group, HardState, Log};

/// Makes the log of a member whose engine has the state at [`Founders::mark`]. After it the
/// directory is that of a member that was stopped.
///
/// # Errors
///
/// The log can't be written, or there is one.
pub fn begin_log_behind(
    data_dir: &DataDir,
    founders: &Founders,
    options: retcd_wal::Options,
) -> Result<()> {
    let (vfs, mark) = (data_dir.vfs().clone(), founders.mark());
    let mut log = Log::create(vfs, data_dir.log(), options, founders.identity, mark)?;
    let hard_state = HardState { term: mark.term, vote: 0, commit: mark.index };
    log.append(&Group { hard_state: Some(hard_state), ..Group::default() })?;
    Ok(log.close()?)
}
