//! `kill -9` at random moments under concurrent writes, and then every promise is checked.
//!
//! A round starts the server on the data of the round before, lets workers write until a random
//! number of answers has come, kills the process in the middle of what is under way, starts it
//! again and compares what it tells with the recorded history:
//!
//! 1. revisions have not gone back and have no gaps,
//! 2. every acknowledged write is there at its revision with exactly its effect,
//! 3. every other revision is the effect of a request that was sent and not answered,
//! 4. the present state, a state of the past, the leases and the compacted revision agree,
//! 5. HashKV is the number that the recorded history gives.
//!
//! A killed process keeps its page cache, so this proves recovery, not durability; for that the
//! same kind of history runs on the crash-simulating file system below.
//!
//! `RETCD_KILL_ROUNDS` sets the number of rounds, `RETCD_KILL_SEED` repeats a run's requests.

mod history;
mod verify;
mod workload;

use retcd_testkit::Server;
use retcd_testkit::random::{Random, fresh_seed};
use tempfile::TempDir;

use crate::common::{server_binary_is_ours, soon, start_on};
use history::History;

/// Enough to catch a systematic loss within the time of an ordinary test run.
const ROUNDS_BY_DEFAULT: u64 = 5;

/// So small that flushes and merges happen in every round.
const SMALL_MEMTABLE: [&str; 1] = ["--memtable-bytes=1048576"];

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_unsent_appears() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let rounds = number("RETCD_KILL_ROUNDS", ROUNDS_BY_DEFAULT);
    let seed = number("RETCD_KILL_SEED", fresh_seed());
    println!("RETCD_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut history = History::new();
    let mut server = start(&folder);
    for round in 1..=rounds {
        let attempts = workload::until_killed(server, &history, &mut random).await;
        server = start(&folder);
        let told = soon(verify::observe(&server, &history, &mut random)).await;
        let summary = verify::check(&mut history, &attempts, &told)
            .unwrap_or_else(|offence| panic!("seed {seed}, round {round}: {offence}"));
        println!("round {round} of {rounds}: {summary}");
    }
    println!("{rounds} of {rounds} kill rounds passed");
}

fn start(folder: &TempDir) -> Server {
    start_on(folder, if server_binary_is_ours() { &SMALL_MEMTABLE } else { &[] })
}
