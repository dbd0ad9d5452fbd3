//! Between the raft library's messages and etcd's, without copying payloads.
//!
//! The numbers of message and entry kinds agree up to the kinds that etcd added later for storage
//! threads; those never travel. Fields that only the library knows (commit term, priority,
//! requested snapshot) are left out: it reads their absence as "unknown".
//!
//! A membership change that is proposed here travels through the library in the entry's context,
//! beside empty data. The library decodes the data of what is proposed, fails on etcd's kind 3,
//! and takes empty data for some change, which is all that it wants to know. Everywhere else the
//! bytes are an entry's data.

use crate::conf_change::conf_state_to_raft;
use bytes::Bytes;
use raft::eraftpb;
use retcd_api::raftpb;
use retcd_wal::LogEntry;

/// An entry as the log keeps it.
pub(crate) fn entry_to_log(entry: eraftpb::Entry) -> LogEntry {
    LogEntry {
        index: entry.index,
        term: entry.term,
        kind: kind_number(entry.entry_type),
        data: payload(entry),
    }
}

/// An entry from the log. `None` if its kind is unknown.
pub(crate) fn entry_from_log(entry: LogEntry) -> Option<eraftpb::Entry> {
    Some(eraftpb::Entry {
        entry_type: kind_from_number(i32::from(entry.kind))?,
        term: entry.term,
        index: entry.index,
        data: entry.data,
        ..eraftpb::Entry::default()
    })
}

/// Whether entries of this kind can be read from the log.
pub(crate) fn is_known_kind(kind: u8) -> bool {
    kind_from_number(i32::from(kind)).is_some()
}

/// A request that somebody proposes: index and term are the leader's to give.
pub(crate) fn proposal(data: Bytes) -> eraftpb::Entry {
    eraftpb::Entry { data, ..eraftpb::Entry::default() }
}

/// A checked membership change that somebody proposes.
pub(crate) fn conf_change_proposal(data: Bytes) -> eraftpb::Entry {
    eraftpb::Entry {
        entry_type: eraftpb::EntryType::EntryConfChange,
        context: data,
        ..eraftpb::Entry::default()
    }
}

fn payload(entry: eraftpb::Entry) -> Bytes {
    if entry.context.is_empty() { entry.data } else { entry.context }
}

fn kind_number(kind: eraftpb::EntryType) -> u8 {
    match kind {
        eraftpb::EntryType::EntryNormal => crate::KIND_NORMAL,
        eraftpb::EntryType::EntryConfChange => crate::KIND_CONF_CHANGE,
        eraftpb::EntryType::EntryConfChangeV2 => crate::KIND_CONF_CHANGE_V2,
    }
}

fn kind_from_number(kind: i32) -> Option<eraftpb::EntryType> {
    use eraftpb::EntryType::*;
    [EntryNormal, EntryConfChange, EntryConfChangeV2]
        .into_iter()
        .find(|&known| i32::from(kind_number(known)) == kind)
}

/// A message for a peer.
pub(crate) fn message_to_etcd(mut message: eraftpb::Message) -> raftpb::Message {
    raftpb::Message {
        r#type: message.msg_type as i32,
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: message.take_entries().into_iter().map(entry_to_etcd).collect(),
        commit: message.commit,
        snapshot: snapshot_to_etcd(message.snapshot.as_ref()),
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: some_bytes(message.context),
        vote: 0,
        responses: Vec::new(),
    }
}

/// A message from a peer. `None` if its kind or an entry's is one that no peer may send.
pub(crate) fn message_from_etcd(message: raftpb::Message) -> Option<eraftpb::Message> {
    let entries: Option<Vec<_>> = message.entries.into_iter().map(entry_from_etcd).collect();
    Some(eraftpb::Message {
        msg_type: message_kind(message.r#type)?,
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: entries?.into(),
        commit: message.commit,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context: message.context.unwrap_or_default(),
        ..eraftpb::Message::default()
    })
}

/// A peer's message with a snapshot. `None` if it is of another kind.
pub(crate) fn snapshot_from_etcd(message: raftpb::Message) -> Option<eraftpb::Message> {
    if message.r#type() != raftpb::MessageType::MsgSnap {
        return None;
    }
    let metadata = &message.snapshot.metadata;
    let mut snapshot = eraftpb::Snapshot::default();
    snapshot.mut_metadata().set_conf_state(conf_state_to_raft(&metadata.conf_state));
    snapshot.mut_metadata().index = metadata.index;
    snapshot.mut_metadata().term = metadata.term;
    let mut converted = eraftpb::Message {
        msg_type: eraftpb::MessageType::MsgSnapshot,
        to: message.to,
        from: message.from,
        term: message.term,
        ..eraftpb::Message::default()
    };
    converted.set_snapshot(snapshot);
    Some(converted)
}

