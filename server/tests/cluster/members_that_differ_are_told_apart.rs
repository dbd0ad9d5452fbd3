//! One member has executed something else than the others: its last entry, behind its back, while
//! it didn't run. Each of the three comparisons finds it: the periodic one, the one at compactions,
//! and the one before a member takes part.

use crate::common::{Members, soon};
use etcd_client::{AlarmAction, AlarmType, Client};
use prost::Message;
use retcd_api::etcdserverpb::InternalRaftRequest;
use retcd_engine::lsm::{Lsm, Options};
use retcd_engine::{Engine, Step};
use retcd_mvcc::CommittedEntry;
use retcd_raft_glue::{
    BootstrapOptions, DataDir, KIND_NORMAL, Parts, apply_conf_change, bootstrap,
};
use retcd_vfs::{RealVfs, Vfs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Whether the servers are of another program, whose data nobody here can change.
fn is_foreign() -> bool {
    std::env::var_os("RETCD_TEST_SERVER").is_some()
}

/// Opens the data of a member that doesn't run.
fn open(dir: &Path) -> Parts {
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let data_dir = DataDir::open(vfs.clone(), dir, None).expect("nobody runs it");
    let options = BootstrapOptions {
        name: String::new(),
        initial_cluster: Vec::new(),
        initial_cluster_token: String::new(),
        joins: None,
        stands_alone: None,
        log: retcd_wal::Options::default(),
        store: retcd_mvcc::Config::default(),
        election_ticks: 10,
        pre_vote: true,
        seed: 1,
    };
    let opener = move |dir: &Path| -> retcd_engine::Result<Arc<dyn Engine>> {
        Ok(Arc::new(Lsm::open(vfs.clone(), dir, Options::default())?))
    };
    bootstrap(data_dir, options, opener).expect("it can be opened")
}

/// Executes the entries of a member that doesn't run, but for the last one another put in the place
/// of its own, and flushes that: so nothing in it is damaged, and raft sees no difference.
fn falsify(dir: &Path) {
    let Parts { mut applier, log, engine, .. } = open(dir);
    let flushed = engine.applied().index;
    let entries = log.reader().entries(flushed + 1, log.last_index() + 1, u64::MAX);
    let mut entries = entries.expect("they can be read");
    let last = entries.last_mut().expect("nothing was flushed so far");
    let mut request = InternalRaftRequest::decode(last.data.clone()).expect("a request");
    request.put.as_mut().expect("the last one was a put").value = "false".into();
    last.data = request.encode_to_vec().into();
    for entry in entries {
        if entry.kind != KIND_NORMAL {
            apply_conf_change(&mut applier, &entry).expect("it was applied before");
            continue;
        }
        let retcd_wal::LogEntry { index, term, data, .. } = entry;
        let entry = CommittedEntry { index, term, data };
        applier.apply(&entry, Duration::ZERO).expect("it was applied before");
    }
    applier.publish().expect("there is space");
    engine.request_flush().expect("there is space");
    while engine.step().expect("there is space") == Step::Worked {}
}

/// Founds three members, of which one that doesn't lead is falsified and doesn't run. Answers that
/// one's number and id, and the leader's number.
async fn found_with_one_that_differs(arguments: &[&str]) -> (Members, usize, u64, usize) {
    let mut members = Members::found(3, arguments);
    let leader = members.leader(&[0, 1, 2]).await;
    let mut client = members.client(leader).await;
    for number in 0..5 {
        soon(client.put(format!("key {number}"), "true", None)).await.expect("put");
    }
    members.agree(&[0, 1, 2]).await;
    let differs = (leader + 1) % 3;
    let status = soon(members.client(differs).await.status()).await.expect("status");
    let id = status.header().expect("a header").member_id();
    members.cluster.kill(differs).expect("it ran");
    falsify(&members.cluster.data_dir(differs));
    (members, differs, id, leader)
}

/// The ids of members about which CORRUPT is raised.
async fn corrupt_members(client: &mut Client) -> Vec<u64> {
    let alarms = soon(client.alarm(AlarmAction::Get, AlarmType::Corrupt, None)).await;
    alarms.expect("alarms").alarms().iter().map(|alarm| alarm.member_id()).collect()
}

/// Waits until there is an alarm, which must be about this member alone.
async fn assert_found(client: &mut Client, id: u64) {
    let found = soon(async {
        loop {
            let corrupt = corrupt_members(client).await;
            if !corrupt.is_empty() {
                return corrupt;
            }
        }
    });
    assert_eq!(found.await, [id]);
}

#[tokio::test]
async fn now_and_then() {
    if is_foreign() {
        return;
    }
    let arguments = ["--experimental-corrupt-check-time=1s"];
    let (mut members, differs, id, leader) = found_with_one_that_differs(&arguments).await;
    members.cluster.restart(differs).unwrap_or_else(|error| panic!("{error}"));
    assert_found(&mut members.client(leader).await, id).await;
}

#[tokio::test]
async fn at_a_compaction() {
    if is_foreign() {
        return;
    }
    let arguments =
        ["--experimental-compact-hash-check-enabled", "--experimental-compact-hash-check-time=1s"];
    let (mut members, differs, id, leader) = found_with_one_that_differs(&arguments).await;
    members.cluster.restart(differs).unwrap_or_else(|error| panic!("{error}"));
    let mut client = members.client(leader).await;
    assert_eq!(corrupt_members(&mut client).await, [0_u64; 0], "nothing was compacted");
    let put = soon(client.put("key 0", "again", None)).await.expect("put");
    let revision = put.header().expect("a header").revision();
    soon(client.compact(revision, None)).await.expect("compact");
    assert_found(&mut client, id).await;
}

#[tokio::test]
async fn before_it_takes_part() {
    if is_foreign() {
        return;
    }
    let (mut members, differs, _, _) = found_with_one_that_differs(&[]).await;
    let checked = ["--experimental-initial-corrupt-check"];
    let refused = members.cluster.restart_with(differs, &checked);
    let refused = refused.expect_err("it differs").to_string();
    assert!(refused.contains("found data inconsistency with peers"), "{refused}");
}
