//! The set of files as the manifest knows it: runs, their tables, and what they cover.
//!
//! Replaying edits builds it; the whole of it, written as one edit, starts the next manifest. What
//! an edit may say is checked here, so that a damaged or misused manifest is refused before a file
//! is opened or removed on its word.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::names::NUMBER_MAX;
use super::{Change, Edit, RunId, Tier};
use crate::table::{FileNumber, TableFile};
use crate::{Applied, Keyspace};

/// A sorted run: tables of one keyspace whose key ranges are disjoint and ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEntry {
    /// The keyspace of its tables.
    pub keyspace: Keyspace,
    /// Where it stands.
    pub tier: Tier,
    /// Records with smaller keys are in its files, but not part of it. Empty for none.
    pub start: Bytes,
    /// Its tables, keys ascending. Never empty.
    pub tables: Vec<TableFile>,
}

/// Everything that a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Contents {
    /// What the files cover.
    pub applied: Applied,
    /// The next unused file or run number.
    pub next: u64,
    /// The runs.
    pub runs: BTreeMap<RunId, RunEntry>,
}

impl Contents {
    /// Takes all of `edit`, or refuses it and is unusable afterwards.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Result<(), &'static str> {
        for change in &edit.0 {
            self.apply_change(change)?;
        }
        Ok(())
    }

    /// The edit that makes these contents out of nothing.
    pub(super) fn to_edit(&self) -> Edit {
        let mut changes = vec![Change::Next(self.next), Change::Applied(self.applied.clone())];
        for (&run, entry) in &self.runs {
            changes.extend(entry.tables.iter().map(|&file| Change::AddTable {
                run,
                tier: entry.tier,
                file,
            }));
            if !entry.start.is_empty() {
                changes.push(Change::TrimRun { run, start: entry.start.clone() });
            }
        }
        Edit(changes)
    }

    /// The numbers of all tables.
    pub(crate) fn table_numbers(&self) -> BTreeSet<FileNumber> {
        let runs = self.runs.values();
        runs.flat_map(|run| run.tables.iter().map(|file| file.number)).collect()
    }

    fn apply_change(&mut self, change: &Change) -> Result<(), &'static str> {
        match change {
            Change::Next(next) => {
                if *next < self.next {
                    return Err("file numbers go back");
                }
                if *next > NUMBER_MAX {
                    return Err("a file number that is never reached");
                }
                self.next = *next;
            }
            Change::Applied(applied) => {
                let before = &self.applied;
                if applied.index < before.index || applied.watermark < before.watermark {
                    return Err("the applied index or the watermark goes back");
                }
                self.applied = applied.clone();
            }
            Change::AddTable { run, tier, file } => self.add_table(*run, *tier, *file)?,
            Change::RemoveTable(number) => self.remove_table(*number)?,
            Change::TrimRun { run, start } => {
                let entry = self.runs.get_mut(run).ok_or("trims a run that isn't there")?;
                if *start < entry.start {
                    return Err("the start of a run goes back");
                }
                entry.start = start.clone();
            }
            Change::ReplaceTable { old, file } => self.replace_table(*old, *file)?,
        }
        Ok(())
    }

    fn add_table(&mut self, run: RunId, tier: Tier, file: TableFile) -> Result<(), &'static str> {
        if run.0 >= self.next || file.number.0 >= self.next {
            return Err("uses a number that wasn't given out");
        }
        let entry = self.runs.entry(run).or_insert_with(|| RunEntry {
            keyspace: file.keyspace,
            tier,
            start: Bytes::new(),
            tables: Vec::new(),
        });
        if (entry.keyspace, entry.tier) != (file.keyspace, tier) {
            return Err("a run with tables of two keyspaces or tiers");
        }
        if entry.tables.iter().any(|table| table.number == file.number) {
            return Err("adds a table twice");
        }
        entry.tables.push(file);
        Ok(())
    }

    fn replace_table(&mut self, old: FileNumber, file: TableFile) -> Result<(), &'static str> {
        if file.number.0 >= self.next {
            return Err("uses a number that wasn't given out");
        }
        let mut entries = self.runs.values_mut();
        let found = entries.find_map(|entry| {
            let place = entry.tables.iter().position(|table| table.number == old)?;
            Some((entry, place))
        });
        let (entry, place) = found.ok_or("replaces a table that isn't there")?;
        if entry.keyspace != file.keyspace {
            return Err("a run with tables of two keyspaces or tiers");
        }
        if entry.tables.iter().any(|table| table.number == file.number) {
            return Err("adds a table twice");
        }
        if let Some(table) = entry.tables.get_mut(place) {
            *table = file;
        }
        Ok(())
    }

    fn remove_table(&mut self, number: FileNumber) -> Result<(), &'static str> {
        for (&run, entry) in &mut self.runs {
            if let Some(place) = entry.tables.iter().position(|table| table.number == number) {
                entry.tables.remove(place);
                if entry.tables.is_empty() {
                    self.runs.remove(&run);
                }
                return Ok(());
            }
        }
        Err("removes a table that isn't there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(number: u64, keyspace: Keyspace) -> TableFile {
        TableFile { number: FileNumber(number), keyspace, file_bytes: 100, checksum: 1 }
    }

    fn add(run: u64, number: u64, keyspace: Keyspace) -> Change {
        Change::AddTable { run: RunId(run), tier: Tier::Level(0), file: table(number, keyspace) }
    }

    fn replace(old: u64, number: u64, keyspace: Keyspace) -> Change {
        Change::ReplaceTable { old: FileNumber(old), file: table(number, keyspace) }
    }

    fn trim(run: u64, start: &'static [u8]) -> Change {
        Change::TrimRun { run: RunId(run), start: Bytes::from_static(start) }
    }

    #[test]
    fn contents_come_back_from_their_edit() {
        let mut contents = Contents::default();
        let edit = Edit(vec![
            Change::Next(20),
            Change::Applied(Applied { index: 7, watermark: 3, ..Applied::default() }),
            add(1, 2, Keyspace::Kv),
            add(1, 3, Keyspace::Kv),
            add(4, 5, Keyspace::Meta),
            Change::RemoveTable(FileNumber(2)),
            trim(1, b"m"),
        ]);
        contents.apply(&edit).expect("a sensible edit");
        let mut again = Contents::default();
        again.apply(&contents.to_edit()).expect("its own edit");
        assert_eq!(again, contents);
        assert_eq!(contents.runs.len(), 2);
    }

    #[test]
    fn a_run_goes_with_its_last_table() {
        let mut contents = Contents::default();
        let remove = Change::RemoveTable(FileNumber(2));
        let edit = Edit(vec![Change::Next(3), add(1, 2, Keyspace::Kv), remove]);
        contents.apply(&edit).expect("a sensible edit");
        assert!(contents.runs.is_empty());
    }

    #[test]
    fn a_table_takes_the_place_of_another() {
        let mut contents = Contents::default();
        let tables = [2, 3, 4].map(|number| add(1, number, Keyspace::Kv));
        let mut edit = Edit(vec![Change::Next(9)]);
        edit.0.extend(tables);
        edit.0.push(replace(3, 7, Keyspace::Kv));
        contents.apply(&edit).expect("a sensible edit");
        let numbers: Vec<u64> =
            contents.runs[&RunId(1)].tables.iter().map(|table| table.number.0).collect();
        assert_eq!(numbers, [2, 7, 4]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let applied = |index| Change::Applied(Applied { index, ..Applied::default() });
        let cases = [
            vec![Change::Next(5), Change::Next(4)],
            vec![applied(5), applied(4)],
            vec![add(1, 2, Keyspace::Kv)],
            vec![Change::Next(9), add(1, 2, Keyspace::Kv), add(1, 3, Keyspace::Rev)],
            vec![Change::Next(9), add(1, 2, Keyspace::Kv), add(1, 2, Keyspace::Kv)],
            vec![Change::RemoveTable(FileNumber(2))],
            vec![trim(1, b"k")],
            vec![Change::Next(9), replace(1, 2, Keyspace::Kv)],
            vec![Change::Next(3), add(1, 2, Keyspace::Kv), replace(2, 3, Keyspace::Kv)],
            vec![Change::Next(9), add(1, 2, Keyspace::Kv), replace(2, 3, Keyspace::Rev)],
            vec![Change::Next(9), add(1, 2, Keyspace::Kv), replace(2, 2, Keyspace::Kv)],
            vec![Change::Next(9), add(1, 2, Keyspace::Kv), trim(1, b"k"), trim(1, b"a")],
        ];
        for case in cases {
            assert!(Contents::default().apply(&Edit(case.clone())).is_err(), "{case:?}");
        }
    }
}
