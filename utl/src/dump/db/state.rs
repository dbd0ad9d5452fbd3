//! The state blob of the manifest, and what the applied position says.

use prost::Message;
use retcd_api::raftpb::ConfState;
use retcd_engine::Applied;
use retcd_mvcc::stored::State;
use serde::Serialize;
use std::fmt;

/// What the files cover, decoded.
#[derive(Clone, Debug, Serialize)]
pub(in crate::dump) struct AppliedPart {
    /// Raft index of the last entry.
    index: u64,
    /// Its term.
    term: u64,
    /// At or below it, superseded versions may be gone.
    watermark: u64,
    /// The state blob.
    #[serde(flatten)]
    state: StatePart,
}

/// A state blob.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum StatePart {
    Decoded {
        revision: i64,
        /// Absent if there was no compaction.
        #[serde(skip_serializing_if = "Option::is_none")]
        compacted_revision: Option<i64>,
        keys: u64,
        voters: Vec<u64>,
        learners: Vec<u64>,
    },
    /// Its length, and why it isn't decoded.
    Undecodable { state_bytes: usize, state_fault: String },
}

impl AppliedPart {
    pub(in crate::dump) fn of(applied: &Applied) -> AppliedPart {
        let Applied { index, term, watermark, ref state } = *applied;
        let state = match decode(applied) {
            Ok((state, conf)) => StatePart::Decoded {
                revision: state.revision,
                compacted_revision: (state.compacted >= 0).then_some(state.compacted),
                keys: state.key_count,
                voters: conf.voters,
                learners: conf.learners,
            },
            Err(state_fault) => StatePart::Undecodable { state_bytes: state.len(), state_fault },
        };
        AppliedPart { index, term, watermark, state }
    }

    /// Why the blob can't be decoded, if it can't.
    pub(in crate::dump) fn fault(&self) -> Option<&str> {
        match &self.state {
            StatePart::Decoded { .. } => None,
            StatePart::Undecodable { state_fault, .. } => Some(state_fault),
        }
    }
}

/// The blob and raft's configuration in it.
fn decode(applied: &Applied) -> Result<(State, ConfState), String> {
    let state = State::decode(&applied.state).map_err(|error| error.to_string())?;
    let conf = ConfState::decode(state.conf_state.clone());
    let conf = conf.map_err(|_| "the state's raft configuration doesn't decode".to_owned())?;
    Ok((state, conf))
}

impl fmt::Display for AppliedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AppliedPart { index, term, watermark, state } = self;
        write!(f, "applied index {index} of term {term}, watermark {watermark}")?;
        match state {
            StatePart::Decoded { revision, compacted_revision, keys, voters, learners } => {
                write!(f, "; revision {revision}, ")?;
                match compacted_revision {
                    Some(revision) => write!(f, "compacted revision {revision}")?,
                    None => f.write_str("never compacted")?,
                }
                write!(f, ", {} keys; voters {}", keys, Ids(voters))?;
                match learners.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", learners {}", Ids(learners)),
                }
            }
            StatePart::Undecodable { state_bytes, state_fault } => {
                write!(f, "; a state of {state_bytes} bytes that can't be decoded: {state_fault}")
            }
        }
    }
}

/// Members' ids as clients show them.
pub(in crate::dump) struct Ids<'a>(pub(in crate::dump) &'a [u64]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, id) in self.0.iter().enumerate() {
            write!(f, "{}{id:x}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}
