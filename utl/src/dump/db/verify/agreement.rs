//! What keyspaces say of each other, in two passes and without memory that grows.
//!
//! * Above the watermark, `rev` has a record for each version in `kv`, and `kv` one for each in
//!   `rev`: same revision, same key, put or deletion. Below it either may have lost some.
//! * The pairs that exist are as many as the state says, none is newer than its revision, and they
//!   are as many in each range as the sums say that count them.
//! * Each pair with a lease has an attachment, and the other way round; the lease is granted.
//!
//! The sides of a comparison come in different orders. So each side is counted, and the hashes of
//! what it says are added up: sums that are equal come from equal sets (SHA-256, of which 128 bits
//! are kept). Only where they differ, each side is looked up in the other one.

use super::super::args::Range;
use super::super::fault::Fault;
use super::super::output::{Line, Output};
use super::super::reading::{Reading, Scan};
use super::super::subject::Subject;
use super::Error;
use super::counted::Counted;
use crate::notation::{Count, Quoted};
use retcd_engine::{Keyspace, Projection, Record, Version, View};
use retcd_mvcc::stored::{PairHeader, RevKind, State, attachment, rev_kind};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// Differences that are named, of each kind.
const NAMED_MAX: u64 = 100;

/// A set of byte strings, as far as it can be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fingerprint {
    count: u64,
    sum: u128,
}

impl Fingerprint {
    fn add(&mut self, parts: &[&[u8]]) {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let half: [u8; 16] = *hasher.finalize().first_chunk().expect("it has 32 bytes");
        self.count += 1;
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(half));
    }

    fn change(&mut self, version: Version, kind: RevKind, key: &[u8]) {
        let (main, sub) = (version.main.to_le_bytes(), version.sub.to_le_bytes());
        self.add(&[&main, &sub, &[kind as u8], key]);
    }

    fn attach(&mut self, lease: i64, key: &[u8]) {
        self.add(&[&lease.to_le_bytes(), key]);
    }
}

/// Compares, and prints what differs.
pub(super) fn check(subject: Subject<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let applied = subject.applied();
    let state = match State::decode(&applied.state) {
        Ok(state) => state,
        Err(error) => return fault(subject, error.to_string(), output),
    };
    let all = Range::all();
    let mut check = Check {
        subject,
        watermark: applied.watermark,
        reading: Reading::open(subject, &super::KEYSPACES, output)?,
        all: &all,
        named: 0,
    };
    let mut counted = Counted::new(state.key_count);
    let pairs = check.pairs(&mut counted, output)?;
    counted.compare(subject, &check.reading, output)?;
    let (revision, keys) = (state.revision.cast_unsigned(), state.key_count);
    if pairs.newest > revision {
        let newest = pairs.newest;
        let reason = format!("a pair of revision {newest} is newer than the state's {revision}");
        fault(subject, reason, output)?;
    }
    if pairs.live != keys {
        let live = pairs.live;
        let reason = format!("{live} pairs exist, but the state says that {keys} do");
        fault(subject, reason, output)?;
    }
    let changes = check.changes(output)?;
    let agree = changes == pairs.changes;
    if !agree {
        let before = output.faults();
        check.look_up_changes(output)?;
        if output.faults() == before {
            fault(subject, "kv and rev don't say the same".to_owned(), output)?;
        }
    }
    let attached = check.attachments(output)?;
    if attached != pairs.attached {
        let before = output.faults();
        check.look_up_attachments(output)?;
        if output.faults() == before {
            fault(subject, "kv and lease don't say the same".to_owned(), output)?;
        }
    }
    output.print(&AgreementLine {
        keys: pairs.live,
        changes: changes.count,
        watermark: applied.watermark,
        attachments: attached.count,
        agree: agree && attached == pairs.attached,
    })
}

fn fault(subject: Subject<'_>, reason: String, output: &mut Output<'_>) -> Result<(), Error> {
    let file = Some(subject.path().display().to_string());
    output.fault(Fault { file, offset: None, reason })
}

