//! The whole measurement: floor, puts, reads, the call that does nothing, and servers with many
//! keys.

use std::path::Path;
use std::time::Duration;

use retcd_testkit::{Cluster, Server, ServerOptions};
use tempfile::TempDir;

use crate::corpus::{Corpus, Kind};
use crate::fill::{self, Pairs};
use crate::load::{self, Kind as Call, Load, Measurement};
use crate::options::Options;
use crate::{Error, behind, floor, large, report};

/// How long the raw floor is measured.
const FLOOR_TIME: Duration = Duration::from_secs(1);
/// Reads are measured with this many clients.
const READERS: usize = 100;

/// Above what any fill needs, in bytes.
const QUOTA: &str = "--quota-backend-bytes=68719476736";

/// A server under measurement. Fields drop in order: the process before its files.
struct Candidate {
    name: &'static str,
    servers: Servers,
    _folder: TempDir,
}

enum Servers {
    One(Server),
    Cluster(Cluster),
}

impl Servers {
    fn start(how: ServerOptions, folder: &Path, members: usize) -> Result<Servers, Error> {
        Ok(match members {
            1 => Servers::One(Server::start(&how)?),
            members => Servers::Cluster(Cluster::start(how, folder, members)?),
        })
    }

    fn all(&self) -> Vec<&Server> {
        match self {
            Servers::One(server) => vec![server],
            Servers::Cluster(cluster) => (0..cluster.len()).map(|n| cluster.server(n)).collect(),
        }
    }
}

/// Measures and prints everything that the options ask for.
pub fn run(options: &Options) -> Result<(), Error> {
    if options.loads {
        run_loads(options)?;
    }
    if options.behind > 0 {
        behind::run(options)?;
    }
    if options.keys > 0 {
        large::run(options)?;
    }
    Ok(())
}

fn run_loads(options: &Options) -> Result<(), Error> {
    print_floor(&options.folder)?;
    let candidates = start_all(options)?;
    println!("{}", report::HEAD);
    for &clients in &options.clients {
        measure(options, &candidates, Call::Put, clients)?;
    }
    for clients in [1, READERS] {
        measure(options, &candidates, Call::Get, clients)?;
    }
    for clients in [1, READERS] {
        measure(options, &candidates, Call::Nothing, clients)?;
    }
    Ok(())
}

/// Prints the raw floor of the file system that `folder` lies on.
pub fn print_floor(folder: &Path) -> Result<(), Error> {
    let line = |how: &str, floor: floor::Floor| {
        let (p50, p99) = (report::micros(floor.p50), report::micros(floor.p99));
        println!("raw floor, 4 KiB, {how}: p50 {p50:.0} µs, p99 {p99:.0} µs");
    };
    match floor::direct(folder, FLOOR_TIME)? {
        Some(floor) => line("O_DIRECT and RWF_DSYNC", floor),
        None => println!("raw floor: no direct access on this file system"),
    }
    line("write and fdatasync", floor::buffered(folder, FLOOR_TIME)?);
    Ok(())
}

/// Puts by some clients against one server with further arguments: for sweeps over its settings.
pub fn puts_with(
    options: &Options,
    arguments: &[String],
    clients: usize,
) -> Result<Measurement, Error> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    let mut server = ServerOptions::new(&options.server, &folder.path().join("data"));
    server.arguments = [&options.server_arguments, arguments].concat();
    let server = Server::start(&server)?;
    let mut runs = Vec::new();
    for round in 0..options.rounds {
        let load = load_of(options, Call::Put, clients);
        runs.push(load::run(&[&server], load, round as u64)?);
    }
    Ok(report::medians(&runs))
}

fn load_of(options: &Options, kind: Call, clients: usize) -> Load {
    let Options { connections, duration, .. } = *options;
    Load { kind, clients, connections, duration }
}

/// (name, how to start it) of each program that was given.
pub(crate) fn programs(options: &Options, folder: &Path) -> Vec<(&'static str, ServerOptions)> {
    let mut ours = ServerOptions::new(&options.server, &folder.join("data"));
    ours.arguments.clone_from(&options.server_arguments);
    // Filling may pass the default quota of 2 GiB.
    let ours = ours.argument(QUOTA);
    // A store that reads everything into memory takes a minute for many millions of keys.
    let ours = ours.patience(Duration::from_secs(600));
    let mut programs = vec![("retcd", ours)];
    if let Some(etcd) = &options.etcd {
        let etcd = ServerOptions::new(etcd, &folder.join("data"))
            .argument(QUOTA)
            .patience(Duration::from_secs(600));
        programs.push(("etcd", etcd));
    }
    programs
}

fn start_all(options: &Options) -> Result<Vec<Candidate>, Error> {
    let mut candidates = Vec::new();
    let count = programs(options, &options.folder).len();
    for index in 0..count {
        let folder = tempfile::tempdir_in(&options.folder)?;
        let (name, how) = programs(options, folder.path()).swap_remove(index);
        let servers = Servers::start(how, folder.path(), options.members)?;
        // Each read finds its key, and no put is faster because the store is smaller.
        let corpus = Corpus::new(Kind::R);
        fill::write(servers.all()[0].client_address(), corpus, Pairs::Each(load::KEYS))?;
        candidates.push(Candidate { name, servers, _folder: folder });
    }
    Ok(candidates)
}

/// Runs one load against all servers in turn, several times, and prints the medians.
fn measure(
    options: &Options,
    candidates: &[Candidate],
    kind: Call,
    clients: usize,
) -> Result<(), Error> {
    let mut runs = vec![Vec::new(); candidates.len()];
    for round in 0..options.rounds {
        for (candidate, runs) in candidates.iter().zip(&mut runs) {
            let load = load_of(options, kind, clients);
            runs.push(load::run(&candidate.servers.all(), load, round as u64)?);
        }
    }
    let what = match kind {
        Call::Put => "put",
        Call::Get => "get",
        Call::Nothing => "nothing",
    };
    for (candidate, runs) in candidates.iter().zip(&runs) {
        println!("{}", report::line(what, clients, candidate.name, &report::medians(runs)));
    }
    Ok(())
}
