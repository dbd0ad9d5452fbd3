//! What there is in a B+tree: what it covers, its pages, and what is in each keyspace.
//!
//! There are no properties to ask: all leaves are read. Memory is one path of pages.

use super::Error;
use super::output::{KEYSPACES, Line, Output, bytes_and_size, name_of};
use super::state::AppliedPart;
use crate::notation::Count;
use retcd_engine::btree::inspect::TreeFile;
use retcd_engine::{KeyRange, Keyspace};
use serde::Serialize;
use std::io::{self, Write};

/// Prints everything about `file` that its pages say.
pub(super) fn show(
    file: &TreeFile<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let line = TreeLine::of(file, is_held);
    output.print(&line)?;
    output.gap()?;
    for keyspace in KEYSPACES {
        let totals = Totals::of(file, keyspace, output)?;
        output.print(&BucketLine { keyspace: name_of(keyspace), totals: &totals })?;
    }
    if let Some(reason) = line.applied.fault() {
        let file = Some(file.path().display().to_string());
        let reason = format!("the state: {reason}");
        output.fault(super::fault::Fault { file, offset: None, reason })?;
    }
    Ok(())
}

/// Sums over a keyspace.
#[derive(Default, Serialize)]
pub(super) struct Totals {
    records: u64,
    keys: u64,
    tombstones: u64,
    key_bytes: u64,
    value_bytes: u64,
    /// Of all its pages.
    pub(super) page_bytes: u64,
}

impl Totals {
    /// Reads all records of `keyspace`. Damage is printed, and ends it.
    pub(super) fn of(
        file: &TreeFile<'_>,
        keyspace: Keyspace,
        output: &mut Output<'_>,
    ) -> Result<Totals, Error> {
        let mut totals = Totals::default();
        if let Err(error) = totals.read(file, keyspace) {
            output.fault(&error)?;
        }
        Ok(totals)
    }

    fn read(&mut self, file: &TreeFile<'_>, keyspace: Keyspace) -> retcd_engine::Result<()> {
        let mut walk = file.walk(keyspace, KeyRange { start: b"", end: None })?;
        let mut last: Option<Vec<u8>> = None;
        while let Some(seen) = walk.next()? {
            let record = seen.record;
            self.records += 1;
            self.tombstones += u64::from(record.tombstone);
            self.key_bytes += record.key.len() as u64;
            self.value_bytes += seen.footprint.value_bytes;
            if last.as_deref() != Some(record.key) {
                self.keys += 1;
                let last = last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(record.key);
            }
        }
        self.page_bytes = walk.page_bytes();
        Ok(())
    }
}

/// What the meta page and our own bucket say.
#[derive(Serialize)]
#[serde(tag = "type", rename = "tree")]
struct TreeLine {
    file: String,
    /// Whether a member seems to run on it.
    in_use: bool,
    file_bytes: u64,
    page_bytes: u64,
    transaction: u64,
    pages: u64,
    free_pages: u64,
    #[serde(flatten)]
    applied: AppliedPart,
}

impl TreeLine {
    fn of(file: &TreeFile<'_>, is_held: bool) -> TreeLine {
        TreeLine {
            file: file.path().display().to_string(),
            in_use: is_held,
            file_bytes: file.file_bytes(),
            page_bytes: file.page_bytes(),
            transaction: file.transaction(),
            pages: file.pages(),
            free_pages: file.pages() - file.used_pages(),
            applied: AppliedPart::of(file.applied()),
        }
    }
}

impl Line for TreeLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "tree {}: {}", self.file, bytes_and_size(self.file_bytes))?;
        if self.in_use {
            writeln!(out, "  a member seems to run on it: what isn't committed isn't shown, and")?;
            writeln!(
                out,
                "  pages that it writes meanwhile look damaged: look again, or at a copy"
            )?;
        }
        let (transaction, pages) = (self.transaction, Count(self.pages, "page"));
        let (bytes, free) = (self.page_bytes, self.free_pages);
        writeln!(out, "  transaction {transaction}; {pages} of {bytes} bytes, {free} free")?;
        writeln!(out, "  {}", self.applied)
    }
}

/// What a keyspace's bucket holds.
#[derive(Serialize)]
#[serde(tag = "type", rename = "keyspace")]
struct BucketLine<'a> {
    keyspace: &'static str,
    #[serde(flatten)]
    totals: &'a Totals,
}

impl Line for BucketLine<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (keyspace, totals) = (self.keyspace, self.totals);
        let (records, keys) = (Count(totals.records, "record"), Count(totals.keys, "key"));
        let pages = bytes_and_size(totals.page_bytes);
        if totals.records == 0 {
            return writeln!(out, "keyspace {keyspace}: nothing, pages of {pages}");
        }
        let tombstones = Count(totals.tombstones, "tombstone");
        writeln!(out, "keyspace {keyspace}: {records} of {keys}, {tombstones}, pages of {pages}")?;
        let Totals { key_bytes, value_bytes, .. } = totals;
        writeln!(out, "  {key_bytes} bytes of keys, {value_bytes} of values")
    }
}
