//! `etcd-dump check` on a directory of etcd's: each kind of damage is named with its weight.

use crate::directories::*;
use crate::support::*;
use prost::Message;
use retcd_api::mvccpb::KeyValue;
use retcd_api::raftpb;
use retcd_engine::bolt::Writer;
use retcd_vfs::{MemVfs, Vfs};
use std::path::Path;

const OLDER_SNAP: &str = "data/member/snap/0000000000000002-000000000000000b.snap";

fn assert_found(vfs: &MemVfs, weight: &str, name: &str) -> Ran {
    let ran = etcd_dump(vfs, &["check", "data", "--json"]);
    let found = ran.json("finding");
    let is_it =
        |finding: &serde_json::Value| finding["name"] == name && finding["weight"] == weight;
    assert!(found.iter().any(is_it), "{weight} {name}: {}", ran.out);
    let verdict = &ran.json("verdict")[0];
    assert_eq!(verdict["healthy"], weight == "note", "{name}: {}", ran.out);
    assert_eq!(verdict["starts"], weight != "refused", "{name}: {}", ran.out);
    assert_eq!(ran.code, u8::from(weight != "note"), "{name}");
    assert_eq!(etcd_dump(vfs, &["check", "data"]).code, ran.code, "{name}");
    ran
}

fn with(path: &str, with: impl FnOnce(&mut Vec<u8>)) -> MemVfs {
    let vfs = etcds();
    change(&vfs, path, with);
    vfs
}

fn without(vfs: MemVfs, paths: &[&str]) -> MemVfs {
    paths.iter().for_each(|path| vfs.remove_file(Path::new(path)).expect("it is there"));
    vfs
}

/// The log's records, and where they end.
fn records(bytes: &[u8]) -> (Vec<Envelope>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    loop {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if length == 0 {
            return (records, at);
        }
        let record = (length & ((1 << 56) - 1)) as usize;
        let padding = if length >> 63 == 1 { (length >> 56 & 7) as usize } else { 0 };
        records.push(Envelope::decode(&bytes[at + 8..at + 8 + record]).expect("a record"));
        at += 8 + record + padding;
    }
}

/// Where the log's records end, and the checksum of the last one.
fn end_of_log(bytes: &[u8]) -> (usize, u32) {
    let (records, at) = records(bytes);
    (at, records.last().map_or(0, |record| record.sum))
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(uint32, tag = "2")]
    sum: u32,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

/// Appends a record to the log, as etcd does.
fn append(bytes: &mut [u8], kind: i64, data: &impl Message) {
    append_encoded(bytes, kind, data.encode_to_vec());
}

fn append_encoded(bytes: &mut [u8], kind: i64, data: Vec<u8>) {
    let (at, sum) = end_of_log(bytes);
    let sum = crc32c::crc32c_append(sum, &data);
    append_record(bytes, at, &Envelope { kind, sum, data });
}

/// Begins a file behind one that ends with the checksum `sum`.
fn begin(bytes: &mut [u8], sum: u32) {
    append_record(bytes, 0, &Envelope { kind: 4, sum, data: Vec::new() });
}

fn append_record(bytes: &mut [u8], at: usize, record: &Envelope) {
    let record = record.encode_to_vec();
    let padding = record.len().next_multiple_of(8) - record.len();
    let top = if padding == 0 { 0 } else { 0x80 | padding as u64 };
    let length = record.len() as u64 | top << 56;
    let frame = [&length.to_le_bytes()[..], &record, &[0; 8][..padding]].concat();
    bytes[at..at + frame.len()].copy_from_slice(&frame);
}

/// The place of a snapshot, as the log names it.
#[derive(Clone, PartialEq, Message)]
struct Mark {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(uint64, tag = "2")]
    term: u64,
}

/// Writes the file of a snapshot at this index of term 2.
fn write_snap(vfs: &MemVfs, index: u64) {
    #[derive(Clone, PartialEq, Message)]
    struct SnapFile {
        #[prost(uint32, tag = "1")]
        sum: u32,
        #[prost(bytes = "vec", tag = "2")]
        data: Vec<u8>,
    }
    let metadata = raftpb::SnapshotMetadata { index, term: 2, ..Default::default() };
    let snapshot = raftpb::Snapshot { metadata, ..Default::default() };
    let data = snapshot.encode_to_vec();
    let file = SnapFile { sum: crc32c::crc32c(&data), data };
    let name = format!("data/member/snap/{:016x}-{index:016x}.snap", 2);
    write(vfs, Path::new(&name), &file.encode_to_vec());
}

