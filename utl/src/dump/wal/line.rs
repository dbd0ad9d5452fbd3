//! What is printed, line by line: the shapes of the JSON, which text follows.
//!
//! The names of fields are an interface: `docs/etcd-dump.md` lists them.

use super::place::Source;
use super::summary::Summary;
use crate::request::{Message, Payload};
use retcd_wal::{
    Cut, CutReason, Ending, Flushed, HardState, ReadGroup, SegmentHeader, SnapshotMark,
};
use serde::{Serialize, Serializer};

/// One line of output.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Line<'a> {
    /// Which log this is; first.
    Log(LogLine),
    /// A file in the folder that isn't a segment.
    File(FileLine),
    /// A segment begins.
    Segment(Box<SegmentLine>),
    /// A group begins.
    Group(GroupLine),
    /// A record of the group.
    Record(RecordLine<'a>),
    /// Something that doesn't hold.
    Fault(FaultLine),
    /// A segment's chain of groups ends.
    Ending(EndingLine),
    /// Totals.
    Summary(&'a Summary),
    /// What a member that starts would make of the log; last.
    Verdict(VerdictLine),
}

/// Which log this is.
#[derive(Serialize)]
pub(super) struct LogLine {
    /// The log's folder.
    pub(super) dir: String,
    /// How many segments there are.
    pub(super) segments: usize,
    /// Up to where the engine has flushed.
    #[serde(serialize_with = "flushed")]
    pub(super) flushed: Flushed,
    /// Who says so.
    pub(super) flushed_source: Source,
}

/// A file that isn't a segment.
#[derive(Serialize)]
pub(super) struct FileLine {
    /// Its name in the folder.
    pub(super) file: String,
    /// Its length; absent if it can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    /// What it is.
    pub(super) what: &'static str,
    /// The segment that it held before, if it begins with a segment's header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held_segment: Option<u64>,
}

/// A segment's header.
#[derive(Serialize)]
pub(super) struct SegmentLine {
    /// Its name in the folder.
    pub(super) file: String,
    /// Version of the format.
    pub(super) format: u32,
    /// Length of the file.
    pub(super) bytes: u64,
    /// Whether it may hold old bytes.
    pub(super) recycled: bool,
    /// Whether a start reads it.
    pub(super) needed: bool,
    /// Its number.
    pub(super) segment: u64,
    /// Index behind the last entry when it was begun.
    pub(super) first_index: u64,
    /// Term of the entry before.
    pub(super) last_term: u64,
    /// What its groups repeat.
    pub(super) salt: u64,
    /// The header's checksum.
    pub(super) checksum: u32,
    /// Cluster id.
    pub(super) cluster: u64,
    /// Member id.
    pub(super) member: u64,
    /// The hard state where it begins.
    #[serde(serialize_with = "hard_state")]
    pub(super) hard_state: HardState,
    /// The newest snapshot mark where it begins.
    #[serde(serialize_with = "snapshot")]
    pub(super) snapshot: SnapshotMark,
    /// Where the segment before ends.
    pub(super) previous_end: u64,
    /// Checksum of the last group there.
    pub(super) previous_chain: u32,
    /// What was given up there.
    #[serde(serialize_with = "cut", skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<Cut>,
}

impl SegmentLine {
    /// What a header says. `checksum` is its own.
    pub(super) fn of(
        file: String,
        header: &SegmentHeader,
        checksum: u32,
        needed: bool,
    ) -> SegmentLine {
        SegmentLine {
            file,
            format: header.version,
            bytes: header.segment_bytes,
            recycled: header.recycled,
            needed,
            segment: header.segment,
            first_index: header.first_index(),
            last_term: header.state.last_term,
            salt: header.salt,
            checksum,
            cluster: header.identity.cluster,
            member: header.identity.member,
            hard_state: header.state.hard_state,
            snapshot: header.state.snapshot,
            previous_end: header.previous_end,
            previous_chain: header.previous_chain,
            cut: header.cut,
        }
    }
}

/// A group's header.
#[derive(Serialize)]
pub(super) struct GroupLine {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Where it starts.
    pub(super) offset: u64,
    /// Bytes of header and payload.
    pub(super) bytes: u64,
    /// Bytes up to the next group.
    pub(super) padded_bytes: u64,
    /// Whether the records are compressed.
    pub(super) compressed: bool,
    /// Bytes of the records before they were compressed.
    pub(super) record_bytes: u64,
    /// How many records it has.
    pub(super) records: u32,
    /// Last index of the log with it.
    pub(super) last_index: u64,
    /// What was durable when it was built.
    pub(super) synced_through: u64,
    /// Checksum of the group before.
    pub(super) chain: u32,
    /// Its own checksum.
    pub(super) checksum: u32,
    /// Whether it is the final group of a clean stop.
    #[serde(rename = "final")]
    pub(super) is_final: bool,
    /// Whether it is a part of the log: the next segment may have been begun before it.
    pub(super) counts: bool,
}

impl GroupLine {
    /// What a group says of itself.
    pub(super) fn of(group: &ReadGroup, checksum: u32, counts: bool) -> GroupLine {
        let header = &group.header;
        GroupLine {
            segment: header.segment,
            offset: header.offset,
            bytes: header.bytes(),
            padded_bytes: header.bytes().next_multiple_of(retcd_wal::BLOCK_BYTES),
            compressed: header.is_compressed,
            record_bytes: group.payload.len() as u64,
            records: header.records,
            last_index: header.last_index,
            synced_through: header.synced_through,
            chain: header.chain,
            checksum,
            is_final: header.is_final,
            counts,
        }
    }
}

/// Whether an entry is still a part of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    /// It is.
    Live,
    /// A later entry or snapshot took its place.
    Superseded,
    /// Its group doesn't count.
    GivenUp,
}

