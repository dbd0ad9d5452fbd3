//! By index, by kind, by segment, and both together; a group without a record that is shown is left
//! out, segments and the verdict never are.

use crate::support::*;
use retcd_api::etcdserverpb::{InternalRaftRequest, LeaseGrantRequest, LeaseRevokeRequest};
use retcd_vfs::MemVfs;
use retcd_wal::{Group, LogEntry};

/// Puts 1 to 14, a group each, two leases in one group.
fn log() -> MemVfs {
    let vfs = MemVfs::new();
    let mut log = create(&vfs);
    fill(&mut log, 1, 14, 1);
    let grant = Some(LeaseGrantRequest { ttl: 60, id: 7 });
    let revoke = Some(LeaseRevokeRequest { id: 7 });
    let entries: [LogEntry; 2] = [
        request(15, 1, InternalRaftRequest { lease_grant: grant, ..Default::default() }),
        request(16, 1, InternalRaftRequest { lease_revoke: revoke, ..Default::default() }),
    ];
    log.append(&Group { entries: &entries, ..Group::default() }).expect("in memory");
    vfs
}

/// Kinds and indexes of the records that are shown, and how many groups are.
fn shown(arguments: &[&str]) -> (Vec<(String, Option<u64>)>, usize) {
    let ran = dump(&log(), &[&["-w", "json"], arguments].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json("verdict").len(), 1);
    let records = ran.json("record");
    let records = records.iter().map(|record| {
        (record["kind"].as_str().unwrap_or_default().to_owned(), record["index"].as_u64())
    });
    (records.collect(), ran.json("group").len())
}

fn put_of(index: u64) -> (String, Option<u64>) {
    ("put".into(), Some(index))
}

fn hard_state() -> (String, Option<u64>) {
    ("hard-state".into(), None)
}

#[test]
fn by_index() {
    let all = shown(&["--from-index", "13", "--to-index", "14"]);
    assert_eq!(all, (vec![put_of(13), hard_state(), put_of(14), hard_state()], 2));
    assert_eq!(shown(&["--from-index", "17"]), (vec![], 0));
    assert_eq!(shown(&["--to-index", "16"]).0.len(), 30);
}

#[test]
fn by_kind() {
    let leases = vec![("lease-grant".into(), Some(15)), ("lease-revoke".into(), Some(16))];
    assert_eq!(shown(&["--kind", "lease"]), (leases.clone(), 1));
    assert_eq!(shown(&["--kind", "lease-grant,lease-revoke"]), (leases.clone(), 1));
    assert_eq!(shown(&["--kind", "lease-grant", "--kind", "lease-revoke"]), (leases, 1));
    assert_eq!(shown(&["--kind", "normal"]).0.len(), 16);
    assert_eq!(shown(&["--kind", "hard-state"]).0, vec![hard_state(); 14]);
    assert_eq!(shown(&["--kind", "conf-change,snapshot"]), (vec![], 0));
    let both = shown(&["--kind", "put", "--to-index", "2"]);
    assert_eq!(both, (vec![put_of(1), put_of(2)], 2));
}

#[test]
fn by_key() {
    assert_eq!(shown(&["--key", "key-7"]), (vec![put_of(7)], 1));
    assert_eq!(shown(&["--key", "key\\x2d7"]), (vec![put_of(7)], 1));
    let many: Vec<_> = [1, 10, 11, 12, 13, 14].map(put_of).to_vec();
    assert_eq!(shown(&["--key", "key-1", "--prefix"]), (many, 6));
    assert_eq!(shown(&["--key", "key-", "--prefix", "--to-index", "2"]).0.len(), 2);
    assert_eq!(shown(&["--key", "nothing"]), (vec![], 0));
}

#[test]
fn by_segment() {
    for number in ["1", "0x1"] {
        let (records, groups) = shown(&["--segment", number, "--kind", "put"]);
        let indexes: Vec<_> = records.iter().filter_map(|(_, index)| *index).collect();
        assert_eq!((indexes, groups), ((7..=12).collect(), 6));
    }
    let ran = dump(&log(), &["--segment", "1"]);
    assert_eq!(ran.lines_with("segment 00").len(), 1);
    let missing = dump(&log(), &["--segment", "9"]);
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert_eq!(missing.err, "etcd-dump: data/member/wal: there is no segment 9 here\n");
}

#[test]
fn groups_alone() {
    assert_eq!(shown(&["--groups-only"]), (vec![], 15));
    assert_eq!(shown(&["--groups-only", "--kind", "put", "--to-index", "3"]), (vec![], 3));
}

#[test]
fn totals_follow_the_filter() {
    let ran = dump(&log(), &["-w", "json", "--summary", "--kind", "lease", "--segment", "2"]);
    let summary = &ran.json("summary")[0];
    assert_eq!((&summary["segments"], &summary["groups"]), (&1.into(), &3.into()));
    assert_eq!((&summary["entries"], &summary["hard_states"]), (&2.into(), &0.into()));
    assert_eq!(summary["indexes"], serde_json::json!([15, 16]));
    assert!(ran.json("segment").is_empty() && ran.json("ending").is_empty());
}
