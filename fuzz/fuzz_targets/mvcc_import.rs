//! A database in bbolt's format with etcd's buckets and any content, then edits of its bytes, then
//! its import, and reading what became of it.
//!
//! An import may be refused; nothing may panic. What is imported opens, its number of keys is the
//! number of keys that are there, and every way of reading it works.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::bolt::{Database, PAGE_BYTES, Writer};
use retcd_engine::{Engine, Oracle};
use retcd_fuzz::input::Input;
use retcd_fuzz::mvcc::read_everything;
use retcd_mvcc::{Config, ImportAs, ImportMembers, Store, import};
use retcd_vfs::{MemVfs, Vfs};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const BUCKETS: [&str; 10] = [
    "alarm",
    "auth",
    "authRoles",
    "authUsers",
    "cluster",
    "key",
    "lease",
    "members",
    "members_removed",
    "meta",
];
/// Keys that mean something somewhere.
const NAMES: [&[u8]; 6] = [
    b"authEnabled",
    b"authRevision",
    b"clusterVersion",
    b"downgrade",
    b"finishedCompactRev",
    b"scheduledCompactRev",
];
const REVISION_MAX: u64 = 20;

type Buckets = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut buckets = Buckets::new();
    let mut edits = Vec::new();
    while !input.is_empty() {
        match input.byte() % 8 {
            0..5 => {
                let (key, value) = pair(&mut input);
                buckets.entry("key").or_default().insert(key, value);
            }
            5 => edits.push((input.byte(), input.number(u64::from(PAGE_BYTES) - 1), input.byte())),
            _ => {
                let bucket = BUCKETS[input.up_to(BUCKETS.len() - 1)];
                let (key, value) = item(&mut input);
                buckets.entry(bucket).or_default().insert(key, value);
            }
        }
    }
    let mut file = written(&buckets);
    // The meta pages stay: what they say is for another target.
    let pages = file.len() / PAGE_BYTES as usize - 2;
    for (page, at, byte) in edits {
        let page = 2 + usize::from(page) % pages;
        file[page * PAGE_BYTES as usize + at as usize] = byte;
    }
    let (vfs, path) = (MemVfs::new(), Path::new("/db"));
    vfs.create_append(path).and_then(|mut to| to.append(&file)).expect("memory");
    if let Ok(database) = Database::open(&vfs, path) {
        check(&database);
    }
});

fn check(database: &Database) {
    let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
    let target = ImportAs {
        index: 9,
        term: 1,
        conf_state: bytes::Bytes::new(),
        members: ImportMembers::Kept,
        revision_bump: 0,
        batch_records: 3,
        waiting_memtables_max: 0,
    };
    let Ok(imported) = import(database, &engine, &target, &mut |_| true) else {
        return;
    };
    let (store, _applier) = Store::open(engine, Config::default()).expect("it was imported");
    assert_eq!((imported.revision, imported.keys), (store.revision(), store.key_count()));
    let all = RangeRequest { key: "\0".into(), range_end: "\0".into(), ..RangeRequest::default() };
    let found = store.range(&all).expect("it can be read");
    assert_eq!((found.count, found.kvs.len() as u64), (imported.keys as i64, imported.keys));
    store.hash_kv(0).expect("it can be hashed");
    let newest = store.revision().min(REVISION_MAX as i64 + 5);
    read_everything(&store, store.compacted_revision(), newest);
}

/// A pair as etcd has it, or nearly.
fn pair(input: &mut Input<'_>) -> (Vec<u8>, Vec<u8>) {
    let (main, flags) = (input.number(REVISION_MAX + 1), input.byte());
    let mark: &[u8] = if flags & 1 == 0 { b"" } else { b"t" };
    let key = [&main.to_be_bytes()[..], b"_", &input.number(3).to_be_bytes(), mark].concat();
    let pair = KeyValue {
        key: vec![b'a' + input.byte() % 4].into(),
        create_revision: main.min(1 + u64::from(input.byte() % 8)) as i64,
        mod_revision: if flags & 2 == 0 { main as i64 } else { 7 },
        version: i64::from(flags >> 2 & 3),
        value: if flags & 16 == 0 { "value".into() } else { bytes(input, 8).into() },
        lease: i64::from(flags >> 5),
    };
    (key, pair.encode_to_vec())
}

fn item(input: &mut Input<'_>) -> (Vec<u8>, Vec<u8>) {
    let key = match input.byte() % 3 {
        0 => NAMES[input.up_to(NAMES.len() - 1)].to_vec(),
        1 => input.number(16).to_be_bytes().to_vec(),
        _ => bytes(input, 17),
    };
    let value = bytes(input, 40);
    (if key.is_empty() { vec![b'0'] } else { key }, value)
}

fn bytes(input: &mut Input<'_>, max: usize) -> Vec<u8> {
    let len = input.up_to(max);
    (0..len).map(|_| input.byte()).collect()
}

fn written(buckets: &Buckets) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, pairs) in buckets {
        writer.bucket(name.as_bytes()).expect("memory");
        for (key, value) in pairs {
            writer.put(key, value).expect("memory");
        }
    }
    let (head, _, body) = writer.finish().expect("memory");
    [head.as_slice(), &body].concat()
}
