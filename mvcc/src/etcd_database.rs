//! The state as a database of etcd's: what `Maintenance.Snapshot` streams and etcd's tools read.
//!
//! etcd's file has the pairs in the order of revisions, ours has them in the order of keys. So the
//! pairs are sorted first, on disk where memory isn't enough. Then the file is made twice from
//! them: once without keeping it, for its length and its first pages, which name pages behind; and
//! once for whoever wants it. What is needed on disk is one copy of the pairs, compressed.
//!
//! ```text
//! bucket           key                            value
//! key              main u64 BE _ sub u64 BE [t]   KeyValue; of a deletion (t), the key alone
//! lease            id u64 BE                      leasepb.Lease
//! alarm            AlarmMember                    nothing
//! members          id, hex                        JSON of the member
//! members_removed  id, hex                        removed
//! cluster          clusterVersion, downgrade      text, JSON
//! meta             consistent_index, term         u64 BE
//! meta             confState                      JSON
//! meta             scheduledCompactRev, finishedCompactRev    main u64 BE _ sub u64 BE
//! auth             authEnabled, authRevision      one byte, u64 BE
//! authUsers        name                           authpb.User
//! authRoles        name                           authpb.Role
//! ```
//!
//! The `key` bucket holds what etcd's would after a compaction that is finished: everything above
//! the compacted revision, and of each key the newest version at or below, unless that is a
//! tombstone.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;
use retcd_engine::bolt::{Head, Writer};
use retcd_engine::sort::{Sorted, Sorter};
use retcd_engine::{Direction, KeyRange, Keyspace, Projection, Version};

use crate::auth::FIRST_AUTH_REVISION;
use crate::etcd_items::etcd_item;
use crate::hash::{Bounds, Kept, put_stored, visit};
use crate::read::Snapshot;
use crate::state::NEVER_COMPACTED;
use crate::{Error, Result, Store};

/// etcd's buckets, in order.
const BUCKETS: [&str; 10] = [
    "alarm",
    "auth",
    "authRoles",
    "authUsers",
    "cluster",
    PAIRS,
    "lease",
    "members",
    "members_removed",
    "meta",
];

/// The bucket of the pairs; the others are small.
pub(crate) const PAIRS: &str = "key";

/// Bytes of a revision as a key: main, `_`, sub.
pub(crate) const REVISION_BYTES: usize = 17;

/// Records after which it is asked whether they are still wanted.
const RECORDS_PER_LOOK: u64 = 1024;

type Small = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

/// A database of etcd's that can be written, as often as wanted, without the store changing it.
pub struct EtcdDatabase {
    pairs: Sorted,
    small: Small,
    head: Box<Head>,
    bytes: u64,
}

/// What a database says besides what is stored.
pub struct DatabaseOrigin<'a> {
    /// The raft term of the newest entry in it.
    pub term: u64,
    /// Gives the JSON that etcd keeps of raft's configuration, from what the applier was given.
    pub conf_state_json: &'a dyn Fn(&Bytes) -> Option<Vec<u8>>,
    /// Asked now and then: whether the database is still wanted.
    pub is_wanted: &'a dyn Fn() -> bool,
}

impl Store {
    /// The state of this moment. Writes go on meanwhile. Reads every stored version once.
    ///
    /// # Errors
    ///
    /// [`Error::Scratch`] if `sorter` fails, and [`Error::Output`] with `BrokenPipe` if it isn't
    /// wanted any more; both concern this call only.
    pub fn etcd_database(
        &self,
        sorter: Sorter,
        origin: &DatabaseOrigin<'_>,
    ) -> Result<EtcdDatabase> {
        let (snapshot, conf_state) = self.snapshot_with_conf_state();
        let conf_state = (origin.conf_state_json)(&conf_state).ok_or(Error::Undecodable {
            keyspace: None,
            reason: "it holds no configuration of raft's",
        })?;
        let mut small = stored_items(&snapshot)?;
        let meta = small.entry("meta").or_default();
        meta.insert(b"confState".to_vec(), conf_state);
        meta.insert(b"consistent_index".to_vec(), snapshot.index.to_be_bytes().to_vec());
        meta.insert(b"term".to_vec(), origin.term.to_be_bytes().to_vec());
        if snapshot.compacted != NEVER_COMPACTED {
            let mut revision = Vec::with_capacity(REVISION_BYTES);
            let main = snapshot.compacted.cast_unsigned();
            put_revision(Version { main, sub: 0 }, &mut revision);
            meta.insert(b"scheduledCompactRev".to_vec(), revision.clone());
            meta.insert(b"finishedCompactRev".to_vec(), revision);
        }
        let pairs = sorted_pairs(&snapshot, sorter, origin.is_wanted)?;
        let mut database = EtcdDatabase { pairs, small, head: Box::new([0; _]), bytes: 0 };
        let nowhere = Nowhere { is_wanted: origin.is_wanted };
        (database.head, database.bytes) = database.write_body(nowhere)?;
        Ok(database)
    }

