//! What `etcd-dump wal` can be told.

use super::filter::{Filter, KindPattern};
use crate::notation::unquote;
use crate::request::Keys;
use bytes::Bytes;
use retcd_wal::Flushed;
use std::path::PathBuf;

/// How much of a value text shows unless told otherwise, in bytes.
const TEXT_VALUES_MAX: usize = 64;

const EXAMPLES: &str = "Examples:
  etcd-dump wal default.etcd --summary           would a member start, and how much is there?
  etcd-dump wal default.etcd --from 100 --to 120
  etcd-dump wal default.etcd --kind txn --key /registry/pods/ --prefix -w json";

/// Show a write-ahead log: segments, groups, records, and what a start would make of it
///
/// Nothing is changed and no lock is taken. The log of a running member can be read too; what it is
/// just writing then looks torn.
///
/// Exit code: 0 if a member would start with this log, 1 if not or if something can't be read, 2 if
/// the arguments are wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::dump) struct Args {
    /// A data directory, or the folder of a log
    pub(super) dir: PathBuf,

    /// Where the log lies if it isn't in the data directory
    #[arg(long, value_name = "DIR")]
    pub(super) wal_dir: Option<PathBuf>,

    /// Form of the output: text, or one JSON object per line
    #[arg(short = 'w', long, value_name = "FORM", value_enum, default_value = "text")]
    write_out: Format,

    /// Show records from this index on
    #[arg(long, value_name = "INDEX")]
    from_index: Option<u64>,

    /// Show records up to this index, which is included
    #[arg(long, value_name = "INDEX")]
    to_index: Option<u64>,

    /// Show records of these kinds only: normal, conf-change, hard-state, snapshot, or requests
    /// such as put, delete-range, txn, compaction, lease-grant; "lease" means all that begin so
    #[arg(
        long,
        value_name = "KIND,...",
        value_delimiter = ',',
        value_parser = KindPattern::parse
    )]
    kind: Vec<KindPattern>,

    /// Show requests that read, compare, write or delete this key only; written as the output has
    /// it, without the quotes
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<Bytes>,

    /// Take the key for what keys begin with
    #[arg(long, requires = "key")]
    prefix: bool,

    /// Show the segment with this number only (0x for hexadecimal)
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    pub(super) segment: Option<u64>,

    /// Show segments and groups, but no records
    #[arg(long)]
    pub(super) groups_only: bool,

    /// Show totals only
    #[arg(long, conflicts_with = "groups_only")]
    pub(super) summary: bool,

    /// How many bytes of each value to show, or "full" [default: 64 in text, full in JSON]
    #[arg(long, value_name = "BYTES", value_parser = values)]
    values: Option<usize>,

    /// Up to where the engine has flushed, if it can't be asked
    #[arg(long, value_name = "INDEX:TERM", value_parser = flushed)]
    pub(super) flushed: Option<Flushed>,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[value(alias = "simple")]
    Text,
    /// One object per line.
    Json,
}

impl Args {
    pub(super) fn format(&self) -> Format {
        self.write_out
    }

    /// How much of a value is shown, in bytes.
    pub(super) fn values_max(&self) -> usize {
        self.values.unwrap_or(match self.write_out {
            Format::Text => TEXT_VALUES_MAX,
            Format::Json => usize::MAX,
        })
    }

    pub(super) fn filter(&self) -> Filter {
        let keys = self.key.clone().map(|key| match self.prefix {
            true => Keys::with_prefix(key),
            false => Keys::of(&key, &Bytes::new()),
        });
        Filter { from: self.from_index, to: self.to_index, kinds: self.kind.clone(), keys }
    }
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

fn key(text: &str) -> Result<Bytes, &'static str> {
    unquote(text)
        .map(Bytes::from)
        .ok_or("a backslash goes before n, t, r, x and two digits, \" or \\")
}

fn values(text: &str) -> Result<usize, std::num::ParseIntError> {
    if text == "full" { Ok(usize::MAX) } else { text.parse() }
}

fn flushed(text: &str) -> Result<Flushed, String> {
    let parts = text.split_once(':').and_then(|(index, term)| {
        Some(Flushed { index: index.parse().ok()?, term: term.parse().ok()? })
    });
    parts.ok_or_else(|| "it isn't INDEX:TERM, such as 120:3".to_owned())
}
