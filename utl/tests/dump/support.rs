//! What the scenarios share: a small log, the program run on it, and golden output.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{InternalRaftRequest, PutRequest, RequestHeader};
use retcd_utl::dump::Surroundings;
use retcd_vfs::{AlignedBuf, LogMode, Vfs};
use retcd_wal::{
    BLOCK_BYTES, Group, HardState, Identity, Log, LogEntry, Options, SnapshotMark, segments,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const IDENTITY: Identity =
    Identity { cluster: 0xcdf8_1819_4e3a_8c32, member: 0x8e9e_05c5_2164_694d };

/// Segments of 8 blocks: header, six blocks of groups, the final group. Nothing is compressed.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 8 * BLOCK_BYTES,
        compress_from_bytes: 0,
        salt: 0x5a17,
        ..Options::default()
    }
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The lines that contain `part`.
    pub(crate) fn lines_with(&self, part: &str) -> Vec<&str> {
        self.out.lines().filter(|line| line.contains(part)).collect()
    }

    /// The JSON lines of a type.
    pub(crate) fn json(&self, kind: &str) -> Vec<serde_json::Value> {
        let lines = self.out.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &serde_json::Value| line["type"] == kind).collect()
    }
}

/// Runs `etcd-dump` with these arguments.
pub(crate) fn etcd_dump(vfs: &dyn Vfs, arguments: &[&str]) -> Ran {
    let arguments = ["etcd-dump"].iter().chain(arguments).map(OsString::from);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (shows_progress, out_to, err_to) = (false, &mut out, &mut err);
    let mut surroundings = Surroundings { vfs, out: out_to, err: err_to, shows_progress };
    let code = retcd_utl::dump::run(arguments, &mut surroundings);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code, out: text(out), err: text(err) }
}

/// Runs `etcd-dump wal DATA` with more arguments.
pub(crate) fn dump(vfs: &dyn Vfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["wal", "data"], arguments].concat())
}

/// Compares with a file in `tests/golden`. `RETCD_WRITE_GOLDEN=1` writes it instead.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("RETCD_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "line {} of {name}", number + 1);
    }
    assert_eq!(actual.len(), expected.len(), "one of them goes on: {name}");
}

pub(crate) fn dir() -> &'static Path {
    Path::new("data/member/wal")
}

/// A file system that can be handed to a log and kept.
pub(crate) fn shared(vfs: &(impl Vfs + Clone)) -> Arc<dyn Vfs> {
    Arc::new(vfs.clone())
}

pub(crate) fn create(vfs: &(impl Vfs + Clone)) -> Log {
    create_with(vfs, options())
}

pub(crate) fn create_with(vfs: &(impl Vfs + Clone), options: Options) -> Log {
    let parent = dir().parent().unwrap();
    vfs.create_dir_all(parent).unwrap();
    for path in parent.ancestors().skip(1) {
        vfs.sync_dir(path).unwrap();
    }
    Log::create(shared(vfs), dir(), options, IDENTITY, SnapshotMark::default()).unwrap()
}

pub(crate) fn entry(index: u64, term: u64, kind: u8, data: impl Into<Bytes>) -> LogEntry {
    LogEntry { index, term, kind, data: data.into() }
}

/// An entry with a request that has the entry's index as its id.
pub(crate) fn request(index: u64, term: u64, request: InternalRaftRequest) -> LogEntry {
    let header = Some(RequestHeader { id: index, ..RequestHeader::default() });
    entry(index, term, 0, InternalRaftRequest { header, ..request }.encode_to_vec())
}

pub(crate) fn put(index: u64, term: u64, key: &str, value: impl Into<Bytes>) -> LogEntry {
    let put = PutRequest { key: key.to_owned().into(), value: value.into(), ..Default::default() };
    request(index, term, InternalRaftRequest { put: Some(put), ..Default::default() })
}

pub(crate) fn hard(term: u64, commit: u64) -> Option<HardState> {
    Some(HardState { term, vote: IDENTITY.member, commit })
}

/// Appends one group per put, `first..=last` in `term`.
pub(crate) fn fill(log: &mut Log, first: u64, last: u64, term: u64) {
    for index in first..=last {
        let entries = [put(index, term, &format!("key-{index}"), "value")];
        let hard_state = hard(term, index - 1);
        log.append(&Group { entries: &entries, hard_state, snapshot: None }).unwrap();
    }
}

/// The segments' paths, oldest first.
pub(crate) fn paths(vfs: &dyn Vfs) -> Vec<PathBuf> {
    let names = segments(vfs, dir()).unwrap();
    names.iter().map(|name| dir().join(name.to_string())).collect()
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

/// Where the group of a segment's n-th block lies, in bytes.
pub(crate) fn at(block: u64) -> usize {
    (block * BLOCK_BYTES) as usize
}

/// Writes a file.
pub(crate) fn write(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) {
    let mut file = vfs.create_append(path).unwrap();
    file.append(bytes).unwrap();
    file.sync().unwrap();
}
