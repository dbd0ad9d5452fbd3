//! All blocks of a table, in the order of the file.

use super::Error;
use super::output::{Faults, Line, Output};
use super::tables::open_one;
use crate::notation::Count;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::table::{BlockPlace, Layout, Table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Prints table `number` and its blocks.
pub(super) fn show(folder: &Folder<'_>, number: u64, output: &mut Output<'_>) -> Result<(), Error> {
    let Some(table) = open_one(folder, number, output)? else {
        return Ok(());
    };
    let mut faults = Faults::default();
    let blocks = blocks(&table, &table.layout()?, &mut faults)?;
    for (kind, place) in blocks.into_values() {
        match table.stored(place) {
            Ok(stored) => output.print(&BlockLine {
                kind,
                offset: place.offset,
                bytes: place.bytes,
                encoding: encoding(stored.encoding),
                content_bytes: stored.content_bytes,
            })?,
            Err(error) => output.fault(&error)?,
        }
    }
    faults.print(output)
}

/// What is in a block.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Kind {
    Dictionary,
    Values { values: u64, value_bytes: u64 },
    Keys { records: u32, keys: u32 },
    Index,
    Filter,
    Properties,
}

/// All blocks by offset.
fn blocks(
    table: &Table,
    layout: &Layout,
    faults: &mut Faults,
) -> Result<BTreeMap<u64, (Kind, BlockPlace)>, Error> {
    let values = table.value_blocks(&mut |error| faults.take_in(error));
    let values = values.into_values().map(|block| {
        let (values, value_bytes) = (block.values, block.value_bytes);
        (Kind::Values { values, value_bytes }, block.place)
    });
    let keys = table.blocks()?.zip(table.key_block_places()?);
    let keys =
        keys.map(|(block, place)| (Kind::Keys { records: block.records, keys: block.keys }, place));
    let parts = [
        (Kind::Index, layout.index),
        (Kind::Filter, layout.filter),
        (Kind::Properties, layout.properties),
    ];
    let dictionary = layout.dictionary.map(|place| (Kind::Dictionary, place));
    let all = values.chain(keys).chain(parts).chain(dictionary);
    Ok(all.map(|(kind, place)| (place.offset, (kind, place))).collect())
}

fn encoding(number: u8) -> &'static str {
    match number {
        0 => "plain",
        1 => "zstd",
        2 => "zstd-dictionary",
        _ => "unknown",
    }
}

/// A block.
#[derive(Serialize)]
#[serde(tag = "type", rename = "block")]
struct BlockLine {
    #[serde(flatten)]
    kind: Kind,
    offset: u64,
    /// With its trailer.
    bytes: u32,
    encoding: &'static str,
    content_bytes: u32,
}

impl Line for BlockLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let BlockLine { kind, offset, bytes, encoding, content_bytes } = self;
        let (name, what) = match kind {
            Kind::Dictionary => ("dictionary", String::new()),
            Kind::Values { values, value_bytes } => {
                ("values", format!(", {} of {value_bytes} bytes", Count(*values, "value")))
            }
            Kind::Keys { records, keys } => {
                let records = Count((*records).into(), "record");
                ("keys", format!(", {records}, {}", Count((*keys).into(), "key")))
            }
            Kind::Index => ("index", String::new()),
            Kind::Filter => ("filter", String::new()),
            Kind::Properties => ("properties", String::new()),
        };
        writeln!(
            out,
            "  {offset:>10} {name:<10} {bytes:>8} bytes, {encoding}, content {content_bytes}{what}"
        )
    }
}
