//! What a leader's clients notice while a follower that was away catches up.
//!
//! For each program, a cluster of three:
//!
//! 1. puts on the leader with all members there;
//! 2. one follower is killed, and single puts are loaded until the log is as long as was asked for;
//! 3. puts on the leader with one member away;
//! 4. the follower is started again, and puts go on until it has what the leader has.
//!
//! All members, and the client, share one machine: a follower that catches up faster takes more of
//! it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use retcd_api::etcdserverpb::{StatusRequest, StatusResponse};
use retcd_testkit::{Cluster, Server, ServerOptions};

use crate::client::Connection;
use crate::load::{self, Kind, Load, Measurement};
use crate::options::Options;
use crate::{Error, report, suite};

/// Clients that load what the follower lacks.
const LOADERS: usize = 1000;

/// How long is loaded between two looks at the length of the log.
const LOAD_TIME: Duration = Duration::from_secs(1);

/// Nothing takes longer to catch up, unless it never does.
const PATIENCE: Duration = Duration::from_secs(1800);

/// How often the follower is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Measures and prints.
pub fn run(options: &Options) -> Result<(), Error> {
    println!("a follower that is {} entries behind a leader\n\n{}", options.behind, report::HEAD);
    for program in 0..suite::programs(options, Path::new("")).len() {
        for &clients in &options.clients {
            let folder = tempfile::tempdir_in(&options.folder)?;
            let (name, how) = suite::programs(options, folder.path()).swap_remove(program);
            measure(options, name, how, folder.path(), clients)?;
        }
    }
    Ok(())
}

fn measure(
    options: &Options,
    name: &str,
    how: ServerOptions,
    folder: &Path,
    clients: usize,
) -> Result<(), Error> {
    let mut cluster = Cluster::start(how, folder, 3)?;
    let leader = leader(&cluster)?;
    let follower = (leader + 1) % cluster.len();
    let load =
        |duration| Load { kind: Kind::Put, clients, connections: options.connections, duration };
    let print = |what: &str, measured: &Measurement| {
        println!("{}", report::line(what, clients, name, measured));
    };
    let all = load::run(&[cluster.server(leader)], load(options.duration), 1)?;
    print("all there", &all);

    cluster.kill(follower)?;
    let behind = load_entries(options, cluster.server(leader))?;
    let away = load::run(&[cluster.server(leader)], load(options.duration), 2)?;
    print("one away", &away);

    cluster.begin_restart(follower)?;
    let began = Instant::now();
    let servers = [cluster.server(leader), cluster.server(follower)];
    let (catching_up, silent) = while_catching_up(servers, load(PATIENCE))?;
    let took = began.elapsed().as_secs_f64();
    print("catching up", &catching_up);
    let p99_of = |other: &Measurement| catching_up.p99.as_secs_f64() / other.p99.as_secs_f64();
    println!(
        "{name}, {clients} clients: {behind} entries behind; caught up after {took:.1} s, \
         silent for {:.1} s of them;\n    p99 is {:.2} of that with all there, {:.2} of that with \
         one away\n",
        silent.as_secs_f64(),
        p99_of(&all),
        p99_of(&away),
    );
    Ok(())
}

/// Puts until the log is so much longer. Answers by how much it is.
fn load_entries(options: &Options, leader: &Server) -> Result<u64, Error> {
    let before = status(leader)?.raft_index;
    let load = Load {
        kind: Kind::Put,
        clients: LOADERS,
        connections: options.connections,
        duration: LOAD_TIME,
    };
    for seed in 3.. {
        let behind = status(leader)?.raft_index - before;
        if behind >= options.behind {
            return Ok(behind);
        }
        load::run(&[leader], load, seed)?;
    }
    unreachable!("there are more numbers than anybody waits for");
}

/// Puts on the leader until the follower has what the leader had a moment before. Also answers how
/// long the follower didn't answer.
fn while_catching_up(
    [leader, follower]: [&Server; 2],
    load: Load,
) -> Result<(Measurement, Duration), Error> {
    let has_caught_up = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let look = || {
        let mut silent = Duration::ZERO;
        let mut wanted = u64::MAX;
        while began.elapsed() < PATIENCE {
            match status(follower) {
                Ok(status) if status.raft_applied_index >= wanted => break,
                Ok(_) => {}
                Err(_) => silent = began.elapsed(),
            }
            wanted = status(leader)?.raft_index;
            thread::sleep(LOOK_INTERVAL);
        }
        Ok::<Duration, Error>(silent)
    };
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let silent = look();
            // The load ends however this has ended.
            has_caught_up.store(true, Ordering::Relaxed);
            silent
        });
        let measured = load::run_until(&[leader], load, 2, &has_caught_up);
        let silent = looking.join().map_err(|_| "the look at the follower panicked")??;
        if began.elapsed() >= PATIENCE {
            return Err("the follower doesn't catch up".into());
        }
        Ok((measured?, silent))
    })
}

fn leader(cluster: &Cluster) -> Result<usize, Error> {
    for number in 0..cluster.len() {
        let status = status(cluster.server(number))?;
        if status.header.is_some_and(|header| header.member_id == status.leader) {
            return Ok(number);
        }
    }
    Err("nobody leads".into())
}

fn status(server: &Server) -> Result<StatusResponse, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connection = Connection::open(server.client_address()).await?;
        let mut call = connection.method("/etcdserverpb.Maintenance/Status")?;
        call.send(&StatusRequest::default()).await
    })
}
