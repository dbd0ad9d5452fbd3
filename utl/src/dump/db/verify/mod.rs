//! Reads everything and checks what can be checked without a member.
//!
//! 1. Every table by itself: the checksum that the manifest has of its file, every block, the order
//!    of its records, and that index, filter and properties say what the records say.
//! 2. The tables of each run: their keys are apart and ascend.
//! 3. If all of that holds, what records of different keyspaces say of each other ([`agreement`]).

mod agreement;
mod counted;
pub(in crate::dump) mod tree;

use super::Error;
use super::fault::Fault;
use super::output::{Faults, KEYSPACES, Line, Output, bytes_and_size, name_of};
use super::subject::Subject;
use super::summary::runs_of;
use super::tables::{self, NamedTable};
use crate::notation::Count;
use bytes::Bytes;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::lsm::manifest::Ending;
use retcd_engine::table::BlockCache;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// Checks `folder` and prints the verdict last.
pub(in crate::dump) fn show(
    folder: &Folder<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut sums = Sums::default();
    for named in tables::all(folder) {
        let checked = check_table(folder, &named, &mut sums, output)?;
        output.print(&checked)?;
    }
    check_runs(folder, output)?;
    let is_compared = output.faults() == 0;
    if is_compared {
        agreement::check(Subject::Tables(folder), output)?;
    }
    output.print(&VerdictLine {
        whole: output.faults() == 0,
        faults: output.faults(),
        tables: sums.tables,
        bytes: sums.bytes,
        records: sums.records,
        compared: is_compared,
        manifest_torn: matches!(folder.history.ending, Ending::Torn { .. }),
        in_use: is_held,
    })
}

#[derive(Default)]
struct Sums {
    tables: u64,
    bytes: u64,
    records: u64,
}

/// Prints what doesn't hold in a table.
fn check_table(
    folder: &Folder<'_>,
    named: &NamedTable,
    sums: &mut Sums,
    output: &mut Output<'_>,
) -> Result<CheckedLine, Error> {
    let before = output.faults();
    let mut records = None;
    match named.open(folder) {
        Ok(table) => {
            let mut faults = Faults::default();
            table.verify_all(&mut |error| faults.take_in(error));
            faults.print(output)?;
            records = Some(table.properties().records);
        }
        Err(error) => output.fault(&error)?,
    }
    let bytes = named.file.file_bytes;
    output.advance(bytes);
    sums.tables += 1;
    sums.bytes = sums.bytes.saturating_add(bytes);
    sums.records = sums.records.saturating_add(records.unwrap_or(0));
    Ok(CheckedLine {
        file: format!("{:016x}.sst", named.file.number.0),
        keyspace: name_of(named.file.keyspace),
        run: named.run.0,
        bytes,
        records,
        faults: output.faults() - before,
    })
}

/// Prints which neighbours in a run overlap. Tables that can't be opened have been named before.
fn check_runs(folder: &Folder<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let cache = Arc::new(BlockCache::new(0));
    for (id, run) in KEYSPACES.into_iter().flat_map(|keyspace| runs_of(folder, keyspace)) {
        let mut largest: Option<Bytes> = None;
        for file in &run.tables {
            let Ok(table) = folder.open(*file, &cache) else {
                continue;
            };
            let properties = table.properties();
            if largest.is_some_and(|largest| largest >= properties.smallest_key) {
                let file = Some(folder.path_of(file.number).display().to_string());
                let reason =
                    format!("its keys aren't behind those of the table before in run {}", id.0);
                output.fault(Fault { file, offset: None, reason })?;
            }
            largest = Some(properties.largest_key.clone());
        }
    }
    Ok(())
}

/// A table that was read.
#[derive(Serialize)]
#[serde(tag = "type", rename = "checked")]
struct CheckedLine {
    file: String,
    keyspace: &'static str,
    run: u64,
    bytes: u64,
    /// What its properties say; absent if it can't be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    faults: u64,
}

impl Line for CheckedLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let CheckedLine { file, keyspace, run, bytes, .. } = self;
        write!(out, "{file}, {keyspace} run {run}: {bytes} bytes")?;
        if let Some(records) = self.records {
            write!(out, ", {}", Count(records, "record"))?;
        }
        match self.faults {
            0 => writeln!(out, ", whole"),
            faults => writeln!(out, ", {}", Count(faults, "fault")),
        }
    }
}

/// What it comes to.
#[derive(Serialize)]
#[serde(tag = "type", rename = "verdict")]
struct VerdictLine {
    whole: bool,
    faults: u64,
    tables: u64,
    bytes: u64,
    records: u64,
    /// Whether keyspaces were compared with each other.
    compared: bool,
    /// Whether the manifest ends with an edit that was cut short, which is no fault.
    manifest_torn: bool,
    in_use: bool,
}

impl Line for VerdictLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.whole {
            true => writeln!(out, "verdict: whole")?,
            false => writeln!(out, "verdict: damaged, {}", Count(self.faults, "fault"))?,
        }
        let (tables, records) = (Count(self.tables, "table"), Count(self.records, "record"));
        writeln!(out, "  {tables}, {}, {records}", bytes_and_size(self.bytes))?;
        if self.manifest_torn {
            writeln!(out, "  the manifest ends with an edit that was cut short: it doesn't count")?;
        }
        if !self.compared {
            writeln!(out, "  keyspaces aren't compared, since not everything can be read")?;
        }
        if self.in_use {
            writeln!(out, "  a member seems to run on it: files that it removed are missing here")?;
        }
        Ok(())
    }
}
