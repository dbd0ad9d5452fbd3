//! A valid history, then mutations of the files it left, then a start.
//!
//! The log may be refused, or cut; it must not panic, and what it says must be what was appended:
//! each entry that comes back is one that was submitted under its index and term. An undamaged log
//! must come back whole. Whatever was accepted can be appended to and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_vfs::{AlignedBuf, LogMode, MemVfs, Vfs};
use retcd_wal::{
    BLOCK_BYTES, Flushed, Group, HardState, Identity, Log, LogEntry, Options, Purge, Recovery,
    SnapshotMark, Step,
};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "/wal";
const IDENTITY: Identity = Identity { cluster: 1, member: 2 };

/// The input, read number by number.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn up_to(&mut self, max: usize) -> usize {
        let high = usize::from(self.byte().unwrap_or_default());
        let low = usize::from(self.byte().unwrap_or_default());
        (high << 8 | low) % (max + 1)
    }
}

struct History {
    vfs: MemVfs,
    log: Log,
    term: u64,
    flushed: Flushed,
    /// Every (index, term) that was submitted.
    submitted: Vec<(u64, u64)>,
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let Some(mut history) = History::new(&mut input) else {
        return;
    };
    let groups = input.up_to(24);
    for _ in 0..groups {
        history.act(&mut input);
    }
    let History { vfs, log, flushed, submitted, .. } = history;
    let last_index = log.last_index();
    match input.up_to(1) {
        0 => drop(log),
        _ => log.close().expect("memory doesn't fail"),
    }
    let mutations = input.up_to(4);
    for _ in 0..mutations {
        mutate(&vfs, &mut input);
    }
    let opened = open(&vfs, flushed);
    if mutations == 0 {
        let (_, recovery) = opened.as_ref().expect("nothing was damaged");
        assert_eq!(recovery.state.last_index, last_index);
    }
    let Ok((log, recovery)) = opened else {
        return;
    };
    check(&log, &recovery, flushed, &submitted);
    goes_on(&vfs, log, flushed);
});

impl History {
    fn new(input: &mut Input<'_>) -> Option<History> {
        let vfs = MemVfs::new();
        let blocks = 4 + u64::from(input.byte()? % 8);
        let start = SnapshotMark::default();
        let options = Options { segment_bytes: blocks * BLOCK_BYTES, ..options() };
        let shared = Arc::new(vfs.clone());
        let log = Log::create(shared, Path::new(DIR), options, IDENTITY, start).ok()?;
        Some(History { vfs, log, term: 1, flushed: Flushed::default(), submitted: Vec::new() })
    }

    fn act(&mut self, input: &mut Input<'_>) {
        match input.up_to(7) {
            0 => {
                let index = self.log.last_index();
                if index > self.flushed.index {
                    self.flushed = Flushed { index, term: self.log.state().last_term };
                }
            }
            1 => {
                let flushed = self.flushed.index;
                let limits = Purge { flushed, replicated: flushed, segments_max: 0 };
                let _: Step = self.log.purge(limits).expect("memory doesn't fail");
            }
            2 => while self.log.prepare().expect("memory doesn't fail") == Step::Worked {},
            3 => {
                self.term += 1;
                let index = self.log.last_index() + 3;
                self.flushed = Flushed { index, term: self.term };
                let snapshot = Some(SnapshotMark { index, term: self.term });
                self.append(&Group { snapshot, ..Group::default() });
            }
            _ => self.entries(input),
        }
    }

    fn entries(&mut self, input: &mut Input<'_>) {
        let back = input.up_to(3) as u64;
        let last = self.log.last_index();
        let first = (last + 1).saturating_sub(back).max(self.flushed.index + 1);
        self.term += u64::from(first <= last);
        let count = 1 + input.up_to(2) as u64;
        let bytes = input.up_to(2700);
        let entries: Vec<_> = (first..first + count).map(|i| entry(i, self.term, bytes)).collect();
        self.submitted.extend(entries.iter().map(|entry| (entry.index, entry.term)));
        let hard_state = Some(HardState { term: self.term, vote: 1, commit: self.flushed.index });
        self.append(&Group { entries: &entries, hard_state, snapshot: None });
    }