/// A snapshot's position; its content travels by itself.
fn snapshot_to_etcd(snapshot: Option<&eraftpb::Snapshot>) -> raftpb::Snapshot {
    let Some(snapshot) = snapshot else {
        return raftpb::Snapshot::default();
    };
    let metadata = snapshot.get_metadata();
    let conf_state = metadata.get_conf_state();
    let conf_state = raftpb::ConfState {
        voters: conf_state.voters.clone(),
        learners: conf_state.learners.clone(),
        ..raftpb::ConfState::default()
    };
    let metadata =
        raftpb::SnapshotMetadata { conf_state, index: metadata.index, term: metadata.term };
    raftpb::Snapshot { data: None, metadata }
}

fn entry_to_etcd(entry: eraftpb::Entry) -> raftpb::Entry {
    raftpb::Entry {
        r#type: i32::from(kind_number(entry.entry_type)),
        term: entry.term,
        index: entry.index,
        data: some_bytes(payload(entry)),
    }
}

fn entry_from_etcd(entry: raftpb::Entry) -> Option<eraftpb::Entry> {
    Some(eraftpb::Entry {
        entry_type: kind_from_number(entry.r#type)?,
        term: entry.term,
        index: entry.index,
        data: entry.data.unwrap_or_default(),
        ..eraftpb::Entry::default()
    })
}

/// The kinds that travel between members by themselves. Snapshots aren't among them, because they
/// count only when their content is there; local ones never travel.
fn message_kind(kind: i32) -> Option<eraftpb::MessageType> {
    use eraftpb::MessageType::*;
    [
        MsgPropose,
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgTransferLeader,
        MsgTimeoutNow,
        MsgReadIndex,
        MsgReadIndexResp,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
    ]
    .into_iter()
    .find(|&known| known as i32 == kind)
}

fn some_bytes(bytes: Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_goes_both_ways_and_shares_its_payload() {
        let payload = Bytes::from(vec![7; 1000]);
        let message = raftpb::Message {
            r#type: raftpb::MessageType::MsgApp.into(),
            to: 1,
            from: 2,
            term: 3,
            log_term: 4,
            index: 5,
            entries: vec![raftpb::Entry {
                r#type: raftpb::EntryType::EntryConfChange.into(),
                term: 6,
                index: 7,
                data: Some(payload.clone()),
            }],
            commit: 8,
            snapshot: raftpb::Snapshot::default(),
            reject: true,
            reject_hint: 9,
            context: Some(Bytes::from_static(b"CampaignTransfer")),
            vote: 0,
            responses: Vec::new(),
        };
        let inside = message_from_etcd(message.clone()).expect("a known kind");
        assert_eq!(inside.entries[0].data.as_ptr(), payload.as_ptr());
        let back = message_to_etcd(inside);
        let data = back.entries[0].data.as_ref().expect("the payload");
        assert_eq!(data.as_ptr(), payload.as_ptr());
        assert_eq!(back, message);
    }

    #[test]
    fn kinds_that_dont_travel_are_refused() {
        let of_kind = |kind: i32| raftpb::Message { r#type: kind, ..raftpb::Message::default() };
        use raftpb::MessageType::*;
        for kind in [MsgHup, MsgBeat, MsgSnap, MsgUnreachable, MsgSnapStatus, MsgCheckQuorum] {
            assert!(message_from_etcd(of_kind(kind.into())).is_none(), "{kind:?}");
        }
        for kind in [-1, 19, 23, 24] {
            assert!(message_from_etcd(of_kind(kind)).is_none(), "{kind}");
        }
        let mut strange = of_kind(MsgApp.into());
        strange.entries.push(raftpb::Entry { r#type: 3, ..raftpb::Entry::default() });
        assert!(message_from_etcd(strange).is_none(), "an entry of kind 3");
    }
}
