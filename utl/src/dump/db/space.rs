//! What fills the database: keys, versions and bytes by prefix.
//!
//! 1. Versions come keys ascending, with what each takes on disk; no value is read.
//! 2. A key belongs to the prefix that its first parts make. Prefixes that the walk is inside of
//!    lie on a stack, since `/a/` goes on after `/a/b/`; one is complete when the walk leaves it.
//! 3. Of the complete ones the largest are kept; the others are summed up.

use super::Error;
use super::args::{Range, Space};
use super::output::{KEYSPACES, Line, Output, bytes, name_of};
use super::reading::Reading;
use super::subject::Subject;
use super::summary::runs_of;
use super::tree;
use crate::notation::{Count, Cut};
use bytes::Bytes;
use retcd_engine::table::Seen;
use retcd_engine::{Keyspace, Version};
use serde::Serialize;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::{self, Write};

/// Bytes of a prefix that text shows.
const PREFIX_BYTES_SHOWN: usize = 120;

/// What fills a database.
pub(super) struct Measured {
    pub(super) tallied: Tallied,
    pub(super) sizes: Sizes,
}

/// A version that was met.
pub(super) struct Met {
    /// Its revision.
    pub(super) revision: u64,
    /// Whether its key exists with it.
    pub(super) is_live: bool,
    /// Its share of the files' blocks.
    pub(super) stored_bytes: f64,
}

/// Reads what [`show`] prints, and tells `watch` of each version. Damage is printed.
pub(super) fn measure(
    subject: Subject<'_>,
    asked: &Space,
    output: &mut Output<'_>,
    watch: &mut dyn FnMut(Met),
) -> Result<Measured, Error> {
    let mut reading = Reading::open(subject, &[Keyspace::Kv], output)?;
    let mut tally = Tally::new(asked, subject.applied().watermark);
    reading.walk(Keyspace::Kv, &asked.range, output, &mut |seen| watch(tally.add(seen)))?;
    let sizes = Sizes::of(subject, output)?;
    Ok(Measured { tallied: tally.finish(), sizes })
}

/// Prints the largest prefixes, then the rest.
pub(super) fn show(
    subject: Subject<'_>,
    asked: &Space,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let Measured { tallied, sizes } = measure(subject, asked, output, &mut |_| {})?;
    let Tallied { largest, others, prefixes_left, total } = tallied;
    let everything = sizes.everything;
    if !output.is_json() {
        write_head(output.raw())?;
    }
    for row in &largest {
        let what = What::Prefix { prefix: row.prefix.clone() };
        output.print(&SpaceLine::of(what, &row.sums, everything))?;
    }
    if prefixes_left > 0 {
        let what = What::OtherPrefixes { prefixes: prefixes_left };
        output.print(&SpaceLine::of(what, &others, everything))?;
    }
    output.print(&SpaceLine::of(What::AllKeys {}, &total, everything))?;
    output.gap()?;
    let stored = total.stored_bytes.round() as u64;
    rest(&sizes, stored, asked.range.is_all(), output)
}

/// Bytes of files.
pub(super) struct Sizes {
    /// By keyspace.
    keyspaces: [u64; KEYSPACES.len()],
    /// Pages of a tree that are free, and those that say where the others are.
    free_pages: Option<[u64; 2]>,
    pub(super) everything: u64,
}

impl Sizes {
    fn of(subject: Subject<'_>, output: &mut Output<'_>) -> Result<Sizes, Error> {
        let mut keyspaces = [0; KEYSPACES.len()];
        for (keyspace, bytes) in KEYSPACES.into_iter().zip(&mut keyspaces) {
            *bytes = match subject {
                Subject::Tables(folder) => {
                    let tables = runs_of(folder, keyspace).flat_map(|(_, run)| &run.tables);
                    tables.fold(0, |sum: u64, file| sum.saturating_add(file.file_bytes))
                }
                Subject::Tree(tree) => tree::Totals::of(tree, keyspace, output)?.page_bytes,
            };
        }
        let sum = keyspaces.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        let Subject::Tree(tree) = subject else {
            return Ok(Sizes { keyspaces, free_pages: None, everything: sum });
        };
        let used = tree.used_pages() * tree.page_bytes();
        let everything = tree.pages() * tree.page_bytes();
        let free_pages = Some([everything - used, used.saturating_sub(sum)]);
        Ok(Sizes { keyspaces, free_pages, everything })
    }
}

