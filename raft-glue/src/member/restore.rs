//! From what the log and the engine kept to raft's first state.

use super::Restored;
use crate::convert::entry_from_log;
use crate::tail::Tail;
use crate::{Error, Result};
use raft::eraftpb;

/// The tail that raft starts with. Its commit index is the hard state's or the applied one,
/// whichever is higher: the commit index reaches the log late, with the next group.
pub(super) fn restored_tail(restored: Restored) -> Result<Tail> {
    let applied = restored.applied;
    let hard_state = eraftpb::HardState {
        term: restored.hard_state.term,
        vote: restored.hard_state.vote,
        commit: restored.hard_state.commit.max(applied.index),
        ..eraftpb::HardState::default()
    };
    let commit = hard_state.commit;
    let mut tail = Tail::new(applied, hard_state, &restored.conf_state);
    let mut last_term = applied.term;
    for entry in restored.entries {
        let index = entry.index;
        if index <= applied.index {
            continue;
        }
        let inconsistent = |reason| Error::Inconsistent { reason, index };
        if index != tail.last() + 1 {
            return Err(inconsistent("an entry doesn't continue the log"));
        }
        if entry.term < last_term {
            return Err(inconsistent("an entry's term is below its predecessor's"));
        }
        last_term = entry.term;
        let entry = entry_from_log(entry)
            .ok_or(Error::UnknownEntry { index, reason: "its kind is unknown" })?;
        tail.put(entry)?;
    }
    let inconsistent = |reason, index| Err(Error::Inconsistent { reason, index });
    if commit > tail.last() {
        return inconsistent("the commit index is above the last entry", commit);
    }
    if restored.hard_state.term < last_term {
        return inconsistent("the hard state is older than the last entry", tail.last());
    }
    Ok(tail)
}