/// A record.
#[derive(Serialize)]
pub(super) struct RecordLine<'a> {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Where its group starts.
    pub(super) offset: u64,
    /// What it is: `hard-state`, `snapshot`, or what an entry asks for.
    pub(super) kind: &'static str,
    /// Raft index; absent in a hard state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u64>,
    /// Raft term.
    pub(super) term: u64,
    /// A hard state's vote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vote: Option<u64>,
    /// A hard state's commit index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<u64>,
    /// What else is known of an entry.
    #[serde(flatten)]
    pub(super) entry: Option<EntryPart<'a>>,
}

/// What an entry has besides index and term.
#[derive(Serialize)]
pub(super) struct EntryPart<'a> {
    /// The kind's number in the log.
    pub(super) entry_kind: u8,
    /// Bytes of its payload.
    pub(super) bytes: usize,
    /// Whether it is still a part of the log.
    pub(super) status: Status,
    /// What it asks for; absent if nothing.
    #[serde(skip_serializing_if = "Message::is_empty")]
    pub(super) request: &'a Message,
    /// Why it can't be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    /// Bytes of fields that this version doesn't know.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) unknown_bytes: usize,
    /// The same for text.
    #[serde(skip)]
    pub(super) payload: &'a Payload,
}

/// Something that doesn't hold.
#[derive(Serialize)]
pub(super) struct FaultLine {
    /// The file.
    pub(super) file: String,
    /// Where in it; absent if it is about the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    /// What doesn't hold.
    pub(super) reason: String,
}

/// What is at the end of a chain of groups: [`Ending`] without the groups that it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EndingKind {
    Full,
    Blank,
    OldBytes,
    Unrecognized,
    Broken,
    Unchained,
}

