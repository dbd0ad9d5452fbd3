//! Takes over a database of etcd's: its history becomes that of an engine of ours.
//!
//! 1. `meta` says what is compacted. A compaction that etcd had scheduled counts as done, as it
//!    does for an etcd that starts on the database.
//! 2. The pairs come in etcd's order, by revision, which is the order in which they were written:
//!    each becomes the records that executing its entry would have left. Whether its key was there
//!    before is looked up, unless the key is certainly new ([`seen`]), so counts hold whatever the
//!    database says.
//! 3. Which keys are attached to which lease etcd doesn't store; the newest version of each key
//!    says it.
//! 4. Everything that isn't a pair gets its name here: see [`crate::etcd_items`].
//! 5. One commit names index, term and revision, and is flushed. Before that the engine says that
//!    nothing was applied.
//!
//! Memory is a batch of pairs, the filter of keys and what the engine takes. Nothing that the
//! database says is believed: what doesn't fit is an error with bucket and key.
//!
//! One kind of pair isn't taken over: the nameless one by which `etcdutl snapshot restore
//! --bump-revision` leaves its mark. It counts as the revision that it has, and isn't hashed.

mod items;
mod pairs;
mod seen;

use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::bolt::{Bucket, Database, Entry};
use retcd_engine::{Applied, Engine, Header, Keyspace, Record, Step, Version};

use crate::applier::writer::Writer;
use crate::membership::Member;
use crate::state::{NEVER_COMPACTED, State};
use crate::{Error, Result};

use seen::Seen;

pub use pairs::EtcdRevision;
pub(crate) use pairs::parse_revision;

/// Highest revision that is taken over: far enough from the end that nobody gets there.
const REVISION_MAX: u64 = 1 << 62;

/// Records that go to the engine at once, if nothing speaks for another number.
pub const IMPORT_BATCH_RECORDS: usize = 1000;
/// Bytes of pairs that go to the engine at once.
const BATCH_BYTES: usize = 4 << 20;

/// What the imported state is to be where the database doesn't decide it.
#[derive(Clone, Debug)]
pub struct ImportAs<'a> {
    /// Raft index of the last entry that it covers, at least 1.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Raft's configuration, in the encoding that the applier is given.
    pub conf_state: Bytes,
    /// Who the members are.
    pub members: ImportMembers<'a>,
    /// How much higher the current revision is to be than the database's. Above zero everything
    /// below is compacted, so that clients which know higher revisions begin anew.
    pub revision_bump: u64,
    /// Records that go to the engine at once: [`IMPORT_BATCH_RECORDS`].
    pub batch_records: usize,
    /// Memtables that may wait for their flush while the import goes on: none if nobody else steps
    /// the engine.
    pub waiting_memtables_max: u64,
}

/// Who the members of an imported state are.
#[derive(Clone, Copy, Debug)]
pub enum ImportMembers<'a> {
    /// Those of the database, and those that it says were removed.
    Kept,
    /// These, and nobody was removed.
    Founders(&'a [Member]),
}

/// What was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The current revision.
    pub revision: i64,
    /// The compacted one; -1 for none.
    pub compacted: i64,
    /// Versions of pairs, deletions included.
    pub versions: u64,
    /// Keys that exist.
    pub keys: u64,
    /// Leases.
    pub leases: u64,
    /// Users.
    pub users: u64,
    /// Alarms.
    pub alarms: u64,
    /// Whether authentication is on.
    pub auth_enabled: bool,
    /// Buckets that mean nothing here and were left out, as they are named.
    pub ignored: Vec<String>,
}

/// Fills an empty engine with what is in a database of etcd's, and returns when all of it is
/// durable. `go_on` is asked again and again, with the bytes of pairs that were read since; if it
/// says no, the import is given up.
///
/// # Errors
///
/// [`Error::Source`] if the database can't be read or its pages are damaged, [`Error::Foreign`] if
/// what it holds isn't etcd's, [`Error::Engine`] if the engine fails, and [`Error::Output`] if
/// the disk is full, or, with `Interrupted`, if it was given up. After any of them the engine must
/// not be used.
///
/// # Panics
///
/// If the engine isn't empty, or the index is 0.
pub fn import(
    database: &Database,
    engine: &Arc<dyn Engine>,
    target: &ImportAs<'_>,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Imported> {
    assert!(engine.applied() == Applied::default(), "only an empty engine can be filled");
    assert!(target.index > 0, "there is no entry 0");
    let compacted = compacted_revision(database)?;
    let mut import = Import {
        database,
        writer: Writer::new(Arc::clone(engine)),
        engine,
        target,
        compacted,
        named: 0,
        gathered: Gathered::default(),
        seen: Seen::new(database.file_bytes()),
        go_on,
        imported: Imported::default(),
    };
    let newest = import.pairs()?;
    import.attachments()?;
    import.items()?;
    import.finish(newest)
}

