//! What the scenarios share: a small log, its entries, and ways to look at it and to damage it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use retcd_vfs::{AlignedBuf, LogMode, MemVfs, Vfs};
use retcd_wal::{
    BLOCK_BYTES, Flushed, Group, HardState, Identity, Log, LogEntry, LogReader, Options, Result,
    SegmentName, SnapshotMark, segments,
};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const IDENTITY: Identity = Identity { cluster: 0xc1, member: 0xfe };

/// Segments of 8 blocks: header, six blocks of groups, the final group.
pub(crate) const OPTIONS: Options = Options {
    segment_bytes: 8 * BLOCK_BYTES,
    io: retcd_wal::IoMode::Auto,
    depth: 1,
    unsynced: false,
    compress_from_bytes: 0,
    salt: 0x5a17,
};

pub(crate) fn dir() -> &'static Path {
    Path::new("/data/member/wal")
}

pub(crate) fn entry(index: u64, term: u64, bytes: usize) -> LogEntry {
    LogEntry {
        index,
        term,
        kind: (index % 3) as u8,
        data: vec![(index.wrapping_mul(7) + term) as u8; bytes].into(),
    }
}

pub(crate) fn hard(term: u64, commit: u64) -> HardState {
    HardState { term, vote: 1, commit }
}

pub(crate) fn flushed(index: u64, term: u64) -> Flushed {
    Flushed { index, term }
}

pub(crate) fn group(entries: &[LogEntry]) -> Group<'_> {
    Group { entries, ..Group::default() }
}

pub(crate) fn mark(index: u64, term: u64) -> Group<'static> {
    Group { snapshot: Some(SnapshotMark { index, term }), ..Group::default() }
}

pub(crate) fn create(vfs: &impl Shareable) -> Log {
    create_with(vfs, OPTIONS).unwrap()
}

pub(crate) fn create_with(vfs: &impl Shareable, options: Options) -> Result<Log> {
    make_parents(&*vfs.shared());
    Log::create(vfs.shared(), dir(), options, IDENTITY, SnapshotMark::default())
}

/// Makes the folders above the log, which are the caller's, and makes them durable.
pub(crate) fn make_parents(vfs: &dyn Vfs) {
    let parent = dir().parent().unwrap();
    if vfs.exists(parent).is_ok_and(|exists| exists) {
        return;
    }
    vfs.create_dir_all(parent).unwrap();
    for path in parent.ancestors().skip(1) {
        vfs.sync_dir(path).unwrap();
    }
}

pub(crate) fn open(vfs: &impl Shareable, flushed: Flushed) -> Result<(Log, Recovery)> {
    Log::open(vfs.shared(), dir(), OPTIONS, IDENTITY, flushed).and_then(with_entries)
}

/// What recovery says, and the entries above the flushed index as they are read back.
#[derive(Debug)]
pub(crate) struct Recovery {
    recovery: retcd_wal::Recovery,
    pub(crate) entries: Vec<LogEntry>,
}

impl std::ops::Deref for Recovery {
    type Target = retcd_wal::Recovery;

    fn deref(&self) -> &retcd_wal::Recovery {
        &self.recovery
    }
}

/// Adds the entries to what [`Log::open`] returned.
pub(crate) fn with_entries((log, recovery): (Log, retcd_wal::Recovery)) -> Result<(Log, Recovery)> {
    let Range { start, end } = recovery.unflushed.clone();
    let entries = read_back(&log.reader(), start, end)?;
    assert_eq!(entries.len() as u64, end - start);
    Ok((log, Recovery { recovery, entries }))
}

/// Reads all entries from `from` up to `to`, in pieces.
pub(crate) fn read_back(reader: &LogReader, from: u64, to: u64) -> Result<Vec<LogEntry>> {
    let mut entries = Vec::new();
    loop {
        let piece = reader.entries(from + entries.len() as u64, to, 5000)?;
        if piece.is_empty() {
            return Ok(entries);
        }
        entries.extend(piece);
    }
}

pub(crate) fn recover(vfs: &impl Shareable) -> Recovery {
    open(vfs, Flushed::default()).unwrap().1
}

/// A file system that can be handed to a log and kept.
pub(crate) trait Shareable {
    fn shared(&self) -> Arc<dyn Vfs>;
}

impl<T: Vfs + Clone> Shareable for T {
    fn shared(&self) -> Arc<dyn Vfs> {
        Arc::new(self.clone())
    }
}

/// Appends one group per entry of 100 bytes, `first..=last` in `term`.
pub(crate) fn fill(log: &mut Log, first: u64, last: u64, term: u64) {
    for index in first..=last {
        log.append(&group(&[entry(index, term, 100)])).unwrap();
    }
}

pub(crate) fn names(vfs: &dyn Vfs) -> Vec<SegmentName> {
    segments(vfs, dir()).unwrap()
}

pub(crate) fn path_of(name: SegmentName) -> PathBuf {
    dir().join(name.to_string())
}

pub(crate) fn newest(vfs: &dyn Vfs) -> PathBuf {
    path_of(*names(vfs).last().unwrap())
}

pub(crate) fn read(vfs: &dyn Vfs, path: &Path) -> Vec<u8> {
    let file = vfs.open_read(path).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

/// Changes a file behind the log's back.
pub(crate) fn damage(vfs: &dyn Vfs, path: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = read(vfs, path);
    change(&mut bytes);
    let mut buf = AlignedBuf::new(bytes.len());
    buf.copy_from_slice(&bytes);
    let mut file = vfs.open_log(path, LogMode::Buffered).unwrap();
    file.submit(0, buf).unwrap();
    file.complete().unwrap();
}

/// Overwrites one block with `value`.
pub(crate) fn wipe(vfs: &dyn Vfs, path: &Path, block: u64, value: u8) {
    damage(vfs, path, |bytes| {
        let start = (block * BLOCK_BYTES) as usize;
        bytes[start..start + BLOCK_BYTES as usize].fill(value);
    });
}

/// A log in memory with `last` entries of term 1, one group each, not closed.
pub(crate) fn log_of(last: u64) -> MemVfs {
    let vfs = MemVfs::new();
    fill(&mut create(&vfs), 1, last, 1);
    vfs
}

pub(crate) fn indexes(recovery: &Recovery) -> Vec<u64> {
    recovery.entries.iter().map(|entry| entry.index).collect()
}
