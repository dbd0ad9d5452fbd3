//! What a table is made of, for those who look at it from outside: where its parts and blocks lie,
//! how they are stored, and how much of the file a record takes.
//!
//! Nothing here is needed to read a table. Sizes come from the trailers of blocks, which are read
//! without their content and not checked: they are for showing.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::coding::Reader;
use super::cursor::TableCursor;
use super::footer::FOOT_BYTES;
use super::frame::{Handle, TRAILER_BYTES};
use super::reader::Table;
use super::source::Caching;
use crate::table::RecordRef;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Offset in the file.
    pub offset: u64,
    /// Length with its trailer, in bytes.
    pub bytes: u32,
}

impl From<Handle> for BlockPlace {
    fn from(handle: Handle) -> BlockPlace {
        BlockPlace { offset: handle.offset, bytes: handle.len }
    }
}

/// How a block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The number of its encoding: 0 plain, 1 zstd, 2 zstd with the table's dictionary.
    pub encoding: u8,
    /// Length of its content, in bytes.
    pub content_bytes: u32,
}

/// Where the parts of a table lie that aren't key or value blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What values are compressed with, if there is a dictionary.
    pub dictionary: Option<BlockPlace>,
    /// The index.
    pub index: BlockPlace,
    /// The filter.
    pub filter: BlockPlace,
    /// The properties.
    pub properties: BlockPlace,
    /// Where the foot starts.
    pub foot: u64,
}

/// What key blocks say of a value block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueBlock {
    /// Where it lies.
    pub place: BlockPlace,
    /// Values in it.
    pub values: u64,
    /// Sum of their lengths.
    pub value_bytes: u64,
}

impl Table {
    /// Where its parts lie; reads the foot again.
    ///
    /// # Errors
    /// As [`Table::open`].
    pub fn layout(&self) -> Result<Layout> {
        let foot = self.source().foot()?;
        Ok(Layout {
            dictionary: foot.has_dictionary().then(|| foot.dictionary.into()),
            index: foot.index.into(),
            filter: foot.filter.into(),
            properties: foot.properties.into(),
            foot: self.file().file_bytes.saturating_sub(FOOT_BYTES as u64),
        })
    }

    /// Where its key blocks lie, in the order of the index.
    ///
    /// # Errors
    /// Those of reading the index.
    pub fn key_block_places(&self) -> Result<impl Iterator<Item = BlockPlace>> {
        let index = self.index()?;
        Ok((0..).map_while(|at| index.handle(at)).map(BlockPlace::from))
    }

    /// How the block at `place` is stored.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Corrupt`] if the file ends before.
    pub fn stored(&self, place: BlockPlace) -> Result<Stored> {
        let length = u64::from(place.bytes);
        let trailer = length.saturating_sub(TRAILER_BYTES as u64);
        let mut bytes = [0; TRAILER_BYTES];
        self.source().read_at(place.offset.saturating_add(trailer), &mut bytes)?;
        let mut fields = Reader::new(&bytes);
        let encoding = fields.u8().unwrap_or_default();
        Ok(Stored { encoding, content_bytes: fields.u32().unwrap_or_default() })
    }

    /// The value blocks that the key blocks name, by offset. Reads all key blocks; those that are
    /// damaged are shown to `fault` and left out, and so is a damaged index with all of them.
    /// Memory is some bytes for each value block.
    pub fn value_blocks(&self, fault: &mut dyn FnMut(Error)) -> BTreeMap<u64, ValueBlock> {
        let mut found = BTreeMap::new();
        let index = match self.index() {
            Ok(index) => index,
            Err(error) => {
                fault(error);
                return found;
            }
        };
        for handle in (0..).map_while(|at| index.handle(at)) {
            if let Err(error) = self.note_value_blocks(handle, &mut found) {
                fault(error);
            }
        }
        found
    }

    fn note_value_blocks(
        &self,
        handle: Handle,
        found: &mut BTreeMap<u64, ValueBlock>,
    ) -> Result<()> {
        let block = self.key_block(handle, Caching::Bypass)?;
        let corrupt = |damage| self.corrupt(handle, damage);
        let mut walk = block.walk_from(0).map_err(corrupt)?;
        while let Some(entry) = block.next(&mut walk).map_err(corrupt)? {
            if entry.place.len == 0 {
                continue;
            }
            let values = self.value_block(&block, entry.place, handle)?;
            let place = values.into();
            let empty = ValueBlock { place, values: 0, value_bytes: 0 };
            let seen = found.entry(values.offset).or_insert(empty);
            seen.values = seen.values.saturating_add(1);
            seen.value_bytes = seen.value_bytes.saturating_add(u64::from(entry.place.len));
        }
        Ok(())
    }
}

/// What a record takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Footprint {
    /// Length of its value, in bytes.
    pub value_bytes: u64,
    /// Its share of the key block and the value block that it is in, in bytes of the file: of the
    /// one by the number of records, of the other by the length of its value.
    pub stored_bytes: f64,
}

/// A record, and what it takes on disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen<'a> {
    /// Key, version, header.
    pub record: RecordRef<'a>,
    /// What it takes.
    pub footprint: Footprint,
}

/// The value blocks that were asked for last, by offset, with bytes of the file for each byte of
/// the content: newest and superseded values alternate.
#[derive(Default)]
pub struct Ratios([(u64, f64); 2]);

impl TableCursor {
    /// What the current record takes; nothing if the cursor stands nowhere. Reads no value.
    ///
    /// # Errors
    /// As [`TableCursor::value`], as far as it is about places.
    pub fn footprint(&self, ratios: &mut Ratios) -> Result<Footprint> {
        let Some((table, block, handle, entry)) = self.parts() else {
            return Ok(Footprint::default());
        };
        let mut stored_bytes = f64::from(handle.len) / f64::from(block.records().max(1));
        if entry.place.len > 0 {
            let values = table.value_block(block, entry.place, handle)?;
            stored_bytes += f64::from(entry.place.len) * ratios.of(table, values)?;
        }
        Ok(Footprint { value_bytes: u64::from(entry.place.len), stored_bytes })
    }
}

impl Ratios {
    fn of(&mut self, table: &Table, values: Handle) -> Result<f64> {
        let Ratios([first, second]) = self;
        if first.0 != values.offset {
            std::mem::swap(first, second);
        }
        if first.0 != values.offset {
            let content = f64::from(table.stored(values.into())?.content_bytes.max(1));
            *first = (values.offset, f64::from(values.len) / content);
        }
        Ok(first.1)
    }
}
