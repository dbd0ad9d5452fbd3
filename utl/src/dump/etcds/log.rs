//! etcd's log: all files, in order, and what they say together.
//!
//! A file is read up to the first record that can't be read; reading goes on with the next file,
//! whose first record says what the checksums go on with. Memory doesn't grow with the log: of
//! snapshots' marks and of what doesn't hold the newest are kept, since a start takes entries from
//! the last files only.

use super::hex;
use super::record::{Ending, Found, Record, Records};
use crate::progress::Progress;
use retcd_vfs::Vfs;
use retcd_wal::HardState;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// Snapshots' marks that are kept: etcd keeps five snapshots' files.
const MARKS_MAX: usize = 1024;
/// Faults that are kept of each kind.
const FAULTS_MAX: usize = 64;

/// A file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dump) struct FileName {
    /// Its number.
    pub(in crate::dump) sequence: u64,
    /// The index behind the last one when it was begun.
    pub(in crate::dump) first_index: u64,
}

impl FileName {
    fn parse(name: &Path) -> Option<FileName> {
        let (sequence, first_index) = name.to_str()?.strip_suffix(".wal")?.split_once('-')?;
        Some(FileName { sequence: hex(sequence)?, first_index: hex(first_index)? })
    }
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{:016x}.wal", self.sequence, self.first_index)
    }
}

/// Index and term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dump) struct Position {
    pub(in crate::dump) index: u64,
    pub(in crate::dump) term: u64,
}

/// Something that doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dump) struct LogFault {
    /// In which file.
    pub(in crate::dump) file: FileName,
    /// Where in it.
    pub(in crate::dump) offset: u64,
    /// What.
    pub(in crate::dump) reason: String,
}