impl From<Ending> for EndingKind {
    fn from(ending: Ending) -> EndingKind {
        match ending {
            Ending::Full => EndingKind::Full,
            Ending::Blank => EndingKind::Blank,
            Ending::OldBytes => EndingKind::OldBytes,
            Ending::Unrecognized => EndingKind::Unrecognized,
            Ending::Broken(_) => EndingKind::Broken,
            Ending::Unchained(_) => EndingKind::Unchained,
        }
    }
}

/// A segment's chain of groups ends.
#[derive(Serialize)]
pub(super) struct EndingLine {
    /// Number of the segment.
    pub(super) segment: u64,
    /// Where the next group would start.
    pub(super) offset: u64,
    /// What is there.
    pub(super) ending: EndingKind,
    /// The furthest that a whole group behind it says was durable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) behind_synced_through: Option<u64>,
    /// Up to where something was written behind it.
    pub(super) behind_written_through: u64,
    /// Where the next segment says that this one ends; absent if none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_follows: Option<u64>,
    /// Whether the next segment follows a group that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_fits: Option<bool>,
}

/// A verdict in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum VerdictKind {
    /// It ends with a clean stop.
    Closed,
    /// It ends without one.
    Unmarked,
    /// It is cut behind the last whole group.
    TornTail,
    /// It is cut before groups that nobody was told of.
    Hole,
    /// Something is damaged or missing.
    Refused,
    /// The file system failed.
    Unreadable,
}

/// What a member that starts would make of the log.
#[derive(Serialize)]
pub(super) struct VerdictLine {
    /// In one word.
    pub(super) verdict: VerdictKind,
    /// Whether a member would start.
    pub(super) starts: bool,
    /// The file where the log is cut, or what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    /// Where in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<u64>,
    /// Why a member would not start, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// What is found if the log isn't refused.
    #[serde(flatten)]
    pub(super) recovered: Option<Recovered>,
    /// Up to where the engine has flushed.
    #[serde(serialize_with = "flushed")]
    pub(super) flushed: Flushed,
    /// Who says so.
    pub(super) flushed_source: Source,
}

/// What a member that starts finds.
#[derive(Serialize)]
pub(super) struct Recovered {
    /// Index of the last entry.
    pub(super) last_index: u64,
    /// Its term.
    pub(super) last_term: u64,
    /// The newest hard state.
    #[serde(serialize_with = "hard_state")]
    pub(super) hard_state: HardState,
    /// The newest snapshot mark.
    #[serde(serialize_with = "snapshot")]
    pub(super) snapshot: SnapshotMark,
    /// Bytes of unfinished groups that it gives up, an estimate.
    pub(super) given_up_bytes: u64,
    /// Whether it begins the log anew behind the flushed index.
    pub(super) restarts: bool,
    /// A newest segment that was never finished, which it removes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discards: Option<String>,
}

/// A cut's reason as JSON has it.
pub(super) fn reason_of(cut: &Cut) -> &'static str {
    match cut.reason {
        CutReason::TornTail => "torn-tail",
        CutReason::Hole => "hole",
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn flushed<S: Serializer>(flushed: &Flushed, serializer: S) -> Result<S::Ok, S::Error> {
    position(flushed.index, flushed.term, serializer)
}

fn snapshot<S: Serializer>(mark: &SnapshotMark, serializer: S) -> Result<S::Ok, S::Error> {
    position(mark.index, mark.term, serializer)
}

fn position<S: Serializer>(index: u64, term: u64, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Position {
        index: u64,
        term: u64,
    }
    Position { index, term }.serialize(serializer)
}

fn hard_state<S: Serializer>(state: &HardState, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct State {
        term: u64,
        vote: u64,
        commit: u64,
    }
    let HardState { term, vote, commit } = *state;
    State { term, vote, commit }.serialize(serializer)
}

fn cut<S: Serializer>(cut: &Option<Cut>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Parts {
        reason: &'static str,
        bytes: u64,
    }
    cut.as_ref().map(|cut| Parts { reason: reason_of(cut), bytes: cut.bytes }).serialize(serializer)
}
