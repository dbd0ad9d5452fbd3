//! How the manifest came about: each edit with its place and its changes.

use super::Error;
use super::output::{Line, Output, bytes, bytes_and_size, name_of};
use super::state::AppliedPart;
use super::summary::{serialize_tier, tier_name};
use crate::notation::{Count, Cut};
use bytes::Bytes;
use retcd_engine::lsm::inspect::Folder;
use retcd_engine::lsm::manifest::{Change, Ending, Logged, Tier};
use serde::Serialize;
use std::io::{self, Write};

/// Bytes of a run's start that text shows.
const KEY_BYTES_SHOWN: usize = 80;

/// Prints the edits of the manifest.
pub(super) fn show(folder: &Folder<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let history = &folder.history;
    output.print(&ManifestLine {
        file: format!("MANIFEST-{:016x}", history.number.0),
        bytes: history.file_bytes,
        edits: history.edits.len(),
    })?;
    for (number, edit) in history.edits.iter().enumerate() {
        output.print(&EditLine::of(number, edit))?;
    }
    if let Ending::Torn { offset, bytes } = history.ending {
        output.print(&TornLine { offset, bytes })?;
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "manifest")]
struct ManifestLine {
    file: String,
    bytes: u64,
    edits: usize,
}

impl Line for ManifestLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let edits = Count(self.edits as u64, "edit");
        writeln!(out, "{}: {} bytes, {edits}", self.file, self.bytes)
    }
}

/// What follows the last edit and hasn't happened.
#[derive(Serialize)]
#[serde(tag = "type", rename = "torn")]
struct TornLine {
    offset: u64,
    bytes: u64,
}

impl Line for TornLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let TornLine { offset, bytes } = self;
        writeln!(out, "at {offset}: {bytes} bytes of an edit that was cut short: not counted")
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "edit")]
struct EditLine {
    edit: usize,
    offset: u64,
    bytes: u64,
    changes: Vec<ChangePart>,
}

impl EditLine {
    fn of(number: usize, logged: &Logged) -> EditLine {
        let Logged { offset, bytes, ref edit } = *logged;
        let changes = edit.0.iter().map(ChangePart::of).collect();
        EditLine { edit: number, offset, bytes, changes }
    }
}

impl Line for EditLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "edit {} at {}: {} bytes", self.edit, self.offset, self.bytes)?;
        self.changes.iter().try_for_each(|change| change.text(out))
    }
}

/// One change.
#[derive(Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
enum ChangePart {
    Next {
        next: u64,
    },
    Applied(AppliedPart),
    AddTable {
        run: u64,
        keyspace: &'static str,
        #[serde(serialize_with = "serialize_tier")]
        tier: Tier,
        table: u64,
        bytes: u64,
        checksum: u32,
    },
    RemoveTable {
        table: u64,
    },
    TrimRun {
        run: u64,
        #[serde(serialize_with = "bytes")]
        start: Bytes,
    },
    ReplaceTable {
        replaced: u64,
        keyspace: &'static str,
        table: u64,
        bytes: u64,
        checksum: u32,
    },
}

impl ChangePart {
    fn of(change: &Change) -> ChangePart {
        match change {
            Change::Next(next) => ChangePart::Next { next: *next },
            Change::Applied(applied) => ChangePart::Applied(AppliedPart::of(applied)),
            Change::AddTable { run, tier, file } => ChangePart::AddTable {
                run: run.0,
                keyspace: name_of(file.keyspace),
                tier: *tier,
                table: file.number.0,
                bytes: file.file_bytes,
                checksum: file.checksum,
            },
            Change::RemoveTable(number) => ChangePart::RemoveTable { table: number.0 },
            Change::TrimRun { run, start } => {
                ChangePart::TrimRun { run: run.0, start: start.clone() }
            }
            Change::ReplaceTable { old, file } => ChangePart::ReplaceTable {
                replaced: old.0,
                keyspace: name_of(file.keyspace),
                table: file.number.0,
                bytes: file.file_bytes,
                checksum: file.checksum,
            },
        }
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            ChangePart::Next { next } => writeln!(out, "  numbers below {next:#x} are taken"),
            ChangePart::Applied(applied) => writeln!(out, "  {applied}"),
            ChangePart::AddTable { run, keyspace, tier, table, bytes, checksum } => writeln!(
                out,
                "  + {table:016x}.sst, {keyspace} run {run}, {}: {}, checksum {checksum:08x}",
                tier_name(*tier),
                bytes_and_size(*bytes)
            ),
            ChangePart::RemoveTable { table } => writeln!(out, "  - {table:016x}.sst"),
            ChangePart::TrimRun { run, start } => {
                let start = Cut(start, KEY_BYTES_SHOWN);
                writeln!(out, "  run {run} begins at {start} from now on")
            }
            ChangePart::ReplaceTable { replaced, keyspace, table, bytes, checksum } => writeln!(
                out,
                "  + {table:016x}.sst, {keyspace}, in place of {replaced:016x}.sst: {}, checksum \
                 {checksum:08x}",
                bytes_and_size(*bytes)
            ),
        }
    }
}
