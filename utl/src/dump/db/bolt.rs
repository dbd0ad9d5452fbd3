//! What is in a database of etcd's or in a snapshot.
//!
//! The file is bbolt's: buckets of pairs. Without a bucket's name the whole file is read: each page
//! is checked to be used once, keys to ascend, and the hash behind a snapshot to be right. With
//! one, its pairs are printed as they come, as far as what lies before them is whole. Revisions,
//! pairs and leases are decoded; what doesn't decode is shown as bytes.
//!
//! Memory is one path of pages, and a bit for each page of the file.

use super::Error;
use super::args::BoltView;
use super::output::Output;
use crate::notation::{Cut, Quoted};
use crate::snapshot_hash::{self, SnapshotHash};
use bytes::Bytes;
use prost::Message;
use retcd_api::base64;
use retcd_api::leasepb::Lease;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::bolt::{Bucket, Database, Entry, Usage};
use retcd_vfs::Vfs;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::Path;

/// Bytes of a revision as a key: main, `_`, sub; a `t` more for a deletion.
const REVISION_BYTES: usize = 17;

/// Prints what `view` asks for of the file `path`.
pub(super) fn run(
    view: BoltView,
    vfs: &dyn Vfs,
    path: &Path,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let database = Database::open(vfs, path)?;
    let Some(name) = &view.bucket else {
        return summary(vfs, &database, output);
    };
    let bucket = database.bucket(name.as_bytes())?;
    let bucket = bucket.ok_or_else(|| Error::NoBucket(path.to_owned(), name.clone()))?;
    pairs(&view, &database, name, &bucket, output)
}

/// What one bucket holds.
#[derive(Default)]
struct Count {
    name: String,
    keys: u64,
    key_bytes: u64,
    value_bytes: u64,
}

fn summary(vfs: &dyn Vfs, database: &Database, output: &mut Output<'_>) -> Result<(), Error> {
    let usage = database.verify()?;
    let is_hashed = check_hash(vfs, database)?;
    let mut counts = Vec::new();
    for bucket in database.root().entries(database)? {
        let (name, entry) = bucket?;
        let mut count = Count { name: unescaped(&name), ..Count::default() };
        if let Entry::Bucket(bucket) = entry {
            for pair in bucket.entries(database)? {
                let (key, entry) = pair?;
                count.keys += 1;
                count.key_bytes += key.len() as u64;
                if let Entry::Value(value) = entry {
                    count.value_bytes += value.len() as u64;
                }
            }
        }
        counts.push(count);
    }
    match output.is_json() {
        true => summary_json(database, usage, is_hashed, &counts, output.raw())?,
        false => summary_text(database, usage, is_hashed, &counts, output.raw())?,
    }
    Ok(())
}

fn summary_text(
    database: &Database,
    usage: Usage,
    is_hashed: bool,
    counts: &[Count],
    out: &mut dyn Write,
) -> io::Result<()> {
    let meta = database.meta();
    let (path, bytes) = (database.path().display(), database.file_bytes());
    writeln!(out, "database {path}: {bytes} bytes, pages of {}", meta.page_bytes)?;
    let (pages, transaction) = (meta.pages, meta.transaction);
    let Usage { trees, free, bookkeeping } = usage;
    writeln!(
        out,
        "  transaction {transaction}; {pages} pages: {trees} of trees, {free} free, \
         {bookkeeping} of bookkeeping, {} named by nobody",
        pages - trees - free - bookkeeping
    )?;
    let hash = if is_hashed { "the SHA-256 at the end is right" } else { "no SHA-256 at the end" };
    writeln!(out, "  {hash}\n")?;
    let head = ["bucket", "keys", "key bytes", "value bytes"];
    writeln!(out, "  {:<18} {:>12} {:>14} {:>16}", head[0], head[1], head[2], head[3])?;
    for Count { name, keys, key_bytes, value_bytes } in counts {
        writeln!(out, "  {name:<18} {keys:>12} {key_bytes:>14} {value_bytes:>16}")?;
    }
    Ok(())
}

