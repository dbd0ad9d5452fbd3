//! fjall: a log-structured tree with a journal.

use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use retcd_benches::Error;
use retcd_benches::engine::options::Durability;
use retcd_benches::engine::subject::{
    Candidate, Direction, Projection, Scan, Scanned, Setup, Subject,
};

/// How often it is asked whether its background work is done; it has no call that waits.
const POLL: Duration = Duration::from_millis(5);

pub const CANDIDATE: Candidate = Candidate {
    name: "fjall",
    note: "defaults: LZ4, 64 MiB memtables, index blocks in the cache, too; its journal counts as \
           written, and not as space; with durability each batch is persisted by fdatasync",
    open,
};

struct Fjall {
    database: Database,
    pairs: Keyspace,
    durability: PersistMode,
}

fn open(folder: &Path, setup: Setup) -> Result<Box<dyn Subject>, Error> {
    let builder = Database::builder(folder.join("fjall")).cache_size(setup.cache_bytes);
    let database = builder.open()?;
    let pairs = database.keyspace("pairs", KeyspaceCreateOptions::default)?;
    let durability = match setup.durability {
        Durability::Batch => PersistMode::SyncData,
        Durability::None => PersistMode::Buffer,
    };
    Ok(Box::new(Fjall { database, pairs, durability }))
}

impl Subject for Fjall {
    fn write(&self, pairs: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
        let mut batch = self.database.batch().durability(Some(self.durability));
        for (key, value) in pairs.drain(..) {
            batch.insert(&self.pairs, &key[..], &value[..]);
        }
        Ok(batch.commit()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        Ok(self.pairs.get(key)?.map(|value| value.len()))
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Scanned, Error> {
        let mut range = self.pairs.range(scan.start..scan.end);
        let mut scanned = Scanned::default();
        while scanned.keys < scan.limit {
            let next = match scan.direction {
                Direction::Forward => range.next(),
                Direction::Reverse => range.next_back(),
            };
            let Some(pair) = next else {
                break;
            };
            match scan.projection {
                Projection::Keys => scanned.add(&pair.key()?, &[]),
                Projection::Full => {
                    let (key, value) = pair.into_inner()?;
                    scanned.add(&key, &value);
                }
            }
        }
        Ok(scanned)
    }

    fn count(&self, start: &[u8], end: &[u8]) -> Result<u64, Error> {
        let mut keys = 0;
        for pair in self.pairs.range(start..end) {
            pair.key()?;
            keys += 1;
        }
        Ok(keys)
    }

    fn compact(&self) -> Result<(), Error> {
        Ok(())
    }

    fn settle(&self) -> Result<(), Error> {
        self.pairs.rotate_memtable_and_wait()?;
        while self.database.active_compactions() > 0 || self.database.outstanding_flushes() > 0 {
            thread::sleep(POLL);
        }
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn merge(&mut self) -> Result<(), Error> {
        self.settle()?;
        Ok(self.pairs.major_compact()?)
    }
}
