//! Collects the records of an engine batch, and reads them back before they are written.
//!
//! Entries of one batch follow each other on the same keys. Point lookups are answered from what is
//! collected, or else from a view that was made at the batch's beginning, so that a batch of puts
//! costs one view and one write per keyspace. Only a scan needs a view that has everything: it
//! writes what is collected first.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use retcd_engine::{Engine, Keyspace, Projection, Record, Version, View};

use crate::Result;

const KEYSPACES: [Keyspace; 4] = [Keyspace::Kv, Keyspace::Rev, Keyspace::Lease, Keyspace::Meta];

/// The records of a batch in the making.
pub(crate) struct Writer {
    engine: Arc<dyn Engine>,
    /// Lacks what is collected.
    view: Option<Box<dyn View>>,
    /// One list for each keyspace, at its discriminant.
    collected: [Vec<Record>; 4],
    /// The newest collected version of each user key.
    newest: HashMap<Bytes, Record>,
}

impl Writer {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Writer {
        Writer { engine, view: None, collected: Default::default(), newest: HashMap::new() }
    }

    /// Adds a record to the batch.
    pub(crate) fn push(&mut self, keyspace: Keyspace, record: Record) {
        if keyspace == Keyspace::Kv {
            self.newest.insert(record.key.clone(), record.clone());
        }
        self.collected[keyspace as usize].push(record);
    }

    /// The pair under `key`, collected or written. A collected one has its value whatever the
    /// projection says.
    pub(crate) fn newest(&mut self, key: &[u8], projection: Projection) -> Result<Option<Record>> {
        let record = match self.newest.get(key) {
            Some(record) => Some(record.clone()),
            None => self.view.get_or_insert_with(|| self.engine.view()).get(
                Keyspace::Kv,
                key,
                Version::MAX,
                projection,
            )?,
        };
        Ok(record.filter(|record| !record.tombstone))
    }

    /// A view of everything, collected records included.
    pub(crate) fn view(&mut self) -> Result<&dyn View> {
        if self.collected.iter().any(|records| !records.is_empty()) {
            self.write()?;
        }
        Ok(&**self.view.get_or_insert_with(|| self.engine.view()))
    }

    /// Hands what is collected to the engine.
    pub(crate) fn write(&mut self) -> Result<()> {
        self.view = None;
        self.newest.clear();
        for keyspace in KEYSPACES {
            let records = &mut self.collected[keyspace as usize];
            if !records.is_empty() {
                self.engine.write(keyspace, records)?;
                records.clear();
            }
        }
        Ok(())
    }
}