/// A part at the end that never was written as a whole.
#[derive(Clone, Debug)]
pub(in crate::dump) struct TornTail {
    pub(in crate::dump) file: FileName,
    pub(in crate::dump) offset: u64,
    /// How much is there of it.
    pub(in crate::dump) bytes: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(in crate::dump) struct EtcdLog {
    /// The folder.
    pub(in crate::dump) dir: PathBuf,
    /// Its files, oldest first.
    pub(in crate::dump) files: Vec<FileName>,
    /// Cluster and member, if the log says who wrote it.
    pub(in crate::dump) identity: Option<(u64, u64)>,
    /// The newest hard state.
    pub(in crate::dump) hard_state: Option<HardState>,
    /// The first entry that there is.
    pub(in crate::dump) first_index: Option<u64>,
    /// The last one.
    pub(in crate::dump) last: Option<Position>,
    /// Where snapshots were taken, newest last.
    pub(in crate::dump) marks: VecDeque<Position>,
    /// Files that are missing, and records that can't be read. Every start refuses them, since it
    /// reads the records of all files to find the snapshots' marks.
    pub(in crate::dump) unreadable: VecDeque<LogFault>,
    /// Entries and identities that don't follow from what is before them. Only a start that takes
    /// its entries from there minds them.
    pub(in crate::dump) out_of_order: VecDeque<LogFault>,
    /// How it ends, if not whole.
    pub(in crate::dump) torn: Option<TornTail>,
    /// Where something was written behind the zeros at its end, and up to where.
    pub(in crate::dump) behind: Option<(FileName, u64, u64)>,
    /// The term of the entry that was asked for.
    pub(in crate::dump) watched_term: Option<u64>,
    watched: Option<u64>,
}

impl EtcdLog {
    /// Whether files in `dir` are called as etcd's and ours are.
    pub(in crate::dump) fn names(vfs: &dyn Vfs, dir: &Path) -> io::Result<Vec<FileName>> {
        let names = vfs.list(dir)?;
        let mut files: Vec<_> = names.iter().filter_map(|name| FileName::parse(name)).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// Reads all of the log in `dir`. `watched` is an index whose entry's term is to be told.
    pub(in crate::dump) fn read(
        vfs: &dyn Vfs,
        dir: &Path,
        watched: Option<u64>,
        progress: &mut Progress<'_>,
    ) -> io::Result<EtcdLog> {
        let files = EtcdLog::names(vfs, dir)?;
        let mut log = EtcdLog { dir: dir.to_owned(), files, watched, ..EtcdLog::default() };
        let mut sum = 0;
        for (at, file) in log.files.clone().into_iter().enumerate() {
            let is_last = at + 1 == log.files.len();
            let before = at.checked_sub(1).and_then(|before| log.files.get(before)).copied();
            if let Some(before) = before
                && before.sequence.checked_add(1) != Some(file.sequence)
            {
                log.unreadable(before, 0, "the files behind it are missing".to_owned());
                (sum, log.last) = (0, None);
            }
            let opened = vfs.open_read(&dir.join(file.to_string()));
            match opened.and_then(|opened| Records::new(opened, sum, is_last)) {
                Ok(mut records) => {
                    let is_whole = log.read_file(file, &mut records, is_last, progress);
                    sum = if is_whole { records.sum() } else { 0 };
                }
                Err(error) => {
                    log.unreadable(file, 0, error.to_string());
                    sum = 0;
                }
            }
        }
        Ok(log)
    }

    /// Reads a file. Says whether all of it could be read.
    fn read_file(
        &mut self,
        file: FileName,
        records: &mut Records,
        is_last: bool,
        progress: &mut Progress<'_>,
    ) -> bool {
        let mut told = 0;
        loop {
            let offset = records.offset();
            if offset - told >= 1 << 20 {
                progress.add(offset - told);
                told = offset;
            }
            let ending = match records.next() {
                Ok(Found::Record(record)) => {
                    if let Err(reason) = self.follow(record) {
                        keep_newest(&mut self.out_of_order, LogFault { file, offset, reason });
                    }
                    continue;
                }
                Ok(Found::End(ending)) => ending,
                Err(error) => {
                    self.unreadable(file, offset, error.to_string());
                    return false;
                }
            };
            progress.add(offset - told);
            match ending {
                Ending::Torn => {
                    let end = records.written_behind().ok().flatten().unwrap_or(offset);
                    let bytes = end.saturating_sub(offset);
                    self.torn = Some(TornTail { file, offset, bytes });
                }
                Ending::Damaged(reason) => {
                    self.unreadable(file, offset, reason.to_owned());
                    return false;
                }
                Ending::Whole if is_last => self.look_behind(file, records),
                Ending::Whole => {}
            }
            return true;
        }
    }

    /// What is behind zeros would be lost without a word.
    fn look_behind(&mut self, file: FileName, records: &mut Records) {
        match records.written_behind() {
            Ok(None) => {}
            Ok(Some(end)) => self.behind = Some((file, records.offset(), end)),
            Err(error) => self.unreadable(file, records.offset(), error.to_string()),
        }
    }

    /// Follows what a record says; tells what doesn't hold.
    fn follow(&mut self, record: Record) -> Result<(), String> {
        match record {
            Record::Sum => {}
            Record::Identity { member, cluster } => match self.identity {
                Some(before) if before != (cluster, member) => {
                    return Err("another member wrote this file".to_owned());
                }
                _ => self.identity = Some((cluster, member)),
            },
            Record::HardState { term, vote, commit } => {
                self.hard_state = Some(HardState { term, vote, commit });
            }
            Record::Snapshot { index, term } => {
                let mark = Position { index, term };
                self.marks.push_back(mark);
                // A snapshot that was received: the log goes on behind it.
                if mark.index > self.last.map_or(0, |last| last.index) {
                    self.last = Some(mark);
                }
                if self.marks.len() > MARKS_MAX {
                    self.marks.pop_front();
                }
            }
            Record::Entry { index, term } => return self.follow_entry(Position { index, term }),
        }
        Ok(())
    }

    fn follow_entry(&mut self, entry: Position) -> Result<(), String> {
        let before = self.last.replace(entry);
        self.first_index = Some(self.first_index.map_or(entry.index, |at| at.min(entry.index)));
        match self.watched {
            Some(watched) if watched == entry.index => self.watched_term = Some(entry.term),
            // What it had been was replaced.
            Some(watched) if watched > entry.index => self.watched_term = None,
            _ => {}
        }
        let Some(before) = before else {
            return Ok(());
        };
        if entry.index > before.index.saturating_add(1) {
            let (index, last) = (entry.index, before.index);
            return Err(format!(
                "entry {index} comes after entry {last}: those between are missing"
            ));
        }
        if entry.term < before.term {
            return Err(format!(
                "the term of entry {} is below that of the one before",
                entry.index
            ));
        }
        Ok(())
    }

    fn unreadable(&mut self, file: FileName, offset: u64, reason: String) {
        keep_newest(&mut self.unreadable, LogFault { file, offset, reason });
    }

    /// Everything that doesn't hold, as far as it was kept, in the log's order.
    pub(in crate::dump) fn faults(&self) -> Vec<&LogFault> {
        let mut faults: Vec<_> = self.unreadable.iter().chain(&self.out_of_order).collect();
        faults.sort();
        faults
    }
}

fn keep_newest(faults: &mut VecDeque<LogFault>, fault: LogFault) {
    if faults.len() == FAULTS_MAX {
        faults.pop_front();
    }
    faults.push_back(fault);
}
