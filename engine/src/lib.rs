//! Ordered, versioned key-value storage.
//!
//! The engine knows keyspaces, keys and versions; it doesn't know etcd. A record is immutable: one
//! (keyspace, key, [`Version`]) is written at most once with one content, so reads don't mind one
//! that is replayed and a merge may take any set of sorted runs; but counts add up what records
//! add, so one that says it must not be replayed over its own flush. There is no log in here: what
//! isn't flushed is rebuilt by its user, who applies everything after [`Engine::flushed`] again.
//!
//! One thread writes ([`Engine::write`], [`Engine::commit`]); any thread reads through a [`View`].
//! No thread is owned: flushes and merges happen in [`Engine::step`], called by whoever drives.

use std::io;
use std::path::Path;

use bytes::Bytes;

pub mod bolt;
pub mod btree;
mod error;
mod folder;
mod health;
mod limits;
pub mod lsm;
pub mod oracle;
mod picture;
mod replaceable;
mod retention;
pub mod sort;
pub mod table;
#[cfg(test)]
mod testing;

pub use btree::Btree;
pub use error::{Error, Result};
pub use lsm::{Lsm, Options};
pub use oracle::Oracle;
pub use replaceable::{Opener, Replaceable, Replacement};

/// Longest record header, in bytes.
pub const HEADER_BYTES_MAX: usize = 31;

/// Which ordered space a record lives in. The discriminants are on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// User keys, all versions; superseded ones vanish in merges at or below the watermark.
    Kv = 0,
    /// One record per version, in version order. Runs are never merged, but unlinked when they lie
    /// wholly below the watermark.
    Rev = 1,
    /// Keys attached to leases; only the newest version of a key counts.
    Lease = 2,
    /// Named state; only the newest version of a name counts.
    Meta = 3,
}

impl Keyspace {
    /// All of them, at their discriminants.
    pub const ALL: [Keyspace; 4] = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];
}

/// A record's version: main, then sub, compared as fields. Larger is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Revision (`Kv`, `Rev`) or raft index (`Lease`, `Meta`).
    pub main: u64,
    /// Position within `main`.
    pub sub: u64,
}

impl Version {
    /// The newest version there can be.
    pub const MAX: Version = Version { main: u64::MAX, sub: u64::MAX };

    /// The newest version of `main`: reading at it sees everything up to and with `main`.
    pub const fn end_of(main: u64) -> Version {
        Version { main, sub: u64::MAX }
    }
}

/// Opaque bytes kept beside a key, readable without its value. At most [`HEADER_BYTES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    len: u8,
    bytes: [u8; HEADER_BYTES_MAX],
}

impl Header {
    /// Copies `bytes`; `None` if they are too many.
    pub fn new(bytes: &[u8]) -> Option<Header> {
        let mut header = Header { len: u8::try_from(bytes.len()).ok()?, ..Header::default() };
        header.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(header)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({:02x?})", self.as_slice())
    }
}

/// One immutable version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// User key, lease attachment, name, or (main, sub) big-endian in [`Keyspace::Rev`].
    pub key: Bytes,
    /// Its version.
    pub version: Version,
    /// Whether this version says that the key is gone. A tombstone has no value.
    pub tombstone: bool,
    /// Opaque bytes of the layer above.
    pub header: Header,
    /// The value; empty in a [`Projection::Keys`] scan.
    pub value: Bytes,
    /// How many keys there are more with this version than without it, if the writer knows: 1 for
    /// the first version of a key that wasn't there, 0 for a further one, -1 for a tombstone over a
    /// key that was there. Such records are counted without being looked at. Only writers say it;
    /// in a record that was read it is `None`.
    pub keys_added: Option<i8>,
}

/// What one flush makes durable together with the data.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Applied {
    /// Raft index of the last entry whose writes are all in.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Compacted revision: at or below it, superseded `Kv` versions may vanish.
    pub watermark: u64,
    /// State of the layer above (revision, members' ConfState, key count), opaque here.
    pub state: Bytes,
}

/// A range of keys: `start` inclusive, `end` exclusive, `None` for open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange<'a> {
    /// First key.
    pub start: &'a [u8],
    /// Key after the last one.
    pub end: Option<&'a [u8]>,
}

/// The order in which a scan yields keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Reverse,
}

/// How much of a record a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Keys, versions and headers: value blocks are not touched.
    Keys,
    /// Everything.
    Full,
}

/// What a call of [`Engine::step`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was due.
    Idle,
    /// Something was done, and there may be more.
    Worked,
    /// A merge found no room on the disk and was given up. Nothing is lost; the next step tries
    /// again, so wait before it.
    OutOfSpace,
}

/// Sizes and counts, for metrics, quota and back-pressure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of all files that the current version names.
    pub file_bytes: u64,
    /// Of these, bytes that a complete merge would keep, at the watermark of the last commit: an
    /// estimate from table properties, which doesn't know what one table supersedes in another.
    pub live_bytes: u64,
    /// Bytes in the mutable and the frozen memtables.
    pub memtable_bytes: u64,
    /// What isn't flushed, in permille of what makes a flush due: bytes, or entries to apply again
    /// after a crash, whichever is more.
    pub memtable_permille: u64,
    /// Frozen memtables that wait for a flush.
    pub frozen_memtables: u64,
    /// Sorted runs on disk.
    pub runs: u64,
    /// Runs of pairs that were flushed and not merged since.
    pub level_zero_runs: u64,
    /// How much there is to merge, in permille of what makes a merge into the last tier due: about
    /// 1000 at most, unless merges don't follow.
    pub debt_permille: u64,
    /// Whether something that `request_merge` or `request_compaction` asked for isn't done yet.
    pub is_owed: bool,
    /// Flushes since open.
    pub flushes: u64,
    /// Merges since open.
    pub merges: u64,
    /// Bytes written to tables and manifests since open.
    pub bytes_written: u64,
    /// Whether the last merge was given up because the disk was full.
    pub out_of_space: bool,
}

