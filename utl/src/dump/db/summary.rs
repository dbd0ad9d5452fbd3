//! What there is: what the files cover, the runs of each keyspace, and files that nobody names.
//!
//! Tables are opened one at a time, so memory is that of the largest one's index and filter.

use super::Error;
use super::output::{KEYSPACES, Line, Output, bytes, keyspace_name, name_of};
use super::properties::Totals;
use super::record::KeyName;
use super::state::AppliedPart;
use crate::notation::Count;
use bytes::Bytes;
use retcd_engine::Keyspace;
use retcd_engine::lsm::inspect::{Folder, Other};
use retcd_engine::lsm::manifest::{Ending, RunEntry, RunId, Tier};
use retcd_engine::table::BlockCache;
use serde::{Serialize, Serializer};
use std::io::{self, Write};
use std::sync::Arc;

/// Prints everything about `folder` that its manifest and the tables' properties say.
pub(super) fn show(
    folder: &Folder<'_>,
    is_held: bool,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let engine = EngineLine::of(folder, is_held);
    output.print(&engine)?;
    let mut all = Totals::default();
    for keyspace in KEYSPACES {
        let mut totals = Totals::default();
        let mut lines = Vec::new();
        for (id, run) in runs_of(folder, keyspace) {
            let line = RunLine::of(folder, id, run, output)?;
            totals.add(&line.totals);
            lines.push(line);
        }
        all.add(&totals);
        output.gap()?;
        output.print(&KeyspaceLine {
            keyspace: name_of(keyspace),
            runs: lines.len() as u64,
            totals: &totals,
        })?;
        lines.iter().try_for_each(|line| output.print(line))?;
    }
    output.gap()?;
    folder.others.iter().try_for_each(|other| output.print(&FileLine::of(other)))?;
    if let Some(reason) = engine.applied.fault() {
        let file = Some(folder.dir().display().to_string());
        let reason = format!("the manifest's state: {reason}");
        output.fault(super::fault::Fault { file, offset: None, reason })?;
    }
    output.print(&TotalLine { file_bytes: all.file_bytes, size: all.size() })
}

/// The runs of a keyspace, newest last.
pub(super) fn runs_of<'f>(
    folder: &'f Folder<'_>,
    keyspace: Keyspace,
) -> impl Iterator<Item = (RunId, &'f RunEntry)> {
    let runs = folder.contents().runs.iter();
    runs.filter(move |(_, run)| run.keyspace == keyspace).map(|(id, run)| (*id, run))
}

/// What the manifest says of everything.
#[derive(Serialize)]
#[serde(tag = "type", rename = "engine")]
struct EngineLine {
    dir: String,
    /// Whether a member seems to run on it.
    in_use: bool,
    manifest: String,
    manifest_bytes: u64,
    edits: usize,
    /// `whole`, `torn` or `damaged`.
    manifest_ending: &'static str,
    #[serde(flatten)]
    applied: AppliedPart,
}

impl EngineLine {
    fn of(folder: &Folder<'_>, is_held: bool) -> EngineLine {
        let history = &folder.history;
        EngineLine {
            dir: folder.dir().display().to_string(),
            in_use: is_held,
            manifest: format!("MANIFEST-{:016x}", history.number.0),
            manifest_bytes: history.file_bytes,
            edits: history.edits.len(),
            manifest_ending: match history.ending {
                Ending::Whole => "whole",
                Ending::Torn { .. } => "torn",
                Ending::Damaged(_) => "damaged",
            },
            applied: AppliedPart::of(&folder.contents().applied),
        }
    }
}

impl Line for EngineLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "engine {}", self.dir)?;
        if self.in_use {
            writeln!(out, "  a member seems to run on it: what isn't flushed isn't shown")?;
        }
        let (edits, bytes) = (Count(self.edits as u64, "edit"), self.manifest_bytes);
        write!(out, "  {}: {edits}, {bytes} bytes", self.manifest)?;
        if self.manifest_ending != "whole" {
            write!(out, ", its end is {}", self.manifest_ending)?;
        }
        writeln!(out, "\n  {}", self.applied)
    }
}