/// Prints what else takes room: with the pairs besides records, other keyspaces, no keyspace.
fn rest(sizes: &Sizes, stored: u64, is_all: bool, output: &mut Output<'_>) -> Result<(), Error> {
    for Rest { of, what, bytes } in sizes.rest(stored, is_all) {
        let percent = percent(bytes as f64, sizes.everything);
        let is_keyspace = KEYSPACES.iter().any(|keyspace| name_of(*keyspace) == of);
        let (keyspace, pages) = if is_keyspace { (Some(of), None) } else { (None, Some(of)) };
        output.print(&RestLine { keyspace, pages, what, bytes, percent })?;
    }
    Ok(())
}

/// Something that takes room and is no prefix's.
pub(super) struct Rest {
    /// The keyspace, or what kind of pages.
    pub(super) of: &'static str,
    /// In words.
    pub(super) what: &'static str,
    pub(super) bytes: u64,
}

impl Sizes {
    /// What takes room beside `stored` bytes of pairs; `is_all` if these are all pairs.
    pub(super) fn rest(&self, stored: u64, is_all: bool) -> Vec<Rest> {
        let mut all = Vec::new();
        for (keyspace, &bytes) in KEYSPACES.into_iter().zip(&self.keyspaces) {
            let (what, bytes) = match keyspace {
                Keyspace::Kv if !is_all => continue,
                Keyspace::Kv if self.free_pages.is_some() => {
                    ("branch pages of pairs", bytes.saturating_sub(stored))
                }
                Keyspace::Kv => ("indexes and filters of pairs", bytes.saturating_sub(stored)),
                Keyspace::Rev => ("history for watches", bytes),
                Keyspace::Lease => ("keys attached to leases", bytes),
                Keyspace::Meta => ("leases, alarms, members", bytes),
            };
            all.push(Rest { of: name_of(keyspace), what, bytes });
        }
        if let Some([free, bookkeeping]) = self.free_pages {
            let what = "pages that say where the others are";
            all.push(Rest { of: "free", what: "free pages", bytes: free });
            all.push(Rest { of: "bookkeeping", what, bytes: bookkeeping });
        }
        all
    }
}

/// Sums over records.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Sums {
    /// Keys that exist.
    pub(super) keys: u64,
    /// Versions, deletions among them.
    pub(super) versions: u64,
    /// Bytes of keys and values, of all versions.
    pub(super) key_bytes: u64,
    pub(super) value_bytes: u64,
    /// Bytes of keys and values of versions that a newer one took the place of, and of deletions.
    pub(super) superseded_bytes: u64,
    /// Of these, what a merge of everything would leave out now.
    pub(super) reclaimable_bytes: u64,
    /// Share of the files' blocks.
    pub(super) stored_bytes: f64,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.keys += other.keys;
        self.versions += other.versions;
        self.key_bytes += other.key_bytes;
        self.value_bytes += other.value_bytes;
        self.superseded_bytes += other.superseded_bytes;
        self.reclaimable_bytes += other.reclaimable_bytes;
        self.stored_bytes += other.stored_bytes;
    }
}

/// A prefix and the keys that belong to it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) prefix: Bytes,
    pub(super) sums: Sums,
}