    /// A picture, and raft's configuration as of its index.
    fn snapshot_with_conf_state(&self) -> (Snapshot, Bytes) {
        loop {
            let conf_state = self.conf_state();
            let snapshot = self.snapshot();
            // Nothing came between if the configuration is the same before and after.
            if self.conf_state() == conf_state {
                return (snapshot, conf_state);
            }
        }
    }
}

impl EtcdDatabase {
    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the file from front to end.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if `to` fails; [`Error::Scratch`] if what was sorted can't be read.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        to.write_all(self.head.as_slice()).map_err(Error::Output)?;
        let (head, bytes) = self.write_body(to)?;
        assert!(head == self.head && bytes == self.bytes, "the same pairs make the same file");
        Ok(())
    }

    /// Writes everything behind the head, and returns the head and the length of both.
    fn write_body(&self, to: impl Write) -> Result<(Box<Head>, u64)> {
        let mut writer = Writer::new(to);
        for name in BUCKETS {
            writer.bucket(name.as_bytes()).map_err(Error::Output)?;
            if name == PAIRS {
                let mut pairs = self.pairs.pairs().map_err(Error::Scratch)?;
                while let Some((key, value)) = pairs.next().map_err(Error::Scratch)? {
                    writer.put(key, value).map_err(Error::Output)?;
                }
            }
            for (key, value) in self.small.get(name).into_iter().flatten() {
                writer.put(key, value).map_err(Error::Output)?;
            }
        }
        let (head, bytes, mut to) = writer.finish().map_err(Error::Output)?;
        to.flush().map_err(Error::Output)?;
        Ok((head, bytes))
    }
}

/// Takes everything while it is wanted.
struct Nowhere<'a> {
    is_wanted: &'a dyn Fn() -> bool,
}

impl Write for Nowhere<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match (self.is_wanted)() {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All versions that etcd would have, in its order.
fn sorted_pairs(
    snapshot: &Snapshot,
    mut sorter: Sorter,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Sorted> {
    let bounds = Bounds { through: snapshot.revision, compacted: snapshot.compacted };
    let mut key = Vec::with_capacity(REVISION_BYTES + 1);
    let mut count = 0_u64;
    visit(&*snapshot.view, bounds, Kept::NewestCompacted, &mut |record, value| {
        count += 1;
        if count.is_multiple_of(RECORDS_PER_LOOK) && !is_wanted() {
            return Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
        }
        key.clear();
        value.clear();
        put_revision(record.version, &mut key);
        if record.tombstone {
            key.push(b't');
        }
        put_stored(record, value)?;
        sorter.push(&key, value).map_err(Error::Scratch)
    })?;
    Ok(sorter.finish())
}

/// A revision as etcd's keys have it.
pub(crate) fn put_revision(version: Version, to: &mut Vec<u8>) {
    to.extend_from_slice(&version.main.to_be_bytes());
    to.push(b'_');
    to.extend_from_slice(&version.sub.to_be_bytes());
}

/// The buckets of what is stored under a name.
fn stored_items(snapshot: &Snapshot) -> Result<Small> {
    let mut small = Small::new();
    // Until somebody changes users or roles.
    let auth = small.entry("auth").or_default();
    auth.insert(b"authRevision".to_vec(), FIRST_AUTH_REVISION.to_be_bytes().to_vec());
    let all = KeyRange { start: b"", end: None };
    let at = snapshot.newest_entry();
    let view = &*snapshot.view;
    let mut cursor = view.scan(Keyspace::Meta, all, at, Direction::Forward, Projection::Full)?;
    while let Some(record) = cursor.next()? {
        let (bucket, key, value) = etcd_item(&record.key, &record.value)
            .ok_or_else(|| Error::undecodable(Keyspace::Meta, "an unknown name"))?;
        small.entry(bucket).or_default().insert(key, value);
    }
    Ok(small)
}
