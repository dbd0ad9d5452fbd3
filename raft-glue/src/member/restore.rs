//! From what the log and the engine kept to raft's first state.

use super::Restored;
use crate::tail::{Durable, Tail};
use crate::{Error, Result};
use raft::eraftpb;

/// The tail that raft starts with: all entries are on the disk. Its commit index is the hard
/// state's or the applied one, whichever is higher: the commit index reaches the log late, with the
/// next group.
pub(super) fn restored_tail(restored: Restored) -> Result<Tail> {
    let Restored { applied, last, conf_changes, log, .. } = restored;
    let hard_state = eraftpb::HardState {
        term: restored.hard_state.term,
        vote: restored.hard_state.vote,
        commit: restored.hard_state.commit.max(applied.index),
        ..eraftpb::HardState::default()
    };
    let inconsistent = |reason, index| Err(Error::Inconsistent { reason, index });
    if hard_state.commit > last.index {
        return inconsistent("the commit index is above the last entry", hard_state.commit);
    }
    if last.index > applied.index && hard_state.term < last.term {
        return inconsistent("the hard state is older than the last entry", last.index);
    }
    if last.index == applied.index && last.term != applied.term {
        return inconsistent("the log and the engine disagree about an entry", last.index);
    }
    let applied = applied.index;
    let durable = Durable { log, last, applied, conf_changes };
    Ok(Tail::new(durable, hard_state, &restored.conf_state))
}
