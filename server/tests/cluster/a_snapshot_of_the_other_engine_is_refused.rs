//! A new member that needs a snapshot has the other storage engine and refuses it. Its leader says
//! so in its log and its metrics, and sends one when the member comes back with the right engine.

use crate::common::{Members, PATIENCE, soon};
use etcd_client::MemberAddOptions;
use retcd_testkit::random::Random;
use retcd_testkit::scrape::{get_until, metric};
use retcd_testkit::{Cluster, StartError};
use std::net::SocketAddr;
use std::path::Path;

/// A log without its first segment has nothing for a new member.
const ARGUMENTS: &[&str] = &["--memtable-bytes=8388608", "--max-wals=1"];

/// Bytes of a value: large, so that a few of them fill a segment of the log.
const VALUE_BYTES: usize = 1 << 20;

/// More than a segment.
const VALUES: u64 = 80;

const REFUSED: &str = "retcd_snapshot_send_refused";

impl Members {
    /// Writes until the log of a lone member doesn't begin at its beginning any more.
    async fn outgrow_log(&self) {
        let log = self.cluster.data_dir(0).join("member/wal");
        let mut client = self.client(0).await;
        let mut random = Random::new(1);
        let mut number = 0;
        soon(async {
            while number < VALUES || has_first_segment(&log) {
                let value: Vec<u8> =
                    (0..VALUE_BYTES / 8).flat_map(|_| random.number().to_le_bytes()).collect();
                client.put(format!("large {}", number % 10), value, None).await.expect("put");
                number += 1;
            }
        })
        .await;
    }
}

fn has_first_segment(log: &Path) -> bool {
    let files = std::fs::read_dir(log).expect("there is a log");
    let mut names = files.map(|file| file.expect("it can be read").file_name());
    names.any(|name| name.to_string_lossy().starts_with("0000000000000000-"))
}

/// Waits until a metric of the first member is as wanted.
fn wait_for_metric(cluster: &Cluster, name: &str, is_wanted: impl Fn(f64) -> bool) {
    let is_there = |text: &str| metric(text, name).is_some_and(&is_wanted);
    let address: SocketAddr = cluster.server(0).client_address();
    let answer = get_until(address, "/metrics", |answer| is_there(&answer.body)).expect("metrics");
    assert!(is_there(&answer.body), "{name}: {:?}", metric(&answer.body, name));
}

#[tokio::test]
async fn until_the_member_has_the_same() {
    if std::env::var_os("RETCD_TEST_SERVER").is_some() {
        return;
    }
    let mut members = Members::found(1, ARGUMENTS);
    members.outgrow_log().await;
    let (addresses, url) = members.cluster.next_member().expect("free ports");
    let options = MemberAddOptions::new().with_is_learner();
    let added = members.client(0).await.member_add([url], Some(options)).await;
    let added = added.expect("a learner changes no quorum");
    let id = added.member().expect("the new member").id();
    let begun = members.cluster.begin_join(addresses, &[], &["--backend-engine=btree"]);
    let learner = begun.unwrap_or_else(|error: StartError| panic!("{error}"));

    let log = members.cluster.server(0).log().clone();
    let said = log.wait_for("peer refuses snapshots", PATIENCE);
    let said = said.unwrap_or_else(|log| panic!("it doesn't say so:\n{log}"));
    let error = said["error"].as_str().expect("the reason");
    let expected = "the snapshot is of the storage engine lsm, and this member has btree";
    assert!(error.contains(expected), "{error}");
    wait_for_metric(&members.cluster, REFUSED, |value| value == 1.0);
    wait_for_metric(&members.cluster, "etcd_network_snapshot_send_failures", |value| value >= 1.0);

    members.cluster.kill(learner).expect("it ran");
    let data = members.cluster.data_dir(learner);
    std::fs::remove_dir_all(data).expect("nobody runs it");
    members.cluster.restart(learner).unwrap_or_else(|error| panic!("{error}"));
    members.promote(0, id).await;
    members.agree(&[0, learner]).await;
    wait_for_metric(&members.cluster, REFUSED, |value| value == 0.0);
    wait_for_metric(&members.cluster, "etcd_network_snapshot_send_success", |value| value == 1.0);
}
