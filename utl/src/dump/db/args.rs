//! What `etcd-dump db` can be told, and what of it goes with what.

use super::Error;
use super::output::KEYSPACES;
use crate::notation::unquote;
use bytes::Bytes;
use retcd_engine::{KeyRange, Keyspace};
use std::path::{Path, PathBuf};

/// Bytes of a value that are shown unless told otherwise.
const VALUE_BYTES_SHOWN: usize = 64;

/// Prefixes that `--space` lists unless told otherwise.
pub(in crate::dump) const PREFIXES_SHOWN: usize = 20;

/// Parts of a key that make a prefix, and what separates them, unless told otherwise.
pub(in crate::dump) const DEPTH: u8 = 2;
pub(in crate::dump) const DELIMITER: &[u8] = b"/";

/// Show a database: of a member's data directory, or one of etcd's, or a snapshot
///
/// PATH is a data directory, its member/snap/db, or a file in bbolt's format: etcd's database, or a
/// snapshot that was saved. Nothing is changed and no lock is taken. What a running member has in
/// its log and memory only isn't shown; files that it removes meanwhile are reported as missing.
///
/// Without a flag: a summary. Exit code: 0 whole, 1 damaged or unreadable, 2 wrong arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("view").multiple(false))]
#[command(group = clap::ArgGroup::new("by-prefix").args(["space", "html"]))]
pub(in crate::dump) struct Args {
    /// A data directory, its database, or a file in bbolt's format
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,

    /// Form of the output: text, or one JSON object per line
    #[arg(short = 'w', long, value_name = "FORM", value_enum, default_value = "text")]
    write_out: Format,

    /// Show how the manifest came about, edit by edit
    #[arg(long, group = "view")]
    manifest: bool,

    /// Show the properties of all tables
    #[arg(long, group = "view")]
    tables: bool,

    /// Show one table: its properties, parts and index; N is decimal, 0x…, or the file's name
    #[arg(long, value_name = "N", value_parser = table_number, group = "view")]
    table: Option<u64>,

    /// With --table: its blocks, in the order of the file, in place of the index
    #[arg(long, requires = "table")]
    blocks: bool,

    /// Show the keys at a revision
    #[arg(long, group = "view")]
    keys: bool,

    /// Show the records of a keyspace, decoded
    #[arg(long, value_name = "NAME", value_enum, group = "view")]
    keyspace: Option<KeyspaceName>,

    /// Show what fills the database: keys, versions and bytes by prefix, largest first
    #[arg(long, group = "view")]
    space: bool,

    /// Read everything, check it, and say what is damaged
    #[arg(long, group = "view")]
    verify: bool,

    /// Write a page for a browser to FILE: space by prefix, revisions of what is stored, and how
    /// runs and tables lie
    #[arg(long, value_name = "FILE", group = "view")]
    html: Option<PathBuf>,

    /// Show the pairs in this bucket of a file in bbolt's format
    #[arg(long, value_name = "NAME", group = "view")]
    bucket: Option<String>,

    /// Keys that begin so, written as the output has them, without the quotes
    #[arg(long, value_name = "KEY", value_parser = key, conflicts_with_all = ["from", "to"])]
    prefix: Option<Bytes>,

    /// Keys from this one on
    #[arg(long, value_name = "KEY", value_parser = key)]
    from: Option<Bytes>,

    /// Keys before this one
    #[arg(long, value_name = "KEY", value_parser = key)]
    to: Option<Bytes>,

    /// At this revision [default: the newest that is flushed]
    #[arg(long, value_name = "REVISION")]
    rev: Option<u64>,

    /// All versions of each key that there are, deletions too
    #[arg(long)]
    all_versions: bool,

    /// At most so many keys, records, pairs or prefixes
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Show this much of each value, in bytes
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "64")]
    values: Option<usize>,

    /// Show values whole
    #[arg(long, conflicts_with = "values")]
    full: bool,

    /// With --space or --html: how many parts of a key make a prefix [default: 2]
    #[arg(
        long,
        value_name = "N",
        requires = "by-prefix",
        value_parser = clap::value_parser!(u8).range(1..)
    )]
    depth: Option<u8>,

    /// With --space or --html: what separates the parts of a key [default: /]
    #[arg(long, value_name = "TEXT", requires = "by-prefix", value_parser = key)]
    delimiter: Option<Bytes>,
}