    fn append(&mut self, group: &Group<'_>) {
        match self.log.append(group) {
            Ok(_) | Err(retcd_wal::Error::GroupTooLarge { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    }
}

fn options() -> Options {
    Options { segment_bytes: 8 * BLOCK_BYTES, salt: 3, ..Options::default() }
}

fn entry(index: u64, term: u64, bytes: usize) -> LogEntry {
    LogEntry { index, term, kind: 0, data: vec![(index ^ term) as u8; bytes].into() }
}

fn open(vfs: &MemVfs, flushed: Flushed) -> retcd_wal::Result<(Log, Recovery)> {
    Log::open(Arc::new(vfs.clone()), Path::new(DIR), options(), IDENTITY, flushed)
}

/// Damages one file: some bytes, a whole block, its length, or its name.
fn mutate(vfs: &MemVfs, input: &mut Input<'_>) {
    let names = vfs.list(Path::new(DIR)).expect("the folder is there");
    let Some(name) = names.get(input.up_to(names.len().saturating_sub(1))) else {
        return;
    };
    let path = Path::new(DIR).join(name);
    let file = vfs.open_read(&path).expect("it is listed");
    let mut bytes = vec![0; file.len().expect("memory doesn't fail") as usize];
    file.read_exact_at(0, &mut bytes).expect("it has this length");
    let last = bytes.len().saturating_sub(1);
    match input.up_to(5) {
        0 => flip(&mut bytes, input.up_to(last), input.byte()),
        1 => flip(&mut bytes, 4096 * input.up_to(15) + input.up_to(127), input.byte()),
        2 => swap_blocks(&mut bytes, input.up_to(15), input.up_to(15)),
        3 => {
            let start = input.up_to(last) / 512 * 512;
            let end = (start + 512 * (1 + input.up_to(16))).min(bytes.len());
            bytes[start..end].fill(input.byte().unwrap_or_default());
        }
        4 => bytes.truncate(input.up_to(last)),
        _ => {
            let _ = vfs.remove_file(&path);
            return;
        }
    }
    write(vfs, &path, &bytes);
}

fn flip(bytes: &mut [u8], at: usize, mask: Option<u8>) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= mask.unwrap_or(1);
    }
}

fn swap_blocks(bytes: &mut [u8], from: usize, to: usize) {
    let (from, to) = (from * 4096, to * 4096);
    if from.max(to) + 4096 <= bytes.len() {
        let block = bytes[from..from + 4096].to_vec();
        bytes.copy_within(to..to + 4096, from);
        bytes[to..to + 4096].copy_from_slice(&block);
    }
}

fn write(vfs: &MemVfs, path: &PathBuf, bytes: &[u8]) {
    let whole = bytes.len() as u64 == vfs.open_read(path).and_then(|file| file.len()).unwrap_or(0);
    if whole && bytes.len().is_multiple_of(4096) && !bytes.is_empty() {
        let mut buf = AlignedBuf::new(bytes.len());
        buf.copy_from_slice(bytes);
        let mut file = vfs.open_log(path, LogMode::Buffered).expect("it is there");
        file.submit(0, buf).expect("memory doesn't fail");
    } else {
        vfs.remove_file(path).expect("it is there");
        let mut file = vfs.create_append(path).expect("it was removed");
        file.append(bytes).expect("memory doesn't fail");
    }
}

fn check(log: &Log, recovery: &Recovery, flushed: Flushed, submitted: &[(u64, u64)]) {
    let entries = entries(log, recovery);
    for (entry, index) in entries.iter().zip(flushed.index + 1..) {
        assert_eq!(entry.index, index, "a gap");
        assert!(submitted.contains(&(entry.index, entry.term)), "nobody submitted {index}");
        assert!(entry.data.iter().all(|&byte| byte == (entry.index ^ entry.term) as u8));
    }
    let last = entries.last().map_or(flushed.index, |entry| entry.index);
    assert_eq!(recovery.state.last_index, last);
}

fn entries(log: &Log, recovery: &Recovery) -> Vec<LogEntry> {
    let Range { start, end } = recovery.unflushed.clone();
    log.reader().entries(start, end, u64::MAX).expect("it was read a moment ago")
}

/// What was accepted is a log: it can be appended to and read again.
fn goes_on(vfs: &MemVfs, mut log: Log, flushed: Flushed) {
    let next = log.last_index() + 1;
    log.append(&Group { entries: &[entry(next, 99, 5000)], ..Group::default() })
        .expect("memory doesn't fail");
    log.close().expect("memory doesn't fail");
    let (log, recovery) = open(vfs, flushed).expect("it was whole");
    assert_eq!(entries(&log, &recovery).last().map(|entry| entry.index), Some(next));
}
