//! Keys at a revision, or all versions of them, with the fields of etcd's `KeyValue`.

use super::Error;
use super::args::{Keys, Values};
use super::fault::Fault;
use super::output::{Line, Output, bytes, maybe_bytes};
use super::reading::{Reading, Scan};
use super::subject::Subject;
use crate::notation::Quoted;
use bytes::Bytes;
use retcd_engine::{Keyspace, Projection, Record, Version};
use retcd_mvcc::stored::{PairHeader, State};
use serde::Serialize;
use std::io::{self, Write};

/// Prints the keys that are asked for.
pub(super) fn show(
    subject: Subject<'_>,
    asked: &Keys,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let at = version_of(subject, asked.revision, output)?;
    let mut reading = Reading::open(subject, &[Keyspace::Kv], output)?;
    let scan = Scan {
        keyspace: Keyspace::Kv,
        range: &asked.range,
        at,
        all_versions: asked.all_versions,
        projection: projection(asked.values),
    };
    let mut left = asked.limit;
    if left == 0 {
        return Ok(());
    }
    reading.each(&scan, output, &mut |output, record| {
        print(subject, record, asked.values, output)?;
        left -= 1;
        Ok(left > 0)
    })
}

/// How much of a record has to be read.
pub(super) fn projection(values: Values) -> Projection {
    match values {
        Values::None => Projection::Keys,
        Values::UpTo(_) => Projection::Full,
    }
}

/// Prints a record of `kv`.
pub(super) fn print(
    subject: Subject<'_>,
    record: Record,
    values: Values,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let key = Bytes::clone(&record.key);
    let version = record.version;
    match KeyLine::of(record, values) {
        Ok(line) => output.print(&line),
        Err(error) => {
            let file = Some(subject.path().display().to_string());
            let Version { main, sub } = version;
            let reason = format!("{} at {main}.{sub}: {error}", Quoted(&key));
            output.fault(Fault { file, offset: None, reason })
        }
    }
}

/// The newest version that is seen at the revision that is asked for.
fn version_of(
    subject: Subject<'_>,
    asked: Option<u64>,
    output: &mut Output<'_>,
) -> Result<Version, Error> {
    let state = match State::decode(&subject.applied().state) {
        Ok(state) => state,
        Err(error) => {
            let file = Some(subject.path().display().to_string());
            output.fault(Fault { file, offset: None, reason: error.to_string() })?;
            return Ok(asked.map_or(Version::MAX, Version::end_of));
        }
    };
    let newest = state.revision.cast_unsigned();
    let compacted = u64::try_from(state.compacted).unwrap_or(0);
    let asked = asked.unwrap_or(newest);
    if asked < compacted || asked > newest {
        return Err(Error::NoRevision { asked, compacted, newest });
    }
    Ok(Version::end_of(asked))
}

/// A key.
#[derive(Serialize)]
#[serde(tag = "type", rename = "key")]
struct KeyLine {
    #[serde(serialize_with = "bytes")]
    key: Bytes,
    mod_revision: u64,
    /// Position among the changes of that revision.
    sub: u64,
    /// Absent in a deletion.
    #[serde(flatten)]
    pair: Option<PairPart>,
    /// As much of it as was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_bytes")]
    value: Option<Bytes>,
    /// Its length, if it is cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<usize>,
    deleted: bool,
}

#[derive(Serialize)]
struct PairPart {
    create_revision: i64,
    version: i64,
    lease: i64,
}

impl KeyLine {
    fn of(record: Record, values: Values) -> Result<KeyLine, retcd_mvcc::Error> {
        let Version { main, sub } = record.version;
        let pair = match record.tombstone {
            true => None,
            false => Some(PairHeader::decode(&record)?),
        };
        let shown = match values {
            Values::UpTo(shown) if pair.is_some() => Some(shown),
            _ => None,
        };
        let value = shown.map(|shown| record.value.slice(..record.value.len().min(shown)));
        let cut = value.as_ref().is_some_and(|value| value.len() < record.value.len());
        Ok(KeyLine {
            key: record.key,
            mod_revision: main,
            sub,
            pair: pair.map(|PairHeader { create_revision, version, lease }| PairPart {
                create_revision,
                version,
                lease,
            }),
            value,
            value_bytes: cut.then_some(record.value.len()),
            deleted: record.tombstone,
        })
    }
}

impl Line for KeyLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (main, sub, key) = (self.mod_revision, self.sub, Quoted(&self.key));
        let Some(PairPart { create_revision, version, lease }) = &self.pair else {
            return writeln!(out, "{main}.{sub} delete {key}");
        };
        write!(out, "{main}.{sub} put {key}")?;
        match (&self.value, self.value_bytes) {
            (Some(value), Some(bytes)) => write!(out, " = {}… ({bytes} bytes)", Quoted(value))?,
            (Some(value), None) => write!(out, " = {}", Quoted(value))?,
            (None, _) => {}
        }
        write!(out, " created {create_revision} version {version}")?;
        match lease {
            0 => writeln!(out),
            lease => writeln!(out, " lease {lease:x}"),
        }
    }
}
