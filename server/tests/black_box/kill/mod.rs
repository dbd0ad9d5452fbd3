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

use retcd_testkit::random::{Random, fresh_seed};

use crate::common::{PATIENCE, server_binary_is_ours, soon, start_on};
use history::History;

/// Enough to catch a systematic loss within the time of an ordinary test run.
const ROUNDS_BY_DEFAULT: u64 = 5;

/// Of these the log alone, or the engine alone, is another one than in the rounds above.
const OTHER_ROUNDS_BY_DEFAULT: u64 = 2;

/// So small that flushes and merges happen in every round.
const SMALL_MEMTABLE: &str = "--memtable-bytes=1048576";

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_unsent_appears() {
    let arguments: &[&str] = if server_binary_is_ours() { &[SMALL_MEMTABLE] } else { &[] };
    kill_rounds(arguments, ROUNDS_BY_DEFAULT).await;
}

#[tokio::test]
async fn nor_with_several_groups_of_the_log_under_way() {
    if !server_binary_is_ours() || !has_uring() {
        println!("passed over: the log can't be written by io_uring here");
        return;
    }
    let arguments = [SMALL_MEMTABLE, "--wal-io=uring", "--wal-depth=8"];
    kill_rounds(&arguments, OTHER_ROUNDS_BY_DEFAULT).await;
}

#[tokio::test]
async fn nor_on_the_tree() {
    if !server_binary_is_ours() {
        println!("passed over: the original has one engine");
        return;
    }
    let arguments = [SMALL_MEMTABLE, "--backend-engine=btree", "--backend-batch-limit=500"];
    kill_rounds(&arguments, OTHER_ROUNDS_BY_DEFAULT).await;
}

/// Whether a server that may choose takes io_uring.
fn has_uring() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = start_on(&folder, &["--wal-depth=2"]);
    let choice = server.log().wait_for("chose how the log writes", PATIENCE);
    choice.expect("every start says it")["wal-io"] == "uring"
}

/// Kills a server that runs with `arguments` again and again.
async fn kill_rounds(arguments: &[&str], rounds: u64) {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let rounds = number("RETCD_KILL_ROUNDS", rounds);
    let seed = number("RETCD_KILL_SEED", fresh_seed());
    println!("RETCD_KILL_SEED={seed}");
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut history = History::new();
    let mut server = start_on(&folder, arguments);
    for round in 1..=rounds {
        let attempts = workload::until_killed(server, &history, &mut random).await;
        server = start_on(&folder, arguments);
        let told = soon(verify::observe(&server, &history, &mut random)).await;
        let summary = verify::check(&mut history, &attempts, &told)
            .unwrap_or_else(|offence| panic!("seed {seed}, round {round}: {offence}"));
        println!("round {round} of {rounds}: {summary}");
    }
    println!("{rounds} of {rounds} kill rounds passed");
}
