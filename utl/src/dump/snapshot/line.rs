//! The lines of `etcd-dump snapshot`, as JSON and as text.

use super::super::db::output::{Line, bytes, bytes_and_size};
use super::super::etcds::{Facts, Pairs, Sums};
use crate::notation::{Count, Cut};
use bytes::Bytes;
use serde::Serialize;
use std::io::{self, Write};

/// Bytes of a prefix that text shows.
const PREFIX_BYTES_SHOWN: usize = 120;

/// What is at the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Hash {
    Right,
    Wrong,
    Missing,
}

/// The file.
#[derive(Serialize)]
#[serde(tag = "type", rename = "snapshot")]
pub(super) struct SnapshotLine {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) page_bytes: u32,
    pub(super) hash: Hash,
    pub(super) whole: bool,
}

impl Line for SnapshotLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let SnapshotLine { file, page_bytes, .. } = self;
        let size = bytes_and_size(self.bytes);
        writeln!(out, "snapshot {file}: {size}, pages of {page_bytes}")?;
        writeln!(
            out,
            "  {}",
            match self.hash {
                Hash::Right => "the SHA-256 at the end is right",
                Hash::Wrong => "the SHA-256 at the end is wrong",
                Hash::Missing => {
                    "no SHA-256 at the end: a restore has to be told --skip-hash-check"
                }
            }
        )?;
        match self.whole {
            true => writeln!(out, "  whole: every page is used once, and keys ascend"),
            false => writeln!(out, "  damaged"),
        }
    }
}

/// All pairs.
#[derive(Serialize)]
#[serde(tag = "type", rename = "pairs")]
pub(super) struct PairsLine {
    revision: u64,
    /// Of the oldest pair that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compacted_revision: Option<u64>,
    /// Where a compaction goes that hasn't come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    compacting_revision: Option<u64>,
    /// Absent while a compaction is under way: then it can't be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<u64>,
    versions: u64,
    deletions: u64,
    key_bytes: u64,
    value_bytes: u64,
}

impl PairsLine {
    pub(super) fn of(facts: &Facts, pairs: &Pairs) -> PairsLine {
        let compacting = facts.compacting.filter(|at| Some(*at) > facts.compacted);
        let keys = u64::try_from(pairs.total.keys).ok();
        PairsLine {
            revision: facts.revision,
            oldest_revision: pairs.oldest,
            compacted_revision: facts.compacted,
            compacting_revision: compacting,
            keys: keys.filter(|_| compacting.is_none()),
            versions: pairs.total.versions,
            deletions: pairs.deletions,
            key_bytes: pairs.total.key_bytes,
            value_bytes: pairs.total.value_bytes,
        }
    }
}

impl Line for PairsLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "revision {}, ", self.revision)?;
        match self.compacted_revision {
            Some(revision) => write!(out, "compacted at {revision}")?,
            None => write!(out, "never compacted")?,
        }
        if let Some(revision) = self.compacting_revision {
            write!(out, ", a compaction up to {revision} is under way")?;
        }
        if let Some(oldest) = self.oldest_revision {
            write!(out, "; the oldest pair is of {oldest}")?;
        }
        writeln!(out)?;
        if let Some(keys) = self.keys {
            write!(out, "{}, ", Count(keys, "key"))?;
        }
        let (versions, deletions) =
            (Count(self.versions, "version"), Count(self.deletions, "deletion"));
        let (keys, values) = (self.key_bytes, self.value_bytes);
        writeln!(
            out,
            "{versions}, {deletions} among them; {keys} bytes of keys, {values} of values"
        )
    }
}

/// What keys that begin so take, all versions.
#[derive(Serialize)]
#[serde(tag = "type", rename = "prefix")]
pub(super) struct PrefixLine {
    #[serde(serialize_with = "bytes")]
    pub(super) prefix: Bytes,
    #[serde(flatten)]
    pub(super) sums: Sums,
    /// Share of the bytes of all pairs.
    pub(super) percent: f64,
}

impl PrefixLine {
    pub(super) fn write_head(out: &mut dyn Write) -> io::Result<()> {
        let heads = ["bytes", "share", "versions", "key bytes", "value bytes"];
        let [bytes, share, versions, keys, values] = heads;
        writeln!(out, "\n{bytes:>13} {share:>6} {versions:>10} {keys:>12} {values:>13}  prefix")
    }
}

fn write_row(out: &mut dyn Write, sums: &Sums, percent: f64) -> io::Result<()> {
    let bytes = sums.bytes();
    let Sums { versions, key_bytes, value_bytes, .. } = sums;
    write!(out, "{bytes:>13} {percent:>5.1}% {versions:>10} {key_bytes:>12} {value_bytes:>13}  ")
}

impl Line for PrefixLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_row(out, &self.sums, self.percent)?;
        writeln!(out, "{}", Cut(&self.prefix, PREFIX_BYTES_SHOWN))
    }
}

/// The prefixes that have no line.
#[derive(Serialize)]
#[serde(tag = "type", rename = "other-prefixes")]
pub(super) struct OthersLine {
    /// How many were told apart; there may be more.
    #[serde(rename = "prefixes")]
    pub(super) told: u64,
    #[serde(flatten)]
    pub(super) sums: Sums,
    pub(super) percent: f64,
}

impl Line for OthersLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_row(out, &self.sums, self.percent)?;
        writeln!(out, "other prefixes")
    }
}
