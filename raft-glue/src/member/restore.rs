//! From what the log and the engine kept to raft's first state.
//!
//! A crash may have come between the engine's switch to a snapshot and the log's note of it. Then
//! the hard state may be of an older term than the snapshot. No vote in a later term than the hard
//! state's was ever sent, so none is forgotten when the term is raised.

use super::Restored;
use crate::tail::{Durable, Tail};
use crate::{Error, Result};
use raft::eraftpb;
use retcd_wal::{HardState, SnapshotMark};

/// The tail that raft starts with: all entries are on the disk.
pub(super) fn restored_tail(restored: Restored) -> Result<Tail> {
    let HardState { term, vote, commit } = first_hard_state(&restored)?;
    let hard_state = eraftpb::HardState { term, vote, commit, ..eraftpb::HardState::default() };
    let Restored { applied, last, conf_changes, log, conf_state, .. } = restored;
    let durable = Durable { log, last, applied, conf_changes };
    Ok(Tail::new(durable, hard_state, &conf_state))
}

/// The hard state that raft starts with. Its commit index is the one that was kept or the applied
/// one, whichever is higher: the commit index reaches the log late, with the next group.
pub(crate) fn first_hard_state(restored: &Restored) -> Result<HardState> {
    let Restored { hard_state, applied, last, .. } = restored;
    agreed_hard_state(*hard_state, *applied, *last)
}

/// As [`first_hard_state`], of what the log keeps, what is applied, and the last entry.
pub(crate) fn agreed_hard_state(
    kept: HardState,
    applied: SnapshotMark,
    last: SnapshotMark,
) -> Result<HardState> {
    let HardState { term, vote, commit } = kept;
    let is_older = term < applied.term;
    let commit = commit.max(applied.index);
    let inconsistent = |reason, index| Err(Error::Inconsistent { reason, index });
    if commit > last.index {
        return inconsistent("the commit index is above the last entry", commit);
    }
    if last.index > applied.index && term < last.term {
        return inconsistent("the hard state is older than the last entry", last.index);
    }
    if last.index == applied.index && last.term != applied.term {
        return inconsistent("the log and the engine disagree about an entry", last.index);
    }
    Ok(HardState {
        term: if is_older { applied.term } else { term },
        vote: if is_older { raft::INVALID_ID } else { vote },
        commit,
    })
}
