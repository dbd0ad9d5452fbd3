//! A snapshot on its way from one member's engine to another's.

use crate::bootstrap::decode_conf_state;
use crate::{Error, Install, Result};
use retcd_api::raftpb;
use retcd_engine::{Applied, Replaceable};
use retcd_mvcc::Applier;
use retcd_mvcc::stored::State;
use std::path::Path;
use std::sync::Arc;

/// The message that offers a checkpoint which covers `applied`, made of the one that was ordered.
///
/// # Errors
///
/// If the checkpoint's state can't be read.
pub fn snapshot_message(
    mut ordered: raftpb::Message,
    applied: &Applied,
) -> Result<raftpb::Message> {
    let state = State::decode(&applied.state)?;
    let conf_state = decode_conf_state(applied.index, &state.conf_state)?;
    let Applied { index, term, .. } = *applied;
    ordered.snapshot.metadata = raftpb::SnapshotMetadata { conf_state, index, term };
    Ok(ordered)
}

/// Makes the checkpoint in folder `from` the member's state. Called by who applies, when everything
/// that was committed before is; `from` lies beside the engine's folder.
///
/// # Errors
///
/// All are final: the member must stop.
pub fn install(
    install: &Install,
    engine: &Replaceable,
    applier: &mut Applier,
    from: &Path,
) -> Result<()> {
    let replacement = engine.replace(from)?;
    let next = Arc::clone(replacement.engine());
    let Applied { index, term, .. } = next.applied();
    if (index, term) != (install.mark.index, install.mark.term) {
        let reason = "the snapshot's files are of another index than its message";
        return Err(Error::Inconsistent { reason, index });
    }
    let mut before = None;
    applier.replace(&*next, || before = Some(replacement.switch()))?;
    // Dropped here, where nobody waits.
    drop(before);
    Ok(())
}
