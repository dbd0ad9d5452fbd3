//! A member that goes on alone with what it has, for when most voters are lost for good: etcd's
//! `--force-new-cluster`.
//!
//! 1. What the member knows to be committed is kept. Where it is the only voter, everything in its
//!    log is committed, whether it knows so or not. What lies behind that is dropped, as in etcd.
//! 2. In its place come membership changes: the member itself is added, or promoted, unless it
//!    votes already; then everybody else is removed. They are committed at once, and are applied
//!    like any others.
//! 3. These entries and the hard state that commits them are one group of the log. So a crash
//!    leaves the member as it was, or all of this.
//!
//! The changes have a term of their own, in which the member has voted for itself: what another
//! member may have at the same index has another term.
//!
//! A member that is alone already is left as it is: starting it like that again is harmless.

use crate::conf_change::{conf_state_after, decode_conf_change};
use crate::member::first_hard_state;
use crate::{Error, FoundingMember, KIND_CONF_CHANGE, Restored, Result};
use prost::Message;
use retcd_api::raftpb::{ConfChange, ConfState};
use retcd_mvcc::membership::{Member, MemberChange, Members, Refusal};
use retcd_wal::{Group, HardState, Log, LogEntry, LogReader, SnapshotMark};

/// What it took to go on alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoodAlone {
    /// Index of the last entry that was kept.
    pub kept: u64,
    /// How many entries behind it were dropped: nothing said that they were committed.
    pub dropped: u64,
    /// Ids of the members that are removed.
    pub removed: Vec<u64>,
}

/// Makes the member whose log this is the only one. `own` says who it is, should the membership
/// not know it. `None` if it is alone already.
///
/// # Errors
///
/// [`Error::CannotStandAlone`] if the membership doesn't take the member, and nothing was changed.
pub(crate) fn stand_alone(
    restored: &mut Restored,
    members: Members,
    log: &mut Log,
    own: &FoundingMember,
) -> Result<Option<StoodAlone>> {
    let id = log.identity().member;
    let HardState { term, commit, .. } = first_hard_state(restored)?;
    let mut configuration = Configuration { id, state: restored.conf_state.clone(), members };
    let mut kept = commit;
    for &index in &restored.conf_changes {
        if index > commit && !configuration.is_lone_voter() {
            break;
        }
        let change = read_change(&restored.log, index)?;
        // A refused change is one that does nothing.
        let _ = configuration.follow(&change);
        kept = kept.max(index);
    }
    if configuration.is_lone_voter() {
        kept = restored.last.index;
    }
    let changes = configuration.changes_to_alone(own);
    if changes.is_empty() {
        return Ok(None);
    }
    for change in &changes {
        configuration.follow(change).map_err(Error::CannotStandAlone)?;
    }
    let term = term + 1;
    let entries: Vec<LogEntry> = (kept + 1..)
        .zip(&changes)
        .map(|(index, change)| LogEntry {
            index,
            term,
            kind: KIND_CONF_CHANGE,
            data: change.encode_to_vec().into(),
        })
        .collect();
    let last = kept + entries.len() as u64;
    let hard_state = HardState { term, vote: id, commit: last };
    log.append(&Group { entries: &entries, hard_state: Some(hard_state), snapshot: None })?;
    let removed = changes.iter().map(|change| change.node_id).filter(|&other| other != id);
    let dropped = restored.last.index - kept;
    let stood_alone = StoodAlone { kept, dropped, removed: removed.collect() };
    restored.hard_state = hard_state;
    restored.last = SnapshotMark { index: last, term };
    restored.conf_changes.retain(|&index| index <= kept);
    restored.conf_changes.extend(entries.iter().map(|entry| entry.index));
    Ok(Some(stood_alone))
}

fn read_change(log: &LogReader, index: u64) -> Result<ConfChange> {
    let entries = log.entries(index, index + 1, 0)?;
    match entries.first() {
        Some(entry) if entry.kind == KIND_CONF_CHANGE => decode_conf_change(index, &entry.data),
        Some(_) => Err(Error::UnknownEntry { index, reason: "joint configurations aren't used" }),
        None => Err(Error::Inconsistent { reason: "the log has lost an entry", index }),
    }
}

/// The membership as it is when everything that is kept is applied.
struct Configuration {
    id: u64,
    state: ConfState,
    members: Members,
}

impl Configuration {
    fn is_lone_voter(&self) -> bool {
        self.state.voters == [self.id]
    }

    /// Does what applying the change will do.
    fn follow(&mut self, change: &ConfChange) -> std::result::Result<(), Refusal> {
        let Some(state) = conf_state_after(&self.state, change) else {
            // No voter would be left. Nobody is told: the changes that are made here keep one.
            return Err(Refusal::NotFound);
        };
        self.members.apply(MemberChange::of(change)?)?;
        self.state = state;
        Ok(())
    }

    /// The member itself comes first: there must be a voter at any time.
    fn changes_to_alone(&self, own: &FoundingMember) -> Vec<ConfChange> {
        let ConfState { voters, learners, .. } = &self.state;
        let entry = if voters.contains(&self.id) {
            None
        } else if learners.contains(&self.id) {
            Some(MemberChange::Promote(self.id))
        } else {
            let FoundingMember { name, peer_urls } = own.clone();
            let id = self.id;
            Some(MemberChange::Add(Member { id, name, peer_urls, ..Member::default() }))
        };
        let others = voters.iter().chain(learners).filter(|&&other| other != self.id);
        let removals = others.map(|&other| MemberChange::Remove(other));
        entry.into_iter().chain(removals).map(|change| change.to_conf_change(0)).collect()
    }
}