impl Ord for Row {
    /// The larger one is greater; of equals, the one that comes first in the order of keys.
    fn cmp(&self, other: &Row) -> Ordering {
        let (mine, theirs) = (self.sums.stored_bytes, other.sums.stored_bytes);
        mine.total_cmp(&theirs).then_with(|| other.prefix.cmp(&self.prefix))
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Row {}

/// See the module's text.
struct Tally<'a> {
    asked: &'a Space,
    /// The compacted revision.
    watermark: u64,
    /// The last key, and its version if there was one.
    key: Vec<u8>,
    version: Option<Version>,
    /// Prefixes that the walk is inside of, each within the one before.
    inside: Vec<Row>,
    /// The largest that are complete.
    largest: BinaryHeap<Reverse<Row>>,
    others: Sums,
    prefixes_left: u64,
    total: Sums,
}

/// What comes out.
pub(super) struct Tallied {
    /// Largest first.
    pub(super) largest: Vec<Row>,
    pub(super) others: Sums,
    pub(super) prefixes_left: u64,
    pub(super) total: Sums,
}

impl<'a> Tally<'a> {
    fn new(asked: &'a Space, watermark: u64) -> Tally<'a> {
        Tally {
            asked,
            watermark,
            key: Vec::new(),
            version: None,
            inside: Vec::new(),
            largest: BinaryHeap::new(),
            others: Sums::default(),
            prefixes_left: 0,
            total: Sums::default(),
        }
    }

    fn add(&mut self, seen: Seen<'_>) -> Met {
        let (record, footprint) = (seen.record, seen.footprint);
        let newer = self.version.filter(|_| *self.key == *record.key);
        self.version = Some(record.version);
        self.key.clear();
        self.key.extend_from_slice(record.key);
        let is_live = newer.is_none() && !record.tombstone;
        let (key_bytes, value_bytes) = (record.key.len() as u64, footprint.value_bytes);
        let superseded_bytes = if is_live { 0 } else { key_bytes.saturating_add(value_bytes) };
        // As a merge decides: of what is at or below the watermark the newest stays, unless it says
        // that the key is gone. A record that two runs have stays once.
        let is_settled = |newer: Version| newer.main <= self.watermark || newer == record.version;
        let is_reclaimable = newer.is_some_and(is_settled)
            || (record.tombstone && record.version.main <= self.watermark);
        let sums = Sums {
            keys: u64::from(is_live),
            versions: 1,
            key_bytes,
            value_bytes,
            superseded_bytes,
            reclaimable_bytes: if is_reclaimable { superseded_bytes } else { 0 },
            stored_bytes: footprint.stored_bytes,
        };
        self.total.add(&sums);
        self.row_of(record.key).add(&sums);
        let (revision, stored_bytes) = (record.version.main, footprint.stored_bytes);
        Met { revision, is_live, stored_bytes }
    }

    /// The sums of the prefix that `key` belongs to, which comes at or after all before.
    fn row_of(&mut self, key: &[u8]) -> &mut Sums {
        let prefix = prefix_of(key, &self.asked.delimiter, self.asked.depth);
        while let Some(row) = self.inside.pop_if(|row| !prefix.starts_with(&row.prefix)) {
            self.complete(row);
        }
        if self.inside.last().is_none_or(|row| *row.prefix != *prefix) {
            let prefix = Bytes::copy_from_slice(prefix);
            self.inside.push(Row { prefix, sums: Sums::default() });
        }
        let at = self.inside.len() - 1;
        &mut self.inside[at].sums
    }

    fn complete(&mut self, row: Row) {
        self.largest.push(Reverse(row));
        if self.largest.len() > self.asked.limit
            && let Some(Reverse(smallest)) = self.largest.pop()
        {
            self.others.add(&smallest.sums);
            self.prefixes_left += 1;
        }
    }

    fn finish(mut self) -> Tallied {
        while let Some(row) = self.inside.pop() {
            self.complete(row);
        }
        Tallied {
            // Ascending order of what is reversed: largest first.
            largest: self.largest.into_sorted_vec().into_iter().map(|Reverse(row)| row).collect(),
            others: self.others,
            prefixes_left: self.prefixes_left,
            total: self.total,
        }
    }
}

/// What the first `depth` parts of `key` make, with the delimiter behind; less if it has not so
/// many. A delimiter in front isn't the end of a part.
pub(in crate::dump) fn prefix_of<'k>(key: &'k [u8], delimiter: &[u8], depth: usize) -> &'k [u8] {
    let mut end = if key.starts_with(delimiter) { delimiter.len() } else { 0 };
    for _ in 0..depth {
        let rest = &key[end..];
        let found = rest.windows(delimiter.len()).position(|window| window == delimiter);
        match found {
            Some(at) => end += at + delimiter.len(),
            None => break,
        }
    }
    &key[..end]
}