/// An import under way.
struct Import<'a> {
    database: &'a Database,
    engine: &'a Arc<dyn Engine>,
    writer: Writer,
    target: &'a ImportAs<'a>,
    /// Nothing below can be read; -1 if nothing was ever compacted.
    compacted: i64,
    /// Records of leases and names so far.
    named: u64,
    gathered: Gathered,
    seen: Seen,
    go_on: &'a mut dyn FnMut(u64) -> bool,
    imported: Imported,
}

/// What the writer has and the engine hasn't.
#[derive(Default)]
struct Gathered {
    records: usize,
    bytes: usize,
}

impl Import<'_> {
    /// Adds a record; a full batch goes to the engine, which is kept from falling behind.
    fn push(&mut self, keyspace: Keyspace, record: Record) -> Result<()> {
        self.gathered.records += 1;
        self.gathered.bytes += record.key.len() + record.value.len();
        self.writer.push(keyspace, record);
        let Gathered { records, bytes } = self.gathered;
        if records < self.target.batch_records && bytes < BATCH_BYTES {
            return Ok(());
        }
        self.writer.write()?;
        self.gathered = Gathered::default();
        // What is flushed by it is of an engine that has applied nothing.
        let watermark = self.compacted.max(0).cast_unsigned();
        self.engine.commit(Applied { watermark, ..Applied::default() })?;
        while self.engine.stats().frozen_memtables > self.target.waiting_memtables_max {
            self.step()?;
        }
        match (self.go_on)(bytes as u64) {
            true => Ok(()),
            false => Err(Error::Output(std::io::ErrorKind::Interrupted.into())),
        }
    }

    /// Adds a record of the lease or the meta keyspace.
    fn push_named(&mut self, keyspace: Keyspace, key: Bytes, value: Bytes) -> Result<()> {
        let version = Version { main: self.target.index, sub: self.named };
        self.named += 1;
        let record = Record {
            key,
            version,
            tombstone: false,
            header: Header::default(),
            value,
            keys_added: None,
        };
        self.push(keyspace, record)
    }

    fn finish(mut self, newest: u64) -> Result<Imported> {
        self.writer.write()?;
        let bump = self.target.revision_bump;
        let newest = newest.max(self.compacted.max(1).cast_unsigned());
        let revision = newest.saturating_add(bump);
        if revision > REVISION_MAX {
            let reason = "its revisions, or what they are raised by, have no end";
            return Err(foreign("key", &[], reason));
        }
        self.imported.revision = revision.cast_signed();
        self.imported.compacted = match bump {
            0 => self.compacted,
            _ => self.imported.revision,
        };
        let watermark = self.imported.compacted.max(0).cast_unsigned();
        let state = State {
            revision: self.imported.revision,
            compacted: self.imported.compacted,
            key_count: self.imported.keys,
            conf_state: self.target.conf_state.clone(),
        };
        let ImportAs { index, term, .. } = *self.target;
        self.engine.commit(Applied { index, term, watermark, state: state.encode() })?;
        self.engine.request_flush()?;
        while self.engine.flushed().index != index {
            self.step()?;
        }
        Ok(self.imported)
    }

    /// Lets the engine do something of what is due.
    fn step(&self) -> Result<()> {
        match self.engine.step()? {
            // A member would wait until there is room; nobody makes any here.
            Step::OutOfSpace => Err(Error::Output(std::io::ErrorKind::StorageFull.into())),
            Step::Idle | Step::Worked => Ok(()),
        }
    }
}

/// What is compacted, or about to be; -1 for nothing.
fn compacted_revision(database: &Database) -> Result<i64> {
    let mut compacted = NEVER_COMPACTED;
    let Some(meta) = bucket(database, "meta")? else {
        return Ok(compacted);
    };
    for name in ["finishedCompactRev", "scheduledCompactRev"] {
        let found = meta.get(database, name.as_bytes()).map_err(Error::Source)?;
        if let Some(Entry::Value(value)) = found {
            let revision = parse_revision(&value).filter(|found| !found.is_tombstone);
            let main = revision.map(|found| found.version.main);
            let main = main.filter(|main| *main <= REVISION_MAX).map(u64::cast_signed);
            let reason = "the compacted revision isn't one";
            let main = main.ok_or_else(|| foreign("meta", name.as_bytes(), reason))?;
            compacted = compacted.max(main);
        }
    }
    Ok(compacted)
}

fn bucket(database: &Database, name: &str) -> Result<Option<Bucket>> {
    database.bucket(name.as_bytes()).map_err(Error::Source)
}

fn foreign(bucket: &str, key: &[u8], reason: &'static str) -> Error {
    Error::Foreign { bucket: bucket.to_owned(), key: Bytes::copy_from_slice(key), reason }
}
