//! Of three servers one is killed, and the others write until their logs have let go of what it
//! lacks. When it comes back it is sent a snapshot: it serves again without another restart, and
//! has the same state as the others.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use etcd_client::{Client, CompactionOptions};
use retcd_testkit::random::Random;
use retcd_testkit::{Server, ServerOptions, free_addresses_for};
use tempfile::TempDir;

use crate::common::{PATIENCE, server_binary, server_binary_is_ours, soon};

/// Bytes of a value: large, so that a few of them fill segments of the log.
const VALUE_BYTES: usize = 1 << 20;

/// Values that are written while one is away: more than two segments.
const VALUES: u64 = 150;

struct Place {
    name: String,
    client: SocketAddr,
    peer: SocketAddr,
    folder: TempDir,
}

fn places() -> Vec<Place> {
    let place = |(number, [client, peer]): (usize, [SocketAddr; 2])| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Place { name: format!("m{number}"), client, peer, folder }
    };
    free_addresses_for(3).expect("free ports").into_iter().enumerate().map(place).collect()
}

impl Place {
    fn start(&self, all: &[Place]) -> Server {
        let cluster: Vec<_> =
            all.iter().map(|place| format!("{}=http://{}", place.name, place.peer)).collect();
        let options = ServerOptions::new(server_binary(), &self.folder.path().join("data"))
            .patience(PATIENCE)
            .argument(format!("--name={}", self.name))
            .argument(format!("--listen-client-urls=http://{}", self.client))
            .argument(format!("--advertise-client-urls=http://{}", self.client))
            .argument(format!("--listen-peer-urls=http://{}", self.peer))
            .argument(format!("--initial-advertise-peer-urls=http://{}", self.peer))
            .argument(format!("--initial-cluster={}", cluster.join(",")))
            .argument("--memtable-bytes=8388608")
            .argument("--max-wals=1");
        Server::start(&options).unwrap_or_else(|error| panic!("{error}"))
    }

    async fn connect(&self) -> Client {
        Client::connect([self.client.to_string()], None).await.expect("it accepts connections")
    }

    /// Whether the log still has its first segment.
    fn has_whole_log(&self) -> bool {
        let log = self.folder.path().join("data/member/wal");
        let files = std::fs::read_dir(log).expect("there is a log");
        let mut names = files.map(|file| file.expect("it can be read").file_name());
        names.any(|name| Path::new(&name).to_string_lossy().starts_with("0000000000000000-"))
    }
}

/// Bytes that no compression makes smaller.
fn noise(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..VALUE_BYTES / 8).flat_map(|_| random.number().to_le_bytes()).collect()
}

async fn hash(client: &mut Client) -> (i64, u32) {
    let answer = soon(client.hash_kv(0)).await.expect("an answer");
    let revision = answer.header().expect("a header").revision();
    (revision, answer.hash())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        looks.tick().await;
    }
}

#[tokio::test]
async fn a_member_that_lags_is_sent_a_snapshot() {
    if !server_binary_is_ours() {
        return;
    }
    let places = places();
    let mut servers: Vec<Server> = thread::scope(|scope| {
        let all = &places;
        let started: Vec<_> =
            all.iter().map(|place| scope.spawn(move || place.start(all))).collect();
        started.into_iter().map(|server| server.join().expect("it serves")).collect()
    });
    let mut clients = [places[0].connect().await, places[1].connect().await];
    servers.pop().expect("three servers").kill().expect("it ran");

    // The one that was killed may have led.
    let [first, second] = &mut clients;
    until("the others don't go on", async || soon(first.put("small", "", None)).await.is_ok())
        .await;
    for number in 0..VALUES {
        let key = format!("large/{}", number % 20);
        soon(first.put(key, noise(number), None)).await.expect("two are a majority");
    }
    let revision = hash(first).await.0;
    let physical = CompactionOptions::new().with_physical();
    soon(first.compact(revision - 10, Some(physical))).await.expect("it is in the past");
    soon(first.put("small", "value", None)).await.expect("two are a majority");
    until("the logs keep their first segments", async || {
        !places[0].has_whole_log() && !places[1].has_whole_log()
    })
    .await;

    servers.push(places[2].start(&places));
    let mut returned = places[2].connect().await;
    soon(returned.put("small", "from the one that was away", None)).await.expect("it serves");
    until("the states differ", async || {
        let expected = hash(first).await;
        hash(second).await == expected && hash(&mut returned).await == expected
    })
    .await;
    let log = servers[2].log().text();
    assert!(log.contains("applied snapshot"), "it caught up without a snapshot:\n{log}");
}
