//! Committed membership changes: from the log to the replicated state and back to raft.

use crate::bootstrap::decode_conf_state;
use crate::conf_change::{conf_state_after, decode_conf_change};
use crate::{Error, KIND_CONF_CHANGE, Result};
use bytes::Bytes;
use prost::Message;
use retcd_api::raftpb::{ConfChange, ConfState};
use retcd_mvcc::{Applier, CommittedEntry, Outcome};
use retcd_wal::LogEntry;
use std::time::Duration;

/// What a membership change led to.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfChanged {
    /// The change as raft is to carry it out, `None` if it was refused: see
    /// [`crate::Input::ConfChanged`].
    pub change: Option<Box<ConfChange>>,
    /// The configuration after it.
    pub state: Box<ConfState>,
    /// What the proposer is told.
    pub outcome: Outcome,
}

/// Executes a committed entry that isn't normal.
///
/// # Errors
///
/// [`Error::UnknownEntry`] if it isn't a membership change that this version knows, or what the
/// replicated state fails with. A refused change is no error.
pub fn apply_conf_change(applier: &mut Applier, entry: &LogEntry) -> Result<ConfChanged> {
    let LogEntry { index, term, .. } = *entry;
    if entry.kind != KIND_CONF_CHANGE {
        return Err(Error::UnknownEntry { index, reason: "joint configurations aren't used" });
    }
    let change = decode_conf_change(index, &entry.data)?;
    let before = decode_conf_state(index, applier.conf_state())?;
    let Some(state) = conf_state_after(&before, &change) else {
        // The membership alone wouldn't mind losing its last voter.
        let nothing = CommittedEntry { index, term, data: Bytes::new() };
        let mut outcome = applier.apply(&nothing, Duration::ZERO)?;
        outcome.request_id = change.id;
        outcome.result = Err(retcd_api::Error::MemberNotEnoughStarted);
        return Ok(ConfChanged { change: None, state: Box::new(before), outcome });
    };
    let outcome = applier.apply_conf_change(index, term, &change, state.encode_to_vec().into())?;
    let (change, state) = match outcome.result {
        Ok(_) => (Some(Box::new(change)), state),
        Err(_) => (None, before),
    };
    Ok(ConfChanged { change, state: Box::new(state), outcome })
}
