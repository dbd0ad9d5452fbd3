//! The history that the store must have: every revision's changes, and what follows from them.
//!
//! Revisions are added in order and never changed, so the whole can be replayed on another engine
//! at any time. The state at any revision and etcd's HashKV are computed from it here, without any
//! of the server's code.

use std::collections::BTreeMap;

use prost::encoding::{WireType, encode_key, encode_varint};

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put { key: String, value: String, lease: i64 },
    Delete { key: String },
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) value: String,
    pub(crate) create_revision: i64,
    pub(crate) mod_revision: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
}

/// All keys at one revision.
pub(crate) type State = BTreeMap<String, Record>;

/// A change with its place, and the bytes that etcd stores for it.
struct Entry {
    main: i64,
    key: String,
    is_tombstone: bool,
    stored: Vec<u8>,
}

/// Everything that has happened.
pub(crate) struct History {
    /// The revision of a store in which nothing has happened is 1.
    pub(crate) last_revision: i64,
    /// -1 before the first compaction.
    pub(crate) compacted_revision: i64,
    pub(crate) state: State,
    /// Leases that exist for certain.
    pub(crate) leases: std::collections::BTreeSet<i64>,
    changes: Vec<(i64, Vec<Change>)>,
    entries: Vec<Entry>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self {
            last_revision: 1,
            compacted_revision: -1,
            state: State::new(),
            leases: std::collections::BTreeSet::new(),
            changes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Adds the next revision.
    pub(crate) fn push(&mut self, revision: i64, changes: &[Change]) {
        assert_eq!(revision, self.last_revision + 1, "revisions are added in order");
        self.last_revision = revision;
        for (sub, change) in changes.iter().enumerate() {
            apply(&mut self.state, revision, change);
            self.entries.push(Entry::new(revision, sub as i64, change, &self.state));
        }
        self.changes.push((revision, changes.to_vec()));
    }

    /// All keys as they were at a revision.
    pub(crate) fn state_at(&self, revision: i64) -> State {
        let mut state = State::new();
        for (at, changes) in self.changes.iter().take_while(|(at, _)| *at <= revision) {
            for change in changes {
                apply(&mut state, *at, change);
            }
        }
        state
    }

    /// etcd's HashKV at the last revision: CRC-32C over the bucket's name and the stored records in
    /// the order of their revisions. Of those that a compaction may have removed only what is still
    /// the present value of its key counts: etcd judges that by the revision asked for, not by the
    /// compacted one.
    pub(crate) fn hash(&self) -> u32 {
        let mut newest = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            newest.insert(&entry.key, index);
        }
        let is_kept = |index: usize, entry: &Entry| {
            entry.main > self.compacted_revision
                || (newest[&entry.key] == index && !entry.is_tombstone)
        };
        self.entries
            .iter()
            .enumerate()
            .filter(|(index, entry)| is_kept(*index, entry))
            .fold(crc32c::crc32c(b"key"), |crc, (_, entry)| {
                crc32c::crc32c_append(crc, &entry.stored)
            })
    }
}

/// What `change` makes of the state at `revision`.
fn apply(state: &mut State, revision: i64, change: &Change) {
    match change {
        Change::Put { key, value, lease } => {
            let before = state.get(key);
            let record = Record {
                value: value.clone(),
                create_revision: before.map_or(revision, |record| record.create_revision),
                mod_revision: revision,
                version: before.map_or(1, |record| record.version + 1),
                lease: *lease,
            };
            state.insert(key.clone(), record);
        }
        Change::Delete { key } => {
            state.remove(key);
        }
    }
}

impl Entry {
    /// `state` is the one after the change.
    fn new(main: i64, sub: i64, change: &Change, state: &State) -> Self {
        let mut stored = Vec::new();
        stored.extend(main.to_be_bytes());
        stored.push(b'_');
        stored.extend(sub.to_be_bytes());
        let (key, is_tombstone) = match change {
            Change::Put { key, .. } => (key, false),
            Change::Delete { key } => (key, true),
        };
        if is_tombstone {
            stored.push(b't');
        }
        put_bytes(&mut stored, 1, key.as_bytes());
        if let (false, Some(record)) = (is_tombstone, state.get(key)) {
            put_number(&mut stored, 2, record.create_revision);
            put_number(&mut stored, 3, record.mod_revision);
            put_number(&mut stored, 4, record.version);
            put_bytes(&mut stored, 5, record.value.as_bytes());
            put_number(&mut stored, 6, record.lease);
        }
        Self { main, key: key.clone(), is_tombstone, stored }
    }
}

fn put_number(buffer: &mut Vec<u8>, tag: u32, number: i64) {
    if number != 0 {
        encode_key(tag, WireType::Varint, buffer);
        encode_varint(number as u64, buffer);
    }
}

fn put_bytes(buffer: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    if !bytes.is_empty() {
        encode_key(tag, WireType::LengthDelimited, buffer);
        encode_varint(bytes.len() as u64, buffer);
        buffer.extend(bytes);
    }
}
