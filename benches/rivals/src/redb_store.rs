//! redb: a copy-on-write B+tree in one file.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use redb::{Database, Durability as Commit, ReadableDatabase, TableDefinition};
use retcd_benches::Error;
use retcd_benches::engine::options::Durability;
use retcd_benches::engine::subject::{
    Candidate, Direction, Projection, Scan, Scanned, Setup, Subject,
};

const PAIRS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("pairs");

pub const CANDIDATE: Candidate = Candidate {
    name: "redb",
    note: "defaults but for the size of its cache, which is 1 GiB; it compresses nothing; with \
           durability each batch is a transaction with an immediate commit",
    open,
};

struct Redb {
    database: Database,
    commit: Commit,
}

type Table = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

fn open(folder: &Path, setup: Setup) -> Result<Box<dyn Subject>, Error> {
    fs::create_dir_all(folder)?;
    let mut builder = Database::builder();
    builder.set_cache_size(usize::try_from(setup.cache_bytes)?);
    let database = builder.create(folder.join("redb"))?;
    let commit = match setup.durability {
        Durability::Batch => Commit::Immediate,
        Durability::None => Commit::None,
    };
    let store = Redb { database, commit };
    if matches!(store.table(), Err(redb::Error::TableDoesNotExist(_))) {
        let transaction = store.database.begin_write()?;
        transaction.open_table(PAIRS)?;
        transaction.commit()?;
    }
    Ok(Box::new(store))
}

impl Redb {
    fn table(&self) -> Result<Table, redb::Error> {
        Ok(self.database.begin_read()?.open_table(PAIRS)?)
    }
}

impl Subject for Redb {
    fn write(&self, pairs: &mut Vec<(Bytes, Bytes)>) -> Result<(), Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.commit)?;
        let mut table = transaction.open_table(PAIRS)?;
        for (key, value) in pairs.drain(..) {
            table.insert(&key[..], &value[..])?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Error> {
        Ok(self.table()?.get(key)?.map(|value| value.value().len()))
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Scanned, Error> {
        let mut range = self.table()?.range(scan.start..scan.end)?;
        let mut scanned = Scanned::default();
        while scanned.keys < scan.limit {
            let next = match scan.direction {
                Direction::Forward => range.next(),
                Direction::Reverse => range.next_back(),
            };
            let Some(pair) = next else {
                break;
            };
            let (key, value) = pair?;
            match scan.projection {
                Projection::Keys => scanned.add(key.value(), &[]),
                Projection::Full => scanned.add(key.value(), value.value()),
            }
        }
        Ok(scanned)
    }

    fn count(&self, start: &[u8], end: &[u8]) -> Result<u64, Error> {
        let mut keys = 0;
        for pair in self.table()?.range(start..end)? {
            pair?;
            keys += 1;
        }
        Ok(keys)
    }

    fn compact(&self) -> Result<(), Error> {
        // Without a durable commit now and then no page is ever used again.
        self.settle()
    }

    fn settle(&self) -> Result<(), Error> {
        // A durable commit takes all earlier ones with it.
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Commit::Immediate)?;
        Ok(transaction.commit()?)
    }

    fn merge(&mut self) -> Result<(), Error> {
        self.settle()?;
        while self.database.compact()? {}
        Ok(())
    }
}