/// A keyspace as a whole.
#[derive(Serialize)]
#[serde(tag = "type", rename = "keyspace")]
struct KeyspaceLine<'a> {
    keyspace: &'static str,
    runs: u64,
    #[serde(flatten)]
    totals: &'a Totals,
}

impl Line for KeyspaceLine<'_> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (runs, tables) = (Count(self.runs, "run"), Count(self.totals.tables, "table"));
        match self.runs {
            0 => writeln!(out, "keyspace {}: nothing", self.keyspace),
            _ => writeln!(
                out,
                "keyspace {}: {runs}, {tables}, {}",
                self.keyspace,
                self.totals.size()
            ),
        }
    }
}

/// A run.
#[derive(Serialize)]
#[serde(tag = "type", rename = "run")]
struct RunLine {
    #[serde(serialize_with = "keyspace_name")]
    keyspace: Keyspace,
    run: u64,
    #[serde(serialize_with = "serialize_tier")]
    tier: Tier,
    /// Smaller keys in its files don't count; absent if all do.
    #[serde(skip_serializing_if = "Bytes::is_empty", serialize_with = "bytes")]
    start: Bytes,
    #[serde(flatten)]
    totals: Totals,
}

impl RunLine {
    /// Opens its tables one after the other, and prints what doesn't hold.
    fn of(
        folder: &Folder<'_>,
        id: RunId,
        run: &RunEntry,
        output: &mut Output<'_>,
    ) -> Result<RunLine, Error> {
        let cache = Arc::new(BlockCache::new(0));
        let watermark = folder.contents().applied.watermark;
        let mut totals = Totals::default();
        for file in &run.tables {
            match folder.open(*file, &cache) {
                Ok(table) => totals.add(&Totals::of(file, table.properties(), watermark)),
                Err(error) => output.fault(&error)?,
            }
        }
        let (keyspace, start) = (run.keyspace, run.start.clone());
        Ok(RunLine { keyspace, run: id.0, tier: run.tier, start, totals })
    }
}

impl Line for RunLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (tier, tables) = (tier_name(self.tier), Count(self.totals.tables, "table"));
        writeln!(out, "  run {}, {tier}: {tables}, {}", self.run, self.totals.size())?;
        if !self.start.is_empty() {
            let start = KeyName { keyspace: self.keyspace, key: &self.start };
            writeln!(out, "    smaller keys than {start} don't belong to it any more")?;
        }
        self.totals.write(self.keyspace, out, "    ")
    }
}

/// A tier in words.
pub(super) fn tier_name(tier: Tier) -> String {
    match tier {
        Tier::Level(level) => format!("level {level}"),
        Tier::Last => "last tier".to_owned(),
    }
}

/// A tier in JSON: the level's number, or `last`.
pub(super) fn serialize_tier<S: Serializer>(tier: &Tier, serializer: S) -> Result<S::Ok, S::Error> {
    match tier {
        Tier::Level(level) => serializer.serialize_u8(*level),
        Tier::Last => serializer.serialize_str("last"),
    }
}

/// A file that the manifest doesn't name.
#[derive(Serialize)]
#[serde(tag = "type", rename = "file")]
struct FileLine {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    what: &'static str,
}

impl FileLine {
    fn of(other: &Other) -> FileLine {
        FileLine {
            file: other.name.to_string_lossy().into_owned(),
            bytes: other.bytes,
            what: match other.is_ours {
                true => "not named by the manifest: removed at start",
                false => "none of the engine's: ignored",
            },
        }
    }
}

impl Line for FileLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.bytes {
            Some(bytes) => writeln!(out, "file {}, {bytes} bytes: {}", self.file, self.what),
            None => writeln!(out, "file {}: {}", self.file, self.what),
        }
    }
}

/// All tables together.
#[derive(Serialize)]
#[serde(tag = "type", rename = "total")]
struct TotalLine {
    file_bytes: u64,
    #[serde(skip)]
    size: String,
}

impl Line for TotalLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "all tables: {}", self.size)
    }
}
