//! What an import makes of a database: users and members, a scheduled compaction, a raised
//! revision, and that damage is told with its place. Histories are compared with a model in
//! `random_requests`.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_api::mvccpb::KeyValue;
use retcd_api::{Error as Refusal, authpb};
use retcd_engine::Engine;
use retcd_engine::bolt::{Database, Writer};
use retcd_engine::oracle::Oracle;
use retcd_engine::sort::Sorter;
use retcd_mvcc::membership::Member;
use retcd_mvcc::{
    DatabaseOrigin, Error, IMPORT_BATCH_RECORDS, ImportAs, ImportMembers, Imported, Store, import,
};
use retcd_vfs::{MemVfs, Vfs};

use crate::support::{config, get, refused};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn database(buckets: &[(&str, Pairs)]) -> Database {
    let mut writer = Writer::new(Vec::new());
    for (name, pairs) in buckets {
        writer.bucket(name.as_bytes()).expect("memory");
        for (key, value) in pairs {
            writer.put(key, value).expect("they ascend");
        }
    }
    let (head, _, body) = writer.finish().expect("memory");
    let (vfs, path) = (MemVfs::new(), Path::new("/db"));
    let file = [head.as_slice(), &body].concat();
    vfs.create_append(path).and_then(|mut to| to.append(&file)).expect("memory");
    Database::open(&vfs, path).expect("it was just written")
}

fn revision(main: u64, mark: &[u8]) -> Vec<u8> {
    [&main.to_be_bytes()[..], b"_", &[0; 8], mark].concat()
}

fn put(main: u64, key: &str, version: i64) -> (Vec<u8>, Vec<u8>) {
    let pair = KeyValue {
        key: key.to_owned().into(),
        create_revision: main.cast_signed() - version + 1,
        mod_revision: main.cast_signed(),
        version,
        value: format!("{key}{main}").into(),
        lease: 0,
    };
    (revision(main, b""), pair.encode_to_vec())
}

fn deletion(main: u64, key: &str) -> (Vec<u8>, Vec<u8>) {
    let pair = KeyValue { key: key.to_owned().into(), ..KeyValue::default() };
    (revision(main, b"t"), pair.encode_to_vec())
}

const KEPT: ImportAs<'_> = ImportAs {
    index: 5,
    term: 3,
    conf_state: Bytes::from_static(b"conf"),
    members: ImportMembers::Kept,
    revision_bump: 0,
    batch_records: IMPORT_BATCH_RECORDS,
    waiting_memtables_max: 0,
};

fn imported(database: &Database, target: &ImportAs<'_>) -> Result<(Imported, Arc<Store>), Error> {
    let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
    let imported = import(database, &engine, target, &mut |_| true)?;
    let (store, _) = Store::open(engine, config())?;
    Ok((imported, store))
}

#[test]
fn a_database_without_anything_is_an_empty_store() {
    let (told, store) = imported(&database(&[]), &KEPT).expect("it is valid");
    assert_eq!(told, Imported { revision: 1, compacted: -1, ..Imported::default() });
    assert_eq!((store.revision(), store.compacted_revision()), (1, -1));
    assert_eq!((store.applied_index(), store.conf_state()), (5, "conf".into()));
}

#[test]
fn members_users_and_versions_come_and_go_out_again() {
    let member = br#"{"id":171,"peerURLs":["http://a:1"],"name":"a"}"#;
    let user = authpb::User { name: "u".into(), ..authpb::User::default() }.encode_to_vec();
    let source = database(&[
        (
            "auth",
            vec![
                (b"authEnabled".to_vec(), vec![1]),
                (b"authRevision".to_vec(), 9u64.to_be_bytes().to_vec()),
            ],
        ),
        ("authUsers", vec![(b"u".to_vec(), user)]),
        ("cluster", vec![(b"clusterVersion".to_vec(), b"3.5.0".to_vec())]),
        ("else", vec![(b"x".to_vec(), b"y".to_vec())]),
        ("members", vec![(b"ab".to_vec(), member.to_vec())]),
        ("members_removed", vec![(b"cd".to_vec(), b"removed".to_vec())]),
    ]);
    let (told, store) = imported(&source, &KEPT).expect("it is valid");
    assert!(told.auth_enabled && store.is_auth_enabled());
    assert_eq!((told.users, told.ignored.as_slice()), (1, &["else".to_owned()][..]));
    assert_eq!(store.cluster_version().as_deref(), Some("3.5.0"));
    assert_eq!(store.members().iter().map(|member| member.id).collect::<Vec<_>>(), [171]);
    assert!(store.is_removed_member(0xcd));
    let out = exported(&store);
    for name in ["auth", "authUsers", "cluster", "members", "members_removed"] {
        assert_eq!(content(&out, name), content(&source, name), "{name}");
    }
    let founders = [Member { id: 7, name: "n".into(), ..Member::default() }];
    let target = ImportAs { members: ImportMembers::Founders(&founders), ..KEPT };
    let (_, store) = imported(&source, &target).expect("it is valid");
    assert_eq!(store.members().iter().map(|member| member.id).collect::<Vec<_>>(), [7]);
    assert!(!store.is_removed_member(0xcd), "a new cluster has removed nobody");
    assert_eq!(store.cluster_version().as_deref(), Some("3.5.0"));
}

