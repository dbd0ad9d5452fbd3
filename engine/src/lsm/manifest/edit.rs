//! Edits: what changes in the set of files, and how that is written.
//!
//! ```text
//! tag u8 | fields, little-endian; byte strings behind a u32 length | next change …
//! ```
//!
//! An edit is atomic: the reader takes all of its changes or none. The decoder takes any bytes.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::Bytes;

use super::{RunId, Tier};
use crate::table::{FileNumber, TableFile};
use crate::{Applied, Keyspace};

const TAG_NEXT: u8 = 1;
const TAG_APPLIED: u8 = 2;
const TAG_ADD_TABLE: u8 = 3;
const TAG_REMOVE_TABLE: u8 = 4;
const TAG_TRIM_RUN: u8 = 5;
/// Since version 2 of the manifest.
const TAG_REPLACE_TABLE: u8 = 6;

const TIER_LAST: u8 = u8::MAX;

/// One change of the set of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// File and run numbers below this one are taken.
    Next(u64),
    /// The files now hold everything up to here.
    Applied(Applied),
    /// A run gets a table at its right end. The first one makes the run.
    AddTable {
        /// The run.
        run: RunId,
        /// Where the run stands; the same for all its tables.
        tier: Tier,
        /// The table.
        file: TableFile,
    },
    /// A table is no longer part of the set. The last one takes its run away.
    RemoveTable(FileNumber),
    /// What the run has left of `start` is no longer part of the set.
    TrimRun {
        /// The run.
        run: RunId,
        /// Its first key from now on.
        start: Bytes,
    },
    /// A table takes another one's place in its run.
    ReplaceTable {
        /// The one that is no longer part of the set.
        old: FileNumber,
        /// The one that is.
        file: TableFile,
    },
}

/// Changes that happen together.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Edit(pub Vec<Change>);

impl Edit {
    /// Appends the edit's bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for change in &self.0 {
            change.encode(out);
        }
    }

    /// Reads what [`Edit::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Result<Edit, &'static str> {
        let mut reader = Reader(bytes);
        let mut changes = Vec::new();
        while !reader.0.is_empty() {
            changes.push(Change::decode(&mut reader)?);
        }
        Ok(Edit(changes))
    }
}

impl Change {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Change::Next(number) => {
                out.push(TAG_NEXT);
                out.extend(number.to_le_bytes());
            }
            Change::Applied(applied) => {
                out.push(TAG_APPLIED);
                for field in [applied.index, applied.term, applied.watermark] {
                    out.extend(field.to_le_bytes());
                }
                put_bytes(out, &applied.state);
            }
            Change::AddTable { run, tier, file } => {
                out.extend([TAG_ADD_TABLE, file.keyspace as u8, tier.to_disk()]);
                out.extend(run.0.to_le_bytes());
                put_file(out, file);
            }
            Change::RemoveTable(number) => {
                out.push(TAG_REMOVE_TABLE);
                out.extend(number.0.to_le_bytes());
            }
            Change::TrimRun { run, start } => {
                out.push(TAG_TRIM_RUN);
                out.extend(run.0.to_le_bytes());
                put_bytes(out, start);
            }
            Change::ReplaceTable { old, file } => {
                out.extend([TAG_REPLACE_TABLE, file.keyspace as u8]);
                out.extend(old.0.to_le_bytes());
                put_file(out, file);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Change, &'static str> {
        Ok(match reader.u8()? {
            TAG_NEXT => Change::Next(reader.u64()?),
            TAG_APPLIED => Change::Applied(Applied {
                index: reader.u64()?,
                term: reader.u64()?,
                watermark: reader.u64()?,
                state: reader.bytes()?,
            }),
            TAG_ADD_TABLE => {
                let keyspace = reader.keyspace()?;
                let tier = Tier::from_disk(reader.u8()?);
                let run = RunId(reader.u64()?);
                Change::AddTable { run, tier, file: reader.file(keyspace)? }
            }
            TAG_REMOVE_TABLE => Change::RemoveTable(FileNumber(reader.u64()?)),
            TAG_TRIM_RUN => Change::TrimRun { run: RunId(reader.u64()?), start: reader.bytes()? },
            TAG_REPLACE_TABLE => {
                let keyspace = reader.keyspace()?;
                let old = FileNumber(reader.u64()?);
                Change::ReplaceTable { old, file: reader.file(keyspace)? }
            }
            _ => return Err("unknown kind of change"),
        })
    }
}

