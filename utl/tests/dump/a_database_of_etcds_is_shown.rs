//! `etcd-dump db` on files in etcd's format: the buckets of a database, the pairs in one of them as
//! text and as JSON, and what is said of a file that is damaged or isn't one.

use crate::support::*;
use prost::Message;
use retcd_api::leasepb::Lease;
use retcd_api::mvccpb::KeyValue;
use retcd_engine::bolt::Writer;
use retcd_vfs::{MemVfs, Vfs};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A key put twice and deleted, one with a long value, and a lease.
pub(crate) fn database() -> Vec<u8> {
    let revision = |main: u64, sub: u64, mark: &[u8]| {
        [&main.to_be_bytes()[..], b"_", &sub.to_be_bytes(), mark].concat()
    };
    let pair = |key: &str, value: Vec<u8>, version| KeyValue {
        key: key.to_owned().into(),
        value: value.into(),
        create_revision: 2,
        mod_revision: 3,
        version,
        lease: 0x1a2b,
    };
    let lease = Lease { id: 0x1a2b, ttl: 60, remaining_ttl: 12 };
    let mut writer = Writer::new(Vec::new());
    writer.bucket(b"authUsers").expect("memory");
    writer.put(b"root", b"a hash").expect("memory");
    writer.bucket(b"key").expect("memory");
    for (key, value) in [
        (revision(2, 0, b""), pair("a", b"1".to_vec(), 1)),
        (revision(3, 0, b""), pair("a", vec![b'x'; 100], 2)),
        (revision(4, 1, b"t"), KeyValue { key: "a".into(), ..KeyValue::default() }),
    ] {
        writer.put(&key, &value.encode_to_vec()).expect("memory");
    }
    writer.put(b"odd", b"\xff").expect("memory");
    writer.bucket(b"lease").expect("memory");
    writer.put(&0x1a2b_u64.to_be_bytes(), &lease.encode_to_vec()).expect("memory");
    let (head, _, body) = writer.finish().expect("memory");
    [head.as_slice(), &body].concat()
}

fn file(bytes: &[u8]) -> MemVfs {
    let vfs = MemVfs::new();
    vfs.create_append(Path::new("snap.db")).and_then(|mut f| f.append(bytes)).expect("memory");
    vfs
}

fn db(vfs: &MemVfs, arguments: &[&str]) -> Ran {
    etcd_dump(vfs, &[&["db", "snap.db"], arguments].concat())
}

#[test]
fn its_buckets() {
    let mut bytes = database();
    let ran = db(&file(&bytes), &[]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("no SHA-256 at the end"), "{}", ran.out);
    let hash = Sha256::digest(&bytes);
    bytes.extend_from_slice(&hash);
    let ran = db(&file(&bytes), &[]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.out,
        "database snap.db: 28704 bytes, pages of 4096\n\
         \u{20} transaction 1; 7 pages: 4 of trees, 0 free, 3 of bookkeeping, 0 named by nobody\n\
         \u{20} the SHA-256 at the end is right\n\
         \n\
         \u{20} bucket                     keys      key bytes      value bytes\n\
         \u{20} authUsers                     1              4                6\n\
         \u{20} key                           4             55              133\n\
         \u{20} lease                         1              8                7\n"
    );
    let ran = db(&file(&bytes), &["-w", "json"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].contains("\"hashed\":true") && lines[0].contains("\"tree_pages\":4"));
    assert!(lines[2].contains("\"name\":\"key\"") && lines[2].contains("\"keys\":4"));
}

#[test]
fn the_pairs_of_a_bucket() {
    let vfs = file(&database());
    let cut = format!("\"{}\"… (100 bytes)", "x".repeat(64));
    let ran = db(&vfs, &["--bucket", "key"]);
    let expected = format!(
        "2.0 put \"a\" = \"1\" created 2 version 1 lease 1a2b\n\
         3.0 put \"a\" = {cut} created 2 version 2 lease 1a2b\n\
         4.1 delete \"a\"\n\
         \"odd\" = \"\\xff\"\n"
    );
    assert_eq!((ran.code, ran.out), (0, expected));
    let ran = db(&vfs, &["--bucket", "key", "--limit", "2", "--full"]);
    assert!(ran.out.lines().count() == 2 && ran.out.contains(&"x".repeat(100)), "{}", ran.out);
    let lease = "lease 0000000000001a2b TTL 60 s, remaining when last told 12 s\n";
    assert_eq!(db(&vfs, &["--bucket", "lease"]).out, lease);
    let users = db(&vfs, &["--bucket", "authUsers", "--full"]).out;
    assert_eq!(users, "\"root\" = \"(withheld)\"\n", "a password's hash");
    let ran = db(&vfs, &["--bucket", "key", "-w", "json", "--limit", "1"]);
    assert_eq!(
        ran.out,
        "{\"bucket\":\"key\",\"create_revision\":2,\"deleted\":false,\"key\":\"YQ==\",\
         \"lease\":6699,\"main\":2,\"sub\":0,\"type\":\"pair\",\"value\":\"MQ==\",\"version\":1}\n"
    );
    let ran = db(&vfs, &["--bucket", "key", "-w", "json", "--values", "2"]);
    let cut = "\"value\":\"eHg=\",\"value_bytes\":100,\"version\":2}\n";
    assert!(
        ran.out.contains(cut) && ran.out.contains("\"value\":\"MQ==\",\"version\""),
        "{}",
        ran.out
    );
    let ran = db(&vfs, &["--bucket", "key", "-w", "json"]);
    assert!(!ran.out.contains("value_bytes"), "whole unless told otherwise: {}", ran.out);
}

#[test]
fn what_is_wrong_is_told() {
    let whole = database();
    let error = |vfs: &MemVfs, arguments: &[&str]| {
        let ran = db(vfs, arguments);
        assert_eq!(ran.code, 1, "{}", ran.out);
        ran.err
    };
    let absent = error(&MemVfs::new(), &["--keys"]);
    assert!(absent.starts_with("etcd-dump: snap.db: ") && !absent.contains("bucket"), "{absent}");
    let absent = error(&file(&whole), &["--bucket", "nope"]);
    assert_eq!(absent, "etcd-dump: snap.db: there is no bucket nope\n");
    assert!(error(&file(b"not a database"), &[]).contains("isn't a bbolt database"));
    let mut damaged = whole.clone();
    damaged[3 * 4096] ^= 1;
    assert!(error(&file(&damaged), &[]).contains("offset 12288"));
    let hashed = [&whole[..], &[7; 32]].concat();
    assert!(error(&file(&hashed), &[]).contains("the hash at the end isn't"));
    let vfs = MemVfs::new();
    vfs.create_dir_all(Path::new("snap.db/member/snap/db")).expect("memory");
    assert!(error(&vfs, &[]).contains("there is no database here"));
    assert!(error(&MemVfs::new(), &[]).contains("snap.db"));
    assert_eq!(db(&file(&whole), &["--limit", "3"]).code, 2, "of what?");
    assert_eq!(db(&file(&whole), &["--keys"]).code, 2, "it has buckets");
}