fn exported(store: &Store) -> Database {
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("/out")).expect("memory");
    let sorter = Sorter::new(Arc::new(vfs.clone()), Path::new("/out"), 1 << 20);
    let conf_state_json = &|_: &Bytes| Some(b"{}".to_vec());
    let origin = DatabaseOrigin { term: 1, conf_state_json, is_wanted: &|| true };
    let mut file = Vec::new();
    store.etcd_database(sorter, &origin).and_then(|out| out.write(&mut file)).expect("memory");
    let path = Path::new("/out/db");
    vfs.create_append(path).and_then(|mut to| to.append(&file)).expect("memory");
    Database::open(&vfs, path).expect("it was just written")
}

fn content(database: &Database, name: &str) -> Vec<String> {
    let bucket = database.bucket(name.as_bytes()).expect("memory").expect(name);
    let entries = bucket.entries(database).expect("memory");
    entries.map(|entry| format!("{:?}", entry.expect("memory"))).collect()
}

/// etcd goes on with a compaction that it had only begun; what that would remove may be there.
#[test]
fn a_scheduled_compaction_counts_as_done() {
    let key = vec![put(2, "a", 1), put(3, "a", 2), deletion(4, "a"), put(5, "b", 1)];
    let meta = vec![
        (b"finishedCompactRev".to_vec(), revision(2, b"")),
        (b"scheduledCompactRev".to_vec(), revision(7, b"")),
    ];
    let source = database(&[("key", key), ("meta", meta)]);
    let (told, store) = imported(&source, &KEPT).expect("it is valid");
    assert_eq!((told.revision, told.compacted, told.keys, told.versions), (7, 7, 1, 4));
    assert_eq!(store.range(&get("b")).expect("it is there").count, 1);
    assert_eq!(store.range(&get("a")).expect("it can be asked").count, 0);
    let below = RangeRequest { revision: 6, ..get("b") };
    assert_eq!(store.range(&below).map_err(refused), Err(Refusal::Compacted));
}

#[test]
fn a_raised_revision_is_compacted_below() {
    let source = database(&[("key", vec![put(2, "a", 1)])]);
    let target = ImportAs { revision_bump: 1000, ..KEPT };
    let (told, store) = imported(&source, &target).expect("it is valid");
    assert_eq!((told.revision, told.compacted), (1002, 1002));
    assert_eq!(store.range(&get("a")).expect("it is there").kvs[0].mod_revision, 2);
    let unbounded = ImportAs { revision_bump: u64::MAX, ..KEPT };
    assert!(matches!(imported(&source, &unbounded), Err(Error::Foreign { .. })));
}

/// What etcd's own restore leaves when it raises revisions: a pair without anything.
#[test]
fn the_mark_of_a_raised_revision_is_only_a_revision() {
    let source = database(&[("key", vec![put(2, "a", 1), (revision(50, b""), Vec::new())])]);
    let (told, _) = imported(&source, &KEPT).expect("it is valid");
    assert_eq!((told.revision, told.keys, told.versions), (50, 1, 1));
}

#[test]
fn damage_is_told_with_its_place() {
    let lease = |key: &[u8], value: &[u8]| vec![(key.to_vec(), value.to_vec())];
    for (bucket, pairs) in [
        ("key", vec![(b"short".to_vec(), b"x".to_vec())]),
        ("key", vec![(revision(0, b""), b"x".to_vec())]),
        ("key", vec![(revision(u64::MAX, b""), b"x".to_vec())]),
        ("key", vec![(revision(2, b""), b"\xff".to_vec())]),
        ("key", vec![(revision(2, b""), put(3, "a", 1).1)]),
        ("key", vec![put(2, "a", 1), deletion(2, "a")]),
        ("lease", lease(b"short", b"")),
        ("members", lease(b"ab", b"{")),
        ("authUsers", lease(b"u", b"\xff")),
        ("meta", lease(b"finishedCompactRev", b"x")),
    ] {
        match imported(&database(&[(bucket, pairs)]), &KEPT) {
            Err(Error::Foreign { bucket: told, key, .. }) => {
                assert_eq!(told, bucket);
                assert!(!key.is_empty());
            }
            other => panic!("{bucket}: {:?}", other.err()),
        }
    }
}

#[test]
fn an_import_can_be_given_up() {
    let keys = (2..2000).map(|main| put(main, &format!("key{main}"), 1)).collect();
    let source = database(&[("key", keys)]);
    let engine: Arc<dyn Engine> = Arc::new(Oracle::new());
    let mut asked = 0;
    let given_up = import(&source, &engine, &KEPT, &mut |_| {
        asked += 1;
        asked < 2
    });
    assert!(matches!(given_up, Err(Error::Output(_))), "{given_up:?}");
    assert_eq!((asked, engine.applied().index), (2, 0));
}