fn summary_json(
    database: &Database,
    usage: Usage,
    is_hashed: bool,
    counts: &[Count],
    out: &mut dyn Write,
) -> io::Result<()> {
    let meta = database.meta();
    let line = json!({
        "type": "database",
        "file": database.path().display().to_string(),
        "bytes": database.file_bytes(),
        "page_bytes": meta.page_bytes,
        "transaction": meta.transaction,
        "pages": meta.pages,
        "tree_pages": usage.trees,
        "free_pages": usage.free,
        "bookkeeping_pages": usage.bookkeeping,
        "hashed": is_hashed,
    });
    writeln!(out, "{line}")?;
    for Count { name, keys, key_bytes, value_bytes } in counts {
        let line = json!({
            "type": "bucket",
            "name": name,
            "keys": keys,
            "key_bytes": key_bytes,
            "value_bytes": value_bytes,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Checks the hash behind a snapshot; says whether there is one.
fn check_hash(vfs: &dyn Vfs, database: &Database) -> Result<bool, Error> {
    let path = database.path();
    let io = |error| Error::Io(path.to_owned(), error);
    match snapshot_hash::check(vfs, path, &mut |_| {}).map_err(io)? {
        SnapshotHash::Missing => Ok(false),
        SnapshotHash::Right => Ok(true),
        SnapshotHash::Wrong { .. } => Err(Error::WrongHash(path.to_owned())),
    }
}

fn pairs(
    view: &BoltView,
    database: &Database,
    name: &str,
    bucket: &Bucket,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    for pair in bucket.entries(database)?.take(view.limit) {
        let (key, entry) = pair?;
        let value = match entry {
            // It has the hash of a password.
            Entry::Value(_) if name == "authUsers" => Bytes::from_static(b"(withheld)"),
            Entry::Value(value) => value,
            Entry::Bucket(_) => Bytes::from_static(b"(a bucket)"),
        };
        let decoded = decode(name, &key, &value);
        let (is_json, out) = (output.is_json(), output.raw());
        let (in_text, in_json) = view.value_bytes;
        match is_json {
            true => writeln!(out, "{}", pair_json(name, &key, &value, decoded, in_json))?,
            false => writeln!(out, "{}", pair_text(&key, &value, decoded, in_text))?,
        }
    }
    Ok(())
}

/// What etcd keeps in a pair.
enum Decoded {
    Version { main: u64, sub: u64, is_deleted: bool, pair: KeyValue },
    Lease(Lease),
}

fn decode(bucket: &str, key: &Bytes, value: &Bytes) -> Option<Decoded> {
    match bucket {
        "key" => {
            let (revision, mark) = key.split_at_checked(REVISION_BYTES)?;
            let number = |bytes: &[u8]| Some(u64::from_be_bytes(*bytes.first_chunk()?));
            Some(Decoded::Version {
                main: number(revision)?,
                sub: number(revision.get(9..)?)?,
                is_deleted: mark == b"t",
                pair: KeyValue::decode(value.clone()).ok()?,
            })
        }
        "lease" => Lease::decode(value.clone()).ok().map(Decoded::Lease),
        _ => None,
    }
}

fn pair_text(key: &Bytes, value: &Bytes, decoded: Option<Decoded>, shown: usize) -> String {
    let cut = |value| Cut(value, shown);
    match decoded {
        Some(Decoded::Version { main, sub, is_deleted: true, pair }) => {
            format!("{main}.{sub} delete {}", Quoted(&pair.key))
        }
        Some(Decoded::Version { main, sub, is_deleted: false, pair }) => {
            let KeyValue { key, value, create_revision, version, lease, .. } = &pair;
            let lease = if *lease == 0 { String::new() } else { format!(" lease {lease:x}") };
            let (key, value) = (Quoted(key), cut(value));
            let created = create_revision;
            format!("{main}.{sub} put {key} = {value} created {created} version {version}{lease}")
        }
        Some(Decoded::Lease(lease)) => {
            let Lease { id, ttl, remaining_ttl, .. } = lease;
            format!("lease {id:016x} TTL {ttl} s, remaining when last told {remaining_ttl} s")
        }
        None => format!("{} = {}", Quoted(key), cut(value)),
    }
}

fn pair_json(
    bucket: &str,
    key: &Bytes,
    value: &Bytes,
    decoded: Option<Decoded>,
    shown: usize,
) -> Value {
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| _ = line.insert(name.into(), value);
    let cut = |put: &mut dyn FnMut(&str, Value), value: &Bytes| {
        put("value", base64::encode(&value[..value.len().min(shown)]).into());
        if value.len() > shown {
            put("value_bytes", value.len().into());
        }
    };
    put("type", "pair".into());
    put("bucket", bucket.into());
    match decoded {
        Some(Decoded::Version { main, sub, is_deleted, pair }) => {
            put("main", main.into());
            put("sub", sub.into());
            put("deleted", is_deleted.into());
            put("key", base64::encode(&pair.key).into());
            if !is_deleted {
                cut(&mut put, &pair.value);
                put("create_revision", pair.create_revision.into());
                put("version", pair.version.into());
                put("lease", pair.lease.into());
            }
        }
        Some(Decoded::Lease(lease)) => {
            put("lease", lease.id.into());
            put("ttl", lease.ttl.into());
            put("remaining_ttl", lease.remaining_ttl.into());
        }
        None => {
            put("key", base64::encode(key).into());
            cut(&mut put, value);
        }
    }
    Value::Object(line)
}

/// A bucket's name as it is typed.
fn unescaped(name: &[u8]) -> String {
    let quoted = Quoted(name).to_string();
    quoted.trim_matches('"').to_owned()
}
