//! Tables one by one: what the manifest and their properties say, and where their parts lie.

use super::Error;
use super::output::{KEYSPACES, Line, Output, bytes, keyspace_name, name_of};
use super::properties::Totals;
use super::record::KeyName;
use super::summary::{runs_of, serialize_tier, tier_name};
use crate::notation::Count;
use bytes::Bytes;
use retcd_engine::Keyspace;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::lsm::manifest::{RunId, Tier};
use retcd_engine::table::{BlockCache, BlockPlace, Layout, Table, TableFile};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// Prints all tables, in the order of keyspaces and runs.
pub(super) fn show_all(folder: &Folder<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    for named in all(folder) {
        match named.open(folder) {
            Ok(table) => output.print(&TableLine::of(folder, &named, &table)?)?,
            Err(error) => output.fault(&error)?,
        }
    }
    Ok(())
}

/// Prints one table with its parts and its index.
pub(super) fn show_one(
    folder: &Folder<'_>,
    number: u64,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let Some(table) = open_one(folder, number, output)? else {
        return Ok(());
    };
    for (place, block) in table.key_block_places()?.zip(table.blocks()?) {
        output.print(&IndexLine {
            keyspace: table.file().keyspace,
            offset: place.offset,
            bytes: place.bytes,
            records: block.records,
            keys: block.keys,
            keys_added: block.keys_added,
            main_max: block.main_max,
            last_main: block.last_version.main,
            last_sub: block.last_version.sub,
            last_key: Bytes::copy_from_slice(block.last_key),
        })?;
    }
    Ok(())
}

/// Opens table `number` and prints what it is; `None` if that is a fault, which is printed.
pub(super) fn open_one(
    folder: &Folder<'_>,
    number: u64,
    output: &mut Output<'_>,
) -> Result<Option<Table>, Error> {
    let named = all(folder).find(|named| named.file.number.0 == number);
    let named = named.ok_or_else(|| Error::NoTable(folder.dir().to_owned(), number))?;
    match named.open(folder).and_then(|table| Ok((table.layout()?, table))) {
        Ok((layout, table)) => {
            output.print(&TableLine::of(folder, &named, &table)?)?;
            output.print(&PartsLine::of(layout))?;
            Ok(Some(table))
        }
        Err(error) => {
            output.fault(&error)?;
            Ok(None)
        }
    }
}

/// A table as the manifest names it.
pub(in crate::dump) struct NamedTable {
    pub(in crate::dump) run: RunId,
    pub(in crate::dump) tier: Tier,
    pub(in crate::dump) file: TableFile,
}

impl NamedTable {
    pub(in crate::dump) fn open(&self, folder: &Folder<'_>) -> Result<Table, retcd_engine::Error> {
        folder.open(self.file, &Arc::new(BlockCache::new(0)))
    }
}

/// All tables, by keyspace, run and key.
pub(in crate::dump) fn all(folder: &Folder<'_>) -> impl Iterator<Item = NamedTable> {
    let runs = KEYSPACES.into_iter().flat_map(|keyspace| runs_of(folder, keyspace));
    runs.flat_map(|(id, run)| {
        run.tables.iter().map(move |&file| NamedTable { run: id, tier: run.tier, file })
    })
}

/// A table.
#[derive(Serialize)]
#[serde(tag = "type", rename = "table")]
struct TableLine {
    file: String,
    table: u64,
    #[serde(serialize_with = "keyspace_name")]
    keyspace: Keyspace,
    run: u64,
    #[serde(serialize_with = "serialize_tier")]
    tier: Tier,
    /// crc32 of the whole file.
    checksum: u32,
    key_blocks: u64,
    #[serde(flatten)]
    totals: Totals,
}

impl TableLine {
    fn of(folder: &Folder<'_>, named: &NamedTable, table: &Table) -> Result<TableLine, Error> {
        let NamedTable { run, tier, file } = named;
        let watermark = folder.contents().applied.watermark;
        Ok(TableLine {
            file: format!("{:016x}.sst", file.number.0),
            table: file.number.0,
            keyspace: file.keyspace,
            run: run.0,
            tier: *tier,
            checksum: file.checksum,
            key_blocks: table.blocks()?.count() as u64,
            totals: Totals::of(file, table.properties(), watermark),
        })
    }
}

impl Line for TableLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let TableLine { file, keyspace, run, checksum, .. } = self;
        let (tier, size) = (tier_name(self.tier), self.totals.size());
        let blocks = Count(self.key_blocks, "key block");
        writeln!(out, "table {file}, {} run {run}, {tier}: {size}", name_of(*keyspace))?;
        writeln!(out, "    {blocks}, checksum {checksum:08x}")?;
        self.totals.write(*keyspace, out, "    ")
    }
}

/// Where its parts lie.
#[derive(Serialize)]
#[serde(tag = "type", rename = "parts")]
struct PartsLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    dictionary: Option<Place>,
    index: Place,
    filter: Place,
    properties: Place,
    /// Where the foot starts.
    foot: u64,
}

#[derive(Clone, Copy, Serialize)]
struct Place {
    offset: u64,
    bytes: u32,
}

impl From<BlockPlace> for Place {
    fn from(place: BlockPlace) -> Place {
        Place { offset: place.offset, bytes: place.bytes }
    }
}

impl PartsLine {
    fn of(layout: Layout) -> PartsLine {
        PartsLine {
            dictionary: layout.dictionary.map(Place::from),
            index: layout.index.into(),
            filter: layout.filter.into(),
            properties: layout.properties.into(),
            foot: layout.foot,
        }
    }
}

impl Line for PartsLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut part = |name: &str, place: Place| {
            writeln!(out, "    {name} at {}: {} bytes", place.offset, place.bytes)
        };
        self.dictionary.map_or(Ok(()), |place| part("dictionary", place))?;
        part("index", self.index)?;
        part("filter", self.filter)?;
        part("properties", self.properties)?;
        writeln!(out, "    foot at {}", self.foot)
    }
}

/// An entry of the index: a key block.
#[derive(Serialize)]
#[serde(tag = "type", rename = "index-entry")]
struct IndexLine {
    #[serde(skip)]
    keyspace: Keyspace,
    offset: u64,
    bytes: u32,
    records: u32,
    keys: u32,
    keys_added: Option<i32>,
    main_max: u64,
    last_main: u64,
    last_sub: u64,
    #[serde(serialize_with = "bytes")]
    last_key: Bytes,
}

impl Line for IndexLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let IndexLine { offset, bytes, records, keys, main_max, last_main, last_sub, .. } = self;
        let (records, keys) = (Count((*records).into(), "record"), Count((*keys).into(), "key"));
        let added = self.keys_added.map(|added| format!("adding {added}, ")).unwrap_or_default();
        let last = KeyName { keyspace: self.keyspace, key: &self.last_key };
        writeln!(
            out,
            "  key block at {offset}: {bytes} bytes, {records}, {keys}, {added}versions up \
             to {main_max}; last {last} at {last_main}.{last_sub}"
        )
    }
}
