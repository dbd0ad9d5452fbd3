//! Writes one sorted run into tables of bounded length, for flushes and merges alike.

use super::manifest::{Change, RunId, Tier};
use super::store::Store;
use crate::table::{Age, FileNumber, RecordRef, TableMeta, TableWriter};
use crate::{Header, Keyspace, Result, Version};
use bytes::Bytes;

/// See the module's text.
pub(super) struct RunWriter {
    keyspace: Keyspace,
    run: RunId,
    tier: Tier,
    /// The table under way.
    table: Option<TableWriter>,
    /// Tables that are durable and that the manifest doesn't name yet.
    finished: Vec<TableMeta>,
    /// All files that the manifest doesn't name yet.
    unnamed: Vec<FileNumber>,
    /// A record that waits for what vanishes behind it; only if `holds` says so.
    held: Held,
    holds: bool,
}

/// The last record of its key that stays, without how many keys it adds.
#[derive(Default)]
struct Held {
    key: Vec<u8>,
    version: Version,
    tombstone: bool,
    header: Header,
    value: Bytes,
    age: Age,
    /// Whether it isn't written if it adds nothing.
    may_vanish: bool,
}

impl RunWriter {
    /// Writes a new run.
    pub(super) fn new(keyspace: Keyspace, run: RunId, tier: Tier) -> RunWriter {
        RunWriter {
            keyspace,
            run,
            tier,
            table: None,
            finished: Vec::new(),
            unnamed: Vec::new(),
            held: Held::default(),
            holds: false,
        }
    }

    /// Keeps the next record back until [`RunWriter::release`] says how many keys it adds.
    pub(super) fn hold(&mut self, record: RecordRef<'_>, value: Bytes, age: Age) {
        self.keep_back(record, value, age);
        self.held.may_vanish = false;
    }

    /// As [`RunWriter::hold`], for a tombstone that isn't written if it adds no keys.
    pub(super) fn hold_to_vanish(&mut self, record: RecordRef<'_>, age: Age) {
        self.keep_back(record, Bytes::new(), age);
        self.held.may_vanish = true;
    }

    fn keep_back(&mut self, record: RecordRef<'_>, value: Bytes, age: Age) {
        debug_assert!(!self.holds, "a held record would be forgotten");
        let held = &mut self.held;
        held.key.clear();
        held.key.extend_from_slice(record.key);
        (held.version, held.tombstone) = (record.version, record.tombstone);
        (held.header, held.value, held.age) = (record.header, value, age);
        self.holds = true;
    }

    /// Adds the record that is held, if there is one.
    pub(super) fn release(
        &mut self,
        store: &Store,
        keys_added: Option<i8>,
        dictionary: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<()> {
        if !std::mem::replace(&mut self.holds, false) {
            return Ok(());
        }
        if self.held.may_vanish && keys_added == Some(0) {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let record = RecordRef {
            key: &held.key,
            version: held.version,
            tombstone: held.tombstone,
            header: held.header,
            keys_added,
        };
        let added = self.add(store, record, &held.value, held.age, dictionary);
        // Its key's buffer serves the next one.
        self.held = Held { value: Bytes::new(), ..held };
        added
    }

    /// Adds the next record. If no table is under way, one is begun, and its values are compressed
    /// with what `dictionary` gives.
    pub(super) fn add(
        &mut self,
        store: &Store,
        record: RecordRef<'_>,
        value: &[u8],
        age: Age,
        dictionary: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<()> {
        let table = match &mut self.table {
            Some(table) => table,
            None => {
                let dictionary = dictionary()?;
                let number = FileNumber(store.take_number());
                let (path, file) = store.create_table(number)?;
                self.unnamed.push(number);
                let options = store.options().table_of(self.keyspace);
                let mut table = TableWriter::new(file, path, number, self.keyspace, options)?;
                table.use_dictionary(&dictionary)?;
                self.table.insert(table)
            }
        };
        table.add_parts(record, value, age)
    }

    /// Whether the table under way is long enough to be ended at the next key.
    pub(super) fn is_full(&self, store: &Store) -> bool {
        let table = self.table.as_ref();
        table.is_some_and(|table| table.estimated_len() >= store.options().table_bytes)
    }

    /// Ends the table under way, if there is one, and makes its content durable.
    pub(super) fn finish_table(&mut self) -> Result<()> {
        if let Some(table) = self.table.take() {
            self.finished.push(table.finish()?);
        }
        Ok(())
    }

    /// Hands over the finished tables; no table is under way. The manifest is about to name them.
    pub(super) fn take_finished(&mut self) -> Vec<TableMeta> {
        debug_assert!(self.table.is_none(), "a table under way would be forgotten");
        self.unnamed.clear();
        std::mem::take(&mut self.finished)
    }

    /// What the manifest says of `tables` of this run.
    pub(super) fn changes(&self, tables: &[TableMeta]) -> Vec<Change> {
        let (run, tier) = (self.run, self.tier);
        let added = tables.iter().map(|table| Change::AddTable { run, tier, file: table.file });
        added.collect()
    }

    /// Removes all files that the manifest doesn't name.
    pub(super) fn abandon(self, store: &Store) -> Result<()> {
        drop(self.table);
        self.unnamed.into_iter().try_for_each(|number| store.remove_table(number))
    }
}