/// What pairs say.
#[derive(Default)]
struct Pairs {
    /// Keys that exist.
    live: u64,
    newest: u64,
    /// Versions above the watermark.
    changes: Fingerprint,
    /// Leases of keys that exist.
    attached: Fingerprint,
}

struct Check<'a> {
    subject: Subject<'a>,
    watermark: u64,
    reading: Reading<'a>,
    all: &'a Range,
    /// Differences that were named.
    named: u64,
}

impl<'a> Check<'a> {
    fn scan(&self, keyspace: Keyspace, all_versions: bool, projection: Projection) -> Scan<'a> {
        Scan { keyspace, range: self.all, at: Version::MAX, all_versions, projection }
    }

    fn pairs(&mut self, counted: &mut Counted, output: &mut Output<'_>) -> Result<Pairs, Error> {
        let scan = self.scan(Keyspace::Kv, true, Projection::Keys);
        let (subject, watermark) = (self.subject, self.watermark);
        let mut pairs = Pairs::default();
        let mut last = None;
        self.reading.each(&scan, output, &mut |output, record| {
            let Version { main, sub } = record.version;
            let is_newest = last.as_ref() != Some(&record.key);
            pairs.newest = pairs.newest.max(main);
            if main > watermark {
                pairs.changes.change(record.version, kind_of(&record), &record.key);
            }
            if !record.tombstone {
                match PairHeader::decode(&record) {
                    Ok(header) if is_newest => {
                        pairs.live += 1;
                        counted.add(&record.key);
                        if header.lease != 0 {
                            pairs.attached.attach(header.lease, &record.key);
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let key = Quoted(&record.key);
                        fault(subject, format!("{key} at {main}.{sub}: {error}"), output)?;
                    }
                }
            }
            last = Some(record.key);
            Ok(true)
        })?;
        Ok(pairs)
    }

    fn changes(&mut self, output: &mut Output<'_>) -> Result<Fingerprint, Error> {
        let scan = self.scan(Keyspace::Rev, true, Projection::Full);
        let (subject, watermark) = (self.subject, self.watermark);
        let mut changes = Fingerprint::default();
        self.reading.each(&scan, output, &mut |output, record| {
            let Version { main, sub } = record.version;
            match rev_kind(&record) {
                _ if main <= watermark => {}
                Ok(kind) => changes.change(record.version, kind, &record.value),
                Err(error) => fault(subject, format!("change {main}.{sub}: {error}"), output)?,
            }
            Ok(true)
        })?;
        Ok(changes)
    }

    fn attachments(&mut self, output: &mut Output<'_>) -> Result<Fingerprint, Error> {
        let scan = self.scan(Keyspace::Lease, false, Projection::Keys);
        let subject = self.subject;
        let view = self.reading.view();
        let mut attached = Fingerprint::default();
        let mut last = None;
        self.reading.each(&scan, output, &mut |output, record| {
            let (lease, key) = match attachment(&record.key) {
                Ok(found) => found,
                Err(error) => {
                    fault(subject, format!("{}: {error}", Quoted(&record.key)), output)?;
                    return Ok(true);
                }
            };
            attached.attach(lease, &key);
            if last != Some(lease) {
                let name = [b"lease/", &lease.to_be_bytes()[..]].concat();
                let granted = view.get(Keyspace::Meta, &name, Version::MAX, Projection::Keys)?;
                if granted.is_none_or(|record| record.tombstone) {
                    let key = Quoted(&key);
                    let reason =
                        format!("{key} is attached to lease {lease:016x}, which isn't there");
                    fault(subject, reason, output)?;
                }
            }
            last = Some(lease);
            Ok(true)
        })?;
        Ok(attached)
    }

    /// Names changes that only one of `kv` and `rev` has.
    fn look_up_changes(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let watermark = self.watermark;
        let view = self.reading.view();
        let scan = self.scan(Keyspace::Rev, true, Projection::Full);
        self.each_named(&scan, output, &mut |record| {
            let Ok(kind) = rev_kind(record) else {
                return Ok(None);
            };
            let found = exactly(&*view, Keyspace::Kv, &record.value, record.version)?;
            let agrees = found.is_some_and(|found| kind_of(&found) == kind);
            let Version { main, sub } = record.version;
            let key = Quoted(&record.value);
            Ok((main > watermark && !agrees)
                .then(|| format!("rev has {kind:?} of {key} at {main}.{sub}, but kv doesn't")))
        })?;
        let scan = self.scan(Keyspace::Kv, true, Projection::Keys);
        self.each_named(&scan, output, &mut |record| {
            let Version { main, sub } = record.version;
            let name = [main.to_be_bytes(), sub.to_be_bytes()].concat();
            let found = exactly(&*view, Keyspace::Rev, &name, record.version)?;
            let agrees = found.is_some_and(|found| found.value == record.key);
            let key = Quoted(&record.key);
            Ok((main > watermark && !agrees)
                .then(|| format!("kv has {key} at {main}.{sub}, but rev doesn't")))
        })
    }

    /// Names attachments that only one of `kv` and `lease` has.
    fn look_up_attachments(&mut self, output: &mut Output<'_>) -> Result<(), Error> {
        let view = self.reading.view();
        let newest = |keyspace, key: &[u8]| {
            let found = view.get(keyspace, key, Version::MAX, Projection::Keys)?;
            Ok::<_, retcd_engine::Error>(found.filter(|record| !record.tombstone))
        };
        let scan = self.scan(Keyspace::Kv, false, Projection::Keys);
        self.each_named(&scan, output, &mut |record| {
            let lease = PairHeader::decode(record).map_or(0, |header| header.lease);
            if lease == 0 {
                return Ok(None);
            }
            let attached = [&lease.to_be_bytes()[..], &record.key].concat();
            let is_missing = newest(Keyspace::Lease, &attached)?.is_none();
            let key = Quoted(&record.key);
            Ok(is_missing.then(|| format!("{key} has lease {lease:016x}, but isn't attached")))
        })?;
        let scan = self.scan(Keyspace::Lease, false, Projection::Keys);
        self.each_named(&scan, output, &mut |record| {
            let Ok((lease, key)) = attachment(&record.key) else {
                return Ok(None);
            };
            let pair = newest(Keyspace::Kv, &key)?;
            let has = pair.and_then(|pair| PairHeader::decode(&pair).ok());
            let agrees = has.is_some_and(|header| header.lease == lease);
            let key = Quoted(&key);
            Ok((!agrees).then(|| {
                format!("{key} is attached to lease {lease:016x}, but its pair doesn't say so")
            }))
        })
    }

    /// Prints what `judge` says of records, up to a limit.
    fn each_named(
        &mut self,
        scan: &Scan<'_>,
        output: &mut Output<'_>,
        judge: &mut dyn FnMut(&Record) -> Result<Option<String>, Error>,
    ) -> Result<(), Error> {
        let (subject, named) = (self.subject, &mut self.named);
        self.reading.each(scan, output, &mut |output, record| {
            if let Some(reason) = judge(&record)? {
                *named += 1;
                fault(subject, reason, output)?;
            }
            Ok(*named < NAMED_MAX)
        })
    }
}

fn kind_of(record: &Record) -> RevKind {
    if record.tombstone { RevKind::Delete } else { RevKind::Put }
}

/// The record of this very version.
fn exactly(
    view: &dyn View,
    keyspace: Keyspace,
    key: &[u8],
    version: Version,
) -> Result<Option<Record>, Error> {
    let found = view.get(keyspace, key, version, Projection::Full)?;
    Ok(found.filter(|record| record.version == version))
}

/// What was compared.
#[derive(Serialize)]
#[serde(tag = "type", rename = "agreement")]
struct AgreementLine {
    keys: u64,
    /// Changes above the watermark.
    changes: u64,
    watermark: u64,
    attachments: u64,
    agree: bool,
}

impl Line for AgreementLine {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let AgreementLine { watermark, agree, .. } = self;
        let (keys, changes) = (Count(self.keys, "key"), Count(self.changes, "change"));
        let attachments = Count(self.attachments, "attachment");
        let verb = if *agree { "agree" } else { "DON'T agree" };
        writeln!(
            out,
            "kv, rev and lease {verb}: {keys}, {changes} above revision {watermark}, {attachments}"
        )
    }
}