/// What a line of the table is about.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
enum What {
    Prefix {
        #[serde(serialize_with = "bytes")]
        prefix: Bytes,
    },
    OtherPrefixes {
        prefixes: u64,
    },
    AllKeys {},
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "space")]
struct SpaceLine {
    #[serde(flatten)]
    what: What,
    #[serde(flatten)]
    sums: Sums,
    /// Share of all tables, in percent.
    percent: f64,
}

impl SpaceLine {
    fn of(what: What, sums: &Sums, everything: u64) -> SpaceLine {
        let percent = percent(sums.stored_bytes, everything);
        let sums = Sums { stored_bytes: sums.stored_bytes.round(), ..sums.clone() };
        SpaceLine { what, sums, percent }
    }
}

/// A share in percent, with one decimal.
pub(super) fn percent(bytes: f64, everything: u64) -> f64 {
    (1000.0 * bytes / (everything.max(1) as f64)).round() / 10.0
}

/// A part that no prefix has.
#[derive(Serialize)]
#[serde(tag = "type", rename = "rest")]
struct RestLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    keyspace: Option<&'static str>,
    /// Of a tree, pages of no keyspace: `free` or `bookkeeping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<&'static str>,
    #[serde(skip)]
    what: &'static str,
    bytes: u64,
    /// Share of all tables, in percent.
    percent: f64,
}

/// Columns, their heads and their widths.
const COLUMNS: [(&str, usize); 8] = [
    ("stored", 11),
    ("share", 7),
    ("keys", 9),
    ("versions", 9),
    ("key bytes", 11),
    ("value bytes", 12),
    ("superseded", 11),
    ("reclaimable", 11),
];

fn write_head(out: &mut dyn Write) -> io::Result<()> {
    write_row(out, COLUMNS.map(|(head, _)| head.to_owned()))?;
    writeln!(out, "prefix")
}

fn write_row(out: &mut dyn Write, fields: [String; COLUMNS.len()]) -> io::Result<()> {
    for (field, (_, width)) in fields.iter().zip(COLUMNS) {
        write!(out, "{field:>width$} ")?;
    }
    out.write_all(b" ")
}

impl Line for SpaceLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let SpaceLine { what, sums, percent } = self;
        write_row(
            out,
            [
                format!("{:.0}", sums.stored_bytes),
                format!("{percent:.1}%"),
                sums.keys.to_string(),
                sums.versions.to_string(),
                sums.key_bytes.to_string(),
                sums.value_bytes.to_string(),
                sums.superseded_bytes.to_string(),
                sums.reclaimable_bytes.to_string(),
            ],
        )?;
        match what {
            What::Prefix { prefix } => writeln!(out, "{}", Cut(prefix, PREFIX_BYTES_SHOWN)),
            What::OtherPrefixes { prefixes: 1 } => writeln!(out, "1 other prefix"),
            What::OtherPrefixes { prefixes } => writeln!(out, "{prefixes} other prefixes"),
            What::AllKeys {} => writeln!(out, "all {}", Count(sums.keys, "key")),
        }
    }
}

impl Line for RestLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let RestLine { what, bytes, .. } = self;
        writeln!(out, "{bytes:>11} {:>6.1}%  {what}", self.percent)
    }
}

impl Range {
    /// Whether it has all keys.
    pub(super) fn is_all(&self) -> bool {
        let range = self.from(b"");
        range.start.is_empty() && range.end.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_whole_parts() {
        let prefix = |key: &'static str, depth| {
            std::str::from_utf8(prefix_of(key.as_bytes(), b"/", depth)).expect("it is text")
        };
        assert_eq!(prefix("/registry/pods/default/a", 1), "/registry/");
        assert_eq!(prefix("/registry/pods/default/a", 2), "/registry/pods/");
        assert_eq!(prefix("/registry/pods", 2), "/registry/");
        assert_eq!(prefix("a/b/c", 1), "a/");
        assert_eq!(prefix("a", 3), "");
        assert_eq!(prefix("/", 3), "/");
        assert_eq!(prefix_of(b"a::b::c", b"::", 1), b"a::");
        assert_eq!(prefix_of(b"", b"/", 1), b"");
    }
}