impl Tier {
    fn to_disk(self) -> u8 {
        match self {
            Tier::Level(level) => level.min(TIER_LAST.saturating_sub(1)),
            Tier::Last => TIER_LAST,
        }
    }

    fn from_disk(byte: u8) -> Tier {
        match byte {
            TIER_LAST => Tier::Last,
            level => Tier::Level(level),
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("keys and states are far below 4 GiB");
    out.extend(len.to_le_bytes());
    out.extend(bytes);
}

fn put_file(out: &mut Vec<u8>, file: &TableFile) {
    out.extend(file.number.0.to_le_bytes());
    out.extend(file.file_bytes.to_le_bytes());
    out.extend(file.checksum.to_le_bytes());
}

const SHORT: &str = "the edit ends inside a change";

/// Takes fields off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (field, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*field)
    }

    fn u8(&mut self) -> Result<u8, &'static str> {
        self.array::<1>().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }

    fn keyspace(&mut self) -> Result<Keyspace, &'static str> {
        Keyspace::from_disk(self.u8()?).ok_or("unknown keyspace")
    }

    fn file(&mut self, keyspace: Keyspace) -> Result<TableFile, &'static str> {
        Ok(TableFile {
            number: FileNumber(self.u64()?),
            keyspace,
            file_bytes: self.u64()?,
            checksum: self.u32()?,
        })
    }

    fn bytes(&mut self) -> Result<Bytes, &'static str> {
        let len = self.u32()? as usize;
        let (field, rest) = self.0.split_at_checked(len).ok_or(SHORT)?;
        self.0 = rest;
        Ok(Bytes::copy_from_slice(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Edit {
        Edit(vec![
            Change::Next(9),
            Change::Applied(Applied {
                index: 1,
                term: 2,
                watermark: 3,
                state: Bytes::from_static(b"state"),
            }),
            Change::AddTable {
                run: RunId(4),
                tier: Tier::Level(2),
                file: TableFile {
                    number: FileNumber(5),
                    keyspace: Keyspace::Lease,
                    file_bytes: 6,
                    checksum: 7,
                },
            },
            Change::RemoveTable(FileNumber(8)),
            Change::TrimRun { run: RunId(4), start: Bytes::from_static(b"k") },
            Change::ReplaceTable {
                old: FileNumber(5),
                file: TableFile {
                    number: FileNumber(9),
                    keyspace: Keyspace::Meta,
                    file_bytes: 10,
                    checksum: 11,
                },
            },
        ])
    }

    #[test]
    fn an_edit_comes_back() {
        let mut bytes = Vec::new();
        one_of_each().encode(&mut bytes);
        assert_eq!(Edit::decode(&bytes), Ok(one_of_each()));
    }

    #[test]
    fn an_edit_cut_anywhere_loses_its_end_or_is_refused() {
        let mut bytes = Vec::new();
        one_of_each().encode(&mut bytes);
        while bytes.pop().is_some() {
            if let Ok(edit) = Edit::decode(&bytes) {
                assert!(one_of_each().0.starts_with(&edit.0), "cut at {}", bytes.len());
                assert!(edit.0.len() < one_of_each().0.len());
            }
        }
    }

    #[test]
    fn unknown_changes_and_keyspaces_are_refused() {
        assert_eq!(Edit::decode(&[77]), Err("unknown kind of change"));
        assert_eq!(Edit::decode(&[TAG_ADD_TABLE, 9]), Err("unknown keyspace"));
    }
}