const EXAMPLES: &str = "\
Examples:
  etcd-dump db default.etcd                        what is there, and what could be reclaimed
  etcd-dump db default.etcd --space                what fills my database?
  etcd-dump db default.etcd --space --prefix /registry/events/ --depth 3
  etcd-dump db default.etcd --keys --prefix /registry/pods/ --limit 10 --values
  etcd-dump db default.etcd --keys --rev 4711 -w json
  etcd-dump db default.etcd --keys --all-versions --from a --to b
  etcd-dump db default.etcd --keyspace meta        leases, alarms, members
  etcd-dump db default.etcd --table 000000000000002a.sst --blocks
  etcd-dump db default.etcd --verify && echo whole
  etcd-dump db default.etcd --html db.html         a picture of all that, for a browser
  etcd-dump db snapshot.db --bucket key --limit 10";

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::dump) enum Format {
    /// For people.
    #[value(alias = "simple")]
    Text,
    /// One object per line.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KeyspaceName {
    /// Pairs, all versions
    Kv,
    /// What each revision changed
    Rev,
    /// Keys attached to leases
    Lease,
    /// Leases, alarms, members, the cluster's version
    Meta,
}

/// What to show of our own engine.
pub(super) enum View {
    Summary,
    Manifest,
    Tables,
    Table(u64),
    Blocks(u64),
    Keys(Keys),
    Keyspace(Records),
    Space(Space),
    Verify,
    Html(PathBuf, Space),
}

/// What to show of a file in bbolt's format.
pub(super) struct BoltView {
    /// The bucket, if not all.
    pub(super) bucket: Option<String>,
    /// Most pairs.
    pub(super) limit: usize,
    /// Bytes of each value in text, and in JSON.
    pub(super) value_bytes: (usize, usize),
}

/// A range of keys that owns its bounds.
#[derive(Clone)]
pub(in crate::dump) struct Range {
    start: Bytes,
    end: Option<Bytes>,
}

impl Range {
    /// All keys.
    pub(in crate::dump) fn all() -> Range {
        Range { start: Bytes::new(), end: None }
    }

    /// Borrowed, from `start` on if that is further.
    pub(in crate::dump) fn from<'a>(&'a self, start: &'a [u8]) -> KeyRange<'a> {
        KeyRange { start: start.max(&self.start), end: self.end.as_deref() }
    }
}

/// How much of values is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// They aren't read.
    None,
    /// At most so many bytes.
    UpTo(usize),
}

/// What `--keys` asks for.
pub(super) struct Keys {
    pub(super) range: Range,
    pub(super) revision: Option<u64>,
    pub(super) all_versions: bool,
    pub(super) limit: usize,
    pub(super) values: Values,
}

/// What `--keyspace` asks for.
pub(super) struct Records {
    pub(super) keyspace: Keyspace,
    pub(super) range: Range,
    pub(super) all_versions: bool,
    pub(super) limit: usize,
    pub(super) values: Values,
}

/// What `--space` asks for.
#[derive(Clone)]
pub(super) struct Space {
    pub(super) range: Range,
    pub(super) depth: usize,
    pub(super) delimiter: Bytes,
    pub(super) limit: usize,
}

impl Args {
    pub(super) fn format(&self) -> Format {
        self.write_out
    }

    /// Whether pairs are asked for as bbolt's buckets have them.
    pub(super) fn names_a_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    /// What is asked of the engine's folder `dir`.
    pub(super) fn engine_view(&self, dir: &Path) -> Result<View, Error> {
        let wrong = |what| Error::Flag(dir.to_owned(), what);
        if self.bucket.is_some() {
            return Err(wrong("retcd's own tables have no buckets; see --keyspace"));
        }
        let (keys, records) = (self.keys, self.keyspace.is_some());
        let by_prefix = self.space || self.html.is_some();
        let ranged = self.prefix.is_some() || self.from.is_some() || self.to.is_some();
        for (given, fits, what) in [
            (ranged, keys || records || by_prefix, "a range of keys goes with --keys or --space"),
            (self.rev.is_some(), keys, "--rev goes with --keys"),
            (self.all_versions, keys || records, "--all-versions goes with --keys or --keyspace"),
            (self.limit.is_some(), keys || records || by_prefix, "--limit of what?"),
            (self.shows_values(), keys || records, "values go with --keys or --keyspace"),
            (
                self.shapes_prefixes(),
                by_prefix,
                "--depth and --delimiter go with --space or --html",
            ),
            (self.blocks, self.table.is_some(), "--blocks goes with --table"),
        ] {
            if given && !fits {
                return Err(wrong(what));
            }
        }
        Ok(self.view())
    }