/// A storage engine. Object-safe: the member chooses one at start.
pub trait Engine: Send + Sync {
    /// Inserts records that no reader has been told of yet. Readers that ask for versions at or
    /// below what was published before don't see them. Called by the one writing thread.
    ///
    /// A record that [`Engine::flushed`] covers already must not be written again if it says how
    /// many keys it adds: counts add both up.
    ///
    /// A tombstone hides older versions of its key. Within one call, records of one key have
    /// different versions.
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()>;

    /// Says that everything up to `applied` is in. What is flushed together ends at a commit:
    /// nothing is ever flushed that was written after the last one.
    ///
    /// # Panics
    /// If the index or the watermark goes back.
    fn commit(&self, applied: Applied) -> Result<()>;

    /// A consistent picture of everything written so far; stays readable until dropped.
    fn view(&self) -> Box<dyn View>;

    /// What the last `commit` said, or what open found.
    fn applied(&self) -> Applied;

    /// What the last durable flush covers: after a crash, open finds this or something later.
    fn flushed(&self) -> Applied;

    /// Asks that everything committed so far be flushed by the next steps.
    fn request_flush(&self) -> Result<()>;

    /// Asks that everything be merged into its last form by the next steps (defragmentation).
    fn request_merge(&self) -> Result<()>;

    /// Asks that the space of what the watermark has made superfluous be given back by the next
    /// steps, as far as that is worth the writing. By default everything is merged.
    fn request_compaction(&self) -> Result<()> {
        self.request_merge()
    }

    /// Does one bounded piece of due work: a flush, a slice of a merge, an unlink. Callable from
    /// several threads. After an error the engine is poisoned and every call fails.
    fn step(&self) -> Result<Step>;

    /// Begins a checkpoint: a copy of what [`Engine::flushed`] covers at the call, as a folder
    /// `to` that an engine of the same kind opens as it is. To have all that is committed in it,
    /// ask for a flush first and wait until `flushed` says so.
    ///
    /// The folder appears under its name only when it is complete and durable; before that it has
    /// `.tmp` behind its name, and one that was interrupted is removed by the next of its name.
    /// Reads, writes and steps go on meanwhile and never wait for it.
    ///
    /// # Errors
    /// Errors of a checkpoint don't poison the engine. A name that is taken is
    /// [`io::ErrorKind::AlreadyExists`]; an engine without files says `Unsupported`.
    fn checkpoint(&self, to: &Path) -> Result<Box<dyn Checkpoint>> {
        Err(Error::io(to)(io::ErrorKind::Unsupported.into()))
    }

    /// Begins a scrub: one pass over the files that there are, in which every checksum is checked.
    /// An engine without files has nothing to read.
    fn scrub(&self) -> Box<dyn Scrub> {
        Box::new(NothingToScrub)
    }

    /// Sizes and counts.
    fn stats(&self) -> Stats;
}

/// A checkpoint that is being made. It holds on to the files that it still needs.
pub trait Checkpoint: Send {
    /// Does one bounded piece. At the end it gives what the folder covers. An error is final.
    ///
    /// # Panics
    /// If it is called after the end, or after an error.
    fn step(&mut self) -> Result<Option<Applied>>;
}

/// A pass over an engine's files that looks for damage nobody has met yet.
pub trait Scrub: Send {
    /// Reads on, about so many bytes; more only to end a block. Neither fills nor asks the cache of
    /// blocks. Damage doesn't poison the engine: whoever reads the damaged block will.
    ///
    /// # Errors
    /// [`Error::Poisoned`], if the engine has stopped.
    fn step(&mut self, bytes: u64) -> Result<Scrubbed>;
}

/// What a step of a scrub found.
#[derive(Debug, Default)]
pub struct Scrubbed {
    /// Bytes read.
    pub bytes: u64,
    /// What isn't as it was written, or can't be read: [`Error::Corrupt`] with file and offset of
    /// the block, or [`Error::Io`]. Very many places in one file aren't all told.
    pub damage: Vec<Error>,
    /// Whether the pass is at its end.
    pub is_last: bool,
}

struct NothingToScrub;

impl Scrub for NothingToScrub {
    fn step(&mut self, _bytes: u64) -> Result<Scrubbed> {
        Ok(Scrubbed { is_last: true, ..Scrubbed::default() })
    }
}

/// A consistent picture of the engine. Cheap to make, keeps alive the files that it needs.
pub trait View: Send + Sync {
    /// The newest record of `key` at or below `at`, tombstones included.
    fn get(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        at: Version,
        projection: Projection,
    ) -> Result<Option<Record>>;

    /// The newest record at or below `at` of each key in `range`, without keys that are gone.
    fn scan<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        at: Version,
        direction: Direction,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>>;

    /// Every record in `range`: keys ascending, versions of one key descending, tombstones too.
    fn versions<'a>(
        &'a self,
        keyspace: Keyspace,
        range: KeyRange<'_>,
        projection: Projection,
    ) -> Result<Box<dyn Cursor + 'a>>;

    /// How many keys `scan` would yield. Cheap if all writers said what their records add.
    fn count(&self, keyspace: Keyspace, range: KeyRange<'_>, at: Version) -> Result<u64>;
}

/// A running scan.
pub trait Cursor: Send {
    /// The next record, or `None` at the end. After an error the cursor ends.
    fn next(&mut self) -> Result<Option<Record>>;
}
