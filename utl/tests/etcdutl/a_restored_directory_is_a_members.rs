//! `etcdutl snapshot restore`: a member opens what it made, alone or as one of several, with the
//! ids that etcd would give, and has the keys, the history and the leases of the snapshot.

use crate::support::*;
use retcd_api::etcdserverpb::RangeRequest;
use retcd_mvcc::Store;
use retcd_raft_glue::Inline;
use retcd_vfs::Vfs;
use retcd_wal::Identity;
use std::path::Path;

const ALONE: Identity = Identity { cluster: 0xcdf8_1819_4e3a_8c32, member: 0x8e9e_05c5_2164_694d };

/// Every revision that can be read gives the same in both.
fn assert_same(one: &Store, other: &Store) {
    assert_eq!(one.revision(), other.revision());
    assert_eq!(one.compacted_revision(), other.compacted_revision());
    assert_eq!(one.key_count(), other.key_count());
    assert_eq!(one.leases(), other.leases());
    assert_eq!(one.lease_keys(LEASE).expect("memory"), other.lease_keys(LEASE).expect("memory"));
    for revision in one.compacted_revision()..=one.revision() {
        let hash = |store: &Store| store.hash_kv(revision).expect("memory").hash;
        assert_eq!(hash(one), hash(other), "revision {revision}");
        let all = RangeRequest {
            key: "\0".into(),
            range_end: "\0".into(),
            revision,
            ..RangeRequest::default()
        };
        assert_eq!(one.range(&all).expect("memory"), other.range(&all).expect("memory"));
    }
}

#[test]
fn alone_and_it_goes_on() {
    let (vfs, store) = with_snapshot();
    let ran = etcdutl(&vfs, &["snapshot", "restore", "snap.db", "--data-dir", "data"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert!(ran.err.contains("Warning: the revision goes back to 53"), "{}", ran.err);
    assert!(ran.err.contains("member 8e9e05c52164694d of cluster cdf818194e3a8c32"));
    let parts = open(&vfs, None);
    assert_eq!(parts.identity, ALONE);
    assert_eq!(voters(&parts), [ALONE.member]);
    assert_same(&parts.store, &store);
    let mut member = Inline::new(parts);
    member.settle().expect("it leads alone");
    assert_eq!(member.store().members()[0].peer_ur_ls, ["http://localhost:2380"]);
    assert!(member.store().applied_index() > 1, "it has applied the entry of its own term");
    drop(member);
    open(&vfs, None);
}

#[test]
fn as_one_of_two_with_the_log_elsewhere() {
    let (vfs, store) = with_snapshot();
    let restore = |name: &str, url: &str| {
        let arguments = [
            "snapshot",
            "restore",
            "snap.db",
            "--data-dir=data",
            "--wal-dir=log",
            "--name",
            name,
            "--initial-cluster=m1=http://127.0.0.1:2380,m2=http://127.0.0.1:2381",
            "--initial-cluster-token=tk",
            "--initial-advertise-peer-urls",
            url,
        ];
        etcdutl(&vfs, &arguments)
    };
    let ran = restore("m1", "http://127.0.0.1:2380");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let parts = open(&vfs, Some("log"));
    let (m1, m2) = (0x6ce0_63f6_96cb_ce3c, 0x7f_eb4b_ee73_b3f5);
    assert_eq!(parts.identity, Identity { cluster: 0x941a_24a1_0f6a_e284, member: m1 });
    assert_eq!(voters(&parts), [m2, m1]);
    assert_same(&parts.store, &store);
    assert!(!vfs.exists(Path::new("data/member/wal")).expect("memory"));
    let again = restore("m1", "http://127.0.0.1:2380");
    assert_eq!(
        again.err,
        "Error: data-dir \"data\" not empty or could not be read: a member runs on it\n"
    );
}

#[test]
fn with_a_raised_revision_for_which_nothing_is_left_below() {
    let (vfs, store) = with_snapshot();
    let bump = ["--bump-revision=1000", "--mark-compacted"];
    let restore = ["snapshot", "restore", "snap.db", "--data-dir=data"];
    let ran = etcdutl(&vfs, &[&restore[..], &bump].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("goes back"), "{}", ran.err);
    let parts = open(&vfs, None);
    assert_eq!(parts.store.revision(), store.revision() + 1000);
    assert_eq!(parts.store.compacted_revision(), store.revision() + 1000);
    assert_eq!(parts.store.key_count(), store.key_count());
}

#[test]
fn of_a_file_without_a_hash_only_if_that_is_wanted() {
    let (vfs, store) = with_snapshot();
    let whole = snapshot(&store);
    write(&vfs, "raw.db", &whole[..whole.len() - 32]);
    let mut wrong = whole;
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    write(&vfs, "wrong.db", &wrong);
    let restore = |file: &str, flag: &str| {
        let arguments = ["snapshot", "restore", file, "--data-dir=data", flag];
        etcdutl(&vfs, &arguments)
    };
    let ran = restore("raw.db", "--skip-hash-check=false");
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "Error: snapshot missing hash but --skip-hash-check=false\n")
    );
    let ran = restore("wrong.db", "--skip-hash-check=false");
    assert!(ran.err.starts_with("Error: expected sha256 ["), "{}", ran.err);
    assert!(!vfs.exists(Path::new("data")).expect("memory"), "nothing was written");
    let ran = restore("raw.db", "--skip-hash-check");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.starts_with("Warning: the snapshot has no hash:"), "{}", ran.err);
    assert_same(&open(&vfs, None).store, &store);
}