/// Changes the eight bytes behind a key in the database, whose pages have no checksums.
fn set_number(bytes: &mut [u8], key: &[u8], number: u64) {
    let mut found = 0;
    for at in 0..bytes.len() - key.len() - 8 {
        if bytes[at..].starts_with(key) {
            bytes[at + key.len()..at + key.len() + 8].copy_from_slice(&number.to_be_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "it isn't there");
}

/// The first page of a database that is of this kind.
fn page_of_kind(database: &[u8], kind: u8) -> usize {
    let mut pages = 2..database.len() / 4096;
    pages.find(|page| database[page * 4096 + 8] == kind).expect("there is one")
}

#[test]
fn a_whole_one_is_healthy() {
    let ran = etcd_dump(&etcds(), &["check", "data"]);
    let expected = "data directory data: of etcd, engine bbolt\n\
                    log: up to entry 26 of term 2, commit index 26\n\
                    database: applied index 26, 24576 bytes read\n\
                    verdict: healthy, a server would start\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected, ""));
}

#[test]
fn of_the_log() {
    assert_found(&with(ETCDS_LOG, |bytes| bytes[0x80] ^= 1), "refused", "log");
    let ran = assert_found(&with(ETCDS_LOG, |b| b.truncate(2000)), "damaged", "log-too-short");
    assert!(ran.out.contains("torn-tail"), "{}", ran.out);
    let torn = with(ETCDS_LOG, |bytes| {
        let (end, _) = end_of_log(bytes);
        // An entry that a crash kept from reaching the disk but for its first sector.
        let entry = raftpb::Entry { term: 2, index: 27, ..Default::default() };
        append(bytes, 2, &raftpb::Entry { data: Some(vec![7; 1500].into()), ..entry });
        bytes[end + 600..].fill(0);
    });
    let ran = assert_found(&torn, "note", "torn-tail");
    assert!(ran.json("verdict")[0]["given_up_bytes"].as_u64() > Some(500), "{}", ran.out);
    let vfs = etcds();
    remove_all(&vfs, "data/member/wal");
    assert_found(&vfs, "damaged", "log-missing");
    let gap = with(ETCDS_LOG, |bytes| {
        append(bytes, 2, &raftpb::Entry { term: 2, index: 40, ..Default::default() });
    });
    let ran = assert_found(&gap, "refused", "log");
    assert!(ran.out.contains("those between are missing"), "{}", ran.out);
    let fallen = with(ETCDS_LOG, |bytes| {
        append(bytes, 2, &raftpb::Entry { term: 1, index: 27, ..Default::default() });
    });
    assert!(assert_found(&fallen, "refused", "log").out.contains("the term of entry 27"));
    let committed = with(ETCDS_LOG, |bytes| {
        append(bytes, 3, &raftpb::HardState { term: 2, vote: 0, commit: 99 });
    });
    assert_found(&committed, "refused", "log-too-short");
    let cut_off = with(ETCDS_LOG, |bytes| *bytes.last_mut().expect("there are some") = 1);
    assert_found(&cut_off, "damaged", "log-behind-end");
    let later = with(ETCDS_LOG, |bytes| append(bytes, 9, &raftpb::Entry::default()));
    assert!(assert_found(&later, "refused", "log").out.contains("kind is unknown"));
}

#[test]
fn of_a_log_of_several_files() {
    let next = "data/member/wal/0000000000000001-000000000000001b.wal";
    let vfs = |sum: u32, name: &str| {
        let vfs = etcds();
        let mut file = vec![0; 4096];
        begin(&mut file, sum);
        append(&mut file, 2, &raftpb::Entry { term: 2, index: 27, ..Default::default() });
        write(&vfs, Path::new(name), &file);
        vfs
    };
    let (_, sum) = end_of_log(&read(&etcds(), Path::new(ETCDS_LOG)));
    let ran = etcd_dump(&vfs(sum, next), &["check", "data", "--json"]);
    assert_eq!((ran.code, &ran.json("checked")[0]["last_index"]), (0, &27.into()), "{}", ran.out);
    let ran = assert_found(&vfs(sum ^ 1, next), "refused", "log");
    assert!(ran.out.contains("doesn't go on with"), "{}", ran.out);
    let gap = "data/member/wal/0000000000000002-000000000000001b.wal";
    let ran = assert_found(&vfs(sum, gap), "refused", "log");
    assert!(ran.out.contains("the files behind it are missing"), "{}", ran.out);
}

/// A log of etcd's that goes on in more files.
struct Files {
    vfs: MemVfs,
    /// Who writes it, as it is encoded.
    identity: Vec<u8>,
    sum: u32,
    names: Vec<String>,
}

impl Files {
    /// The kept directory, whose log ends with entry 26.
    fn new() -> Files {
        let vfs = etcds();
        let (records, _) = records(&read(&vfs, Path::new(ETCDS_LOG)));
        let sum = records.last().map_or(0, |record| record.sum);
        let identity = records.into_iter().find(|record| record.kind == 1);
        let identity = identity.expect("each file begins with it").data;
        Files { vfs, identity, sum, names: vec![ETCDS_LOG.to_owned()] }
    }

    /// Adds a file with these entries, committed up to the last.
    fn add(&mut self, entries: impl IntoIterator<Item = (u64, u64)>) {
        let entries: Vec<_> = entries.into_iter().collect();
        let ((first, _), (last, _)) = (entries[0], entries[entries.len() - 1]);
        let name = format!("data/member/wal/{:016x}-{first:016x}.wal", self.names.len());
        let mut file = vec![0; 1 << 16];
        begin(&mut file, self.sum);
        append_encoded(&mut file, 1, self.identity.clone());
        for (index, term) in entries {
            append(&mut file, 2, &raftpb::Entry { term, index, ..Default::default() });
        }
        append(&mut file, 3, &raftpb::HardState { term: 2, vote: 0, commit: last });
        self.end_with(name, &file);
    }

    /// Takes a snapshot at this index of term 2, with which a start begins then.
    fn mark(&mut self, index: u64) {
        let name = self.names.pop().expect("there is a file");
        let mut file = read(&self.vfs, Path::new(&name));
        append(&mut file, 5, &Mark { index, term: 2 });
        self.vfs.remove_file(Path::new(&name)).expect("it is there");
        self.end_with(name, &file);
        write_snap(&self.vfs, index);
        change(&self.vfs, ETCDS_DATABASE, |bytes| {
            set_number(bytes, b"consistent_index", index);
        });
    }

    fn end_with(&mut self, name: String, file: &[u8]) {
        self.sum = end_of_log(file).1;
        write(&self.vfs, Path::new(&name), file);
        self.names.push(name);
    }

    /// What a check says of it, and of the file `at` in it.
    fn check(&self, at: usize) -> (Ran, Vec<serde_json::Value>) {
        let ran = etcd_dump(&self.vfs, &["check", "data", "--json"]);
        let is_of = |finding: &serde_json::Value| finding["file"] == *self.names[at];
        let found = ran.json("finding").into_iter().filter(is_of).collect();
        (ran, found)
    }
}

/// Entries 27 to 29, 30 and 31, 32 and 33, and a snapshot at 32.
fn several_files() -> Files {
    let mut files = Files::new();
    files.add((27..30).map(|index| (index, 2)));
    files.add((30..32).map(|index| (index, 2)));
    files.add((32..34).map(|index| (index, 2)));
    files.mark(32);
    files
}

#[test]
fn of_a_log_whose_first_files_a_start_takes_nothing_from() {
    let files = several_files();
    let (ran, _) = files.check(0);
    assert_eq!((ran.code, &ran.json("checked")[0]["last_index"]), (0, &33.into()), "{}", ran.out);
    // etcd 3.5.1 doesn't start with a damaged one all the same: it looks for snapshots there.
    for at in 0..4 {
        let files = several_files();
        change(&files.vfs, &files.names[at], |bytes| bytes[0x20] ^= 1);
        let (ran, found) = files.check(at);
        assert_eq!(found.len(), 1, "{}", ran.out);
        assert_eq!((&found[0]["weight"], &found[0]["name"]), (&"refused".into(), &"log".into()));
        let reason = found[0]["reason"].as_str().expect("it is text");
        assert_eq!(reason.contains("without this one and those before it"), at < 3, "{reason}");
        assert_eq!((ran.code, &ran.json("verdict")[0]["starts"]), (1, &false.into()));
    }
    // Nor if one between others is gone: checksums don't go on.
    let files = several_files();
    files.vfs.remove_file(Path::new(&files.names[1])).expect("it is there");
    let (ran, found) = files.check(0);
    let reason = found[0]["reason"].as_str().expect("it is text");
    assert!(reason.starts_with("the files behind it are missing. A start takes no"), "{reason}");
    assert_eq!(ran.json("verdict")[0]["starts"], false, "{}", ran.out);
    // But without all that are before those that it needs.
    let files = several_files();
    for name in &files.names[..3] {
        files.vfs.remove_file(Path::new(name)).expect("it is there");
    }
    let (ran, _) = files.check(0);
    assert_eq!((ran.code, ran.lines_with("finding").len()), (0, 0), "{}", ran.out);
    let files = several_files();
    for name in &files.names[1..3] {
        files.vfs.remove_file(Path::new(name)).expect("it is there");
    }
    assert_eq!(files.check(0).0.json("verdict")[0]["starts"], false);
}

#[test]
fn of_a_log_with_more_out_of_order_than_can_be_told() {
    // Terms that fall, again and again, where a start takes no entry from.
    let falling = || (27..400).map(|index| (index, 1 + index % 2));
    let mut files = Files::new();
    files.add(falling());
    files.add([(400, 2), (401, 2)]);
    files.mark(400);
    let (ran, _) = files.check(0);
    assert_eq!((ran.code, &ran.json("verdict")[0]["starts"]), (0, &true.into()), "{}", ran.out);
    assert_eq!(ran.json("finding")[0]["name"], "old-segment");
    // The same once more where it does.
    let mut files = Files::new();
    files.add(falling());
    files.add([(400, 2), (401, 1)]);
    files.mark(400);
    let (ran, found) = files.check(2);
    assert_eq!(found.len(), 1, "{}", ran.out);
    let reason = found[0]["reason"].as_str().expect("it is text");
    assert!(reason.contains("the term of entry 401 is below"), "{reason}");
    assert_eq!((ran.code, &ran.json("verdict")[0]["starts"]), (1, &false.into()));
}

#[test]
fn of_snapshots() {
    let ran = assert_found(&with(ETCDS_SNAP, |bytes| bytes[90] ^= 1), "damaged", "snapshot");
    assert!(ran.out.contains("its checksum is wrong"), "{}", ran.out);
    assert_found(&with(ETCDS_SNAP, Vec::clear), "damaged", "snapshot");
    let renamed = etcds();
    let other = "data/member/snap/0000000000000002-0000000000000017.snap";
    renamed.rename(Path::new(ETCDS_SNAP), Path::new(other)).expect("in memory");
    assert!(assert_found(&renamed, "damaged", "snapshot").out.contains("it is of index 22"));
    let vfs = without(etcds(), &[ETCDS_SNAP, OLDER_SNAP]);
    assert_eq!(etcd_dump(&vfs, &["check", "data"]).code, 0, "the log begins at the beginning");
    let later = "data/member/wal/0000000000000001-000000000000000c.wal";
    vfs.rename(Path::new(ETCDS_LOG), Path::new(later)).expect("in memory");
    assert_found(&vfs, "refused", "snapshot-missing");
}

#[test]
fn a_snapshot_that_the_log_doesnt_name_isnt_begun_with() {
    let vfs = etcds();
    write_snap(&vfs, 0x63);
    let ran = etcd_dump(&vfs, &["check", "data"]);
    assert_eq!((ran.code, ran.lines_with("verdict: healthy").len()), (0, 1), "{}", ran.out);
}

#[test]
fn of_the_database() {
    assert_found(&with(ETCDS_DATABASE, |bytes| bytes.truncate(8192)), "refused", "database");
    let of_etcds = read(&etcds(), Path::new(ETCDS_DATABASE));
    let leaf = page_of_kind(&of_etcds, 2);
    let damaged = with(ETCDS_DATABASE, |bytes| bytes[leaf * 4096] ^= 1);
    assert_found(&damaged, "refused", "database");
    // A page that is listed as free, and isn't. etcd's own databases have no such list.
    let vfs = without(etcds(), &[ETCDS_SNAP, OLDER_SNAP]);
    let mut listed = crate::a_database_of_etcds_is_shown::database();
    let (list, leaf) = (page_of_kind(&listed, 0x10), page_of_kind(&listed, 2));
    listed[list * 4096 + 10] = 1;
    listed[list * 4096 + 16] = leaf as u8;
    change(&vfs, ETCDS_DATABASE, |bytes| *bytes = listed);
    assert_found(&vfs, "damaged", "database");
    assert_found(&without(etcds(), &[ETCDS_DATABASE]), "refused", "database-missing");
    let all = [ETCDS_DATABASE, ETCDS_SNAP, OLDER_SNAP];
    assert_found(&without(etcds(), &all), "note", "database-missing");
    let number = |key: &'static str, number| {
        with(ETCDS_DATABASE, |bytes| set_number(bytes, key.as_bytes(), number))
    };
    assert_found(&number("consistent_index", 5), "refused", "database-too-old");
    let received = number("consistent_index", 5);
    write(&received, Path::new("data/member/snap/0000000000000016.snap.db"), b"a database");
    assert_eq!(etcd_dump(&received, &["check", "data"]).code, 0, "it takes the place");
    assert_found(&number("consistent_index", 99), "damaged", "log-too-short");
    assert_found(&number("term", 9), "damaged", "disagreement");
    let member = with(ETCDS_DATABASE, |bytes| {
        for at in 0..bytes.len() - 5 {
            if bytes[at..].starts_with(b"{\"id\"") {
                bytes[at] = b'[';
            }
        }
    });
    let ran = assert_found(&member, "damaged", "state");
    assert!(ran.out.contains("a bad member"), "{}", ran.out);
}

#[test]
fn of_any_page_of_pairs() {
    let mut writer = Writer::new(Vec::new());
    writer.bucket(b"key").expect("in memory");
    for main in 2..400_u64 {
        let pair = KeyValue { key: "k".into(), value: vec![7; 100].into(), ..Default::default() };
        let revision = [&main.to_be_bytes()[..], b"_", &[0; 8]].concat();
        writer.put(&revision, &pair.encode_to_vec()).expect("in memory");
    }
    let (head, _, body) = writer.finish().expect("in memory");
    let mut database = [head.as_slice(), &body].concat();
    let vfs = without(etcds(), &[ETCDS_SNAP, OLDER_SNAP]);
    change(&vfs, ETCDS_DATABASE, |bytes| *bytes = database.clone());
    assert_eq!(etcd_dump(&vfs, &["check", "data"]).code, 0);
    // Neither the first nor the last: who only looks for the newest revision passes it over.
    let leaves: Vec<_> =
        (2..database.len() / 4096).filter(|page| database[page * 4096 + 8] == 2).collect();
    assert!(leaves.len() > 5, "{leaves:?}");
    database[leaves[leaves.len() / 2] * 4096] ^= 1;
    change(&vfs, ETCDS_DATABASE, |bytes| *bytes = database);
    assert_found(&vfs, "refused", "database");
}

#[test]
fn who_uses_it() {
    for lock in [ETCDS_DATABASE, ETCDS_LOG] {
        let vfs = etcds();
        let held = vfs.lock(Path::new(lock)).expect("nobody has it");
        assert_found(&vfs, "refused", "lock-held");
        drop(held);
    }
    let ran = etcd_dump(&etcds(), &["check", "data", "--backend-engine", "lsm", "--json"]);
    assert_eq!((ran.code, &ran.json("finding")[0]["name"]), (1, &"wrong-engine".into()));
}