    fn view(&self) -> View {
        let (range, values) = (self.range(), self.values());
        if let Some(name) = self.keyspace {
            return View::Keyspace(Records {
                keyspace: KEYSPACES[name as usize],
                range,
                all_versions: self.all_versions,
                limit: self.limit.unwrap_or(usize::MAX),
                values,
            });
        }
        match (self.table, self.blocks) {
            (Some(number), true) => return View::Blocks(number),
            (Some(number), false) => return View::Table(number),
            (None, _) => {}
        }
        if self.keys {
            return View::Keys(Keys {
                range,
                revision: self.rev,
                all_versions: self.all_versions,
                limit: self.limit.unwrap_or(usize::MAX),
                values,
            });
        }
        let space = Space {
            range,
            depth: usize::from(self.depth.unwrap_or(DEPTH)),
            delimiter: self.delimiter.clone().unwrap_or(Bytes::from_static(DELIMITER)),
            limit: self.limit.unwrap_or(PREFIXES_SHOWN),
        };
        if self.space {
            return View::Space(space);
        }
        if let Some(path) = &self.html {
            return View::Html(path.clone(), space);
        }
        match (self.manifest, self.tables, self.verify) {
            (true, ..) => View::Manifest,
            (_, true, _) => View::Tables,
            (.., true) => View::Verify,
            (false, false, false) => View::Summary,
        }
    }

    /// What is asked of the file `path` in bbolt's format.
    pub(super) fn bolt_view(&self, path: &Path) -> Result<BoltView, Error> {
        let wrong = |what| Err(Error::Flag(path.to_owned(), what));
        if self.html.is_some() {
            return wrong("pages are made of retcd's databases; etcd-dump snapshot tells of this");
        }
        let others = [self.manifest, self.tables, self.keys, self.space];
        let others = others.contains(&true) || self.table.is_some() || self.keyspace.is_some();
        let ranged = self.prefix.is_some() || self.from.is_some() || self.to.is_some();
        if others || ranged || self.rev.is_some() || self.all_versions || self.shapes_prefixes() {
            return wrong("a file in bbolt's format has buckets only; see --bucket");
        }
        if self.bucket.is_none() && (self.limit.is_some() || self.shows_values()) {
            return wrong("--limit and values go with --bucket");
        }
        Ok(BoltView {
            bucket: self.bucket.clone(),
            limit: self.limit.unwrap_or(usize::MAX),
            value_bytes: match self.values() {
                Values::None => (VALUE_BYTES_SHOWN, usize::MAX),
                Values::UpTo(bytes) => (bytes, bytes),
            },
        })
    }

    fn shapes_prefixes(&self) -> bool {
        self.depth.is_some() || self.delimiter.is_some()
    }

    fn shows_values(&self) -> bool {
        self.full || self.values.is_some()
    }

    fn values(&self) -> Values {
        match (self.full, self.values) {
            (true, _) => Values::UpTo(usize::MAX),
            (false, Some(bytes)) => Values::UpTo(bytes),
            (false, None) => Values::None,
        }
    }

    fn range(&self) -> Range {
        match &self.prefix {
            Some(prefix) => Range { start: prefix.clone(), end: behind(prefix) },
            None => Range { start: self.from.clone().unwrap_or_default(), end: self.to.clone() },
        }
    }
}

/// The first key behind those that begin with `prefix`; `None` if there is none.
fn behind(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

/// A key as the output has it, without the quotes.
pub(in crate::dump) fn key(text: &str) -> Result<Bytes, &'static str> {
    let bytes =
        unquote(text).ok_or("a backslash goes before n, t, r, x and two digits, \" or \\")?;
    if bytes.is_empty() {
        return Err("it is empty");
    }
    Ok(bytes.into())
}

fn table_number(text: &str) -> Result<u64, std::num::ParseIntError> {
    if let Some(digits) = text.strip_suffix(".sst").or_else(|| text.strip_prefix("0x")) {
        return u64::from_str_radix(digits, 16);
    }
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_behind_all_that_begin_so() {
        assert_eq!(behind(b"a/").as_deref(), Some(&b"a0"[..]));
        assert_eq!(behind(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(behind(b"\xff"), None);
    }

    #[test]
    fn a_table_has_three_spellings() {
        for text in ["26", "0x1a", "000000000000001a.sst"] {
            assert_eq!(table_number(text), Ok(26), "{text}");
        }
        assert!(table_number("1a").is_err());
    }
}
