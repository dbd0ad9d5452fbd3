//! How long a checkpoint of a large engine takes, and what writers notice of it.
//!
//! An engine is filled until its tables have a given size. Then one thread writes batches at a
//! fixed pace, one steps the engine as the maintenance thread of a server does, and checkpoints are
//! made one after the other. Each has two parts: the flush of what the memtable holds, for which
//! the caller waits (a backup needs it; a follower, which has the log, doesn't), and the folder.

use crate::Error;
use crate::stats::percentile;
use crate::workload::{key, value};
use bytes::Bytes;
use retcd_engine::lsm::checkpoint;
use retcd_engine::{Applied, Engine, Header, Keyspace, Lsm, Options, Record, Step, Version};
use retcd_testkit::random::Random;
use retcd_vfs::RealVfs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "\
cargo bench -p retcd-benches --bench checkpoint -- [options]
  --dir PATH    where the engine goes (default: the target folder)
  --gib N       size of its tables in GiB (default 1)
  --rounds N    checkpoints (default 5)";

/// Records in a batch, as in a transaction of 64 puts.
const BATCH: u64 = 64;

/// Bytes of a value that the engine is filled with.
const FILL_VALUE_BYTES: usize = 4096;

/// Time from one batch to the next while checkpoints are made: 6,400 puts a second.
const PACE: Duration = Duration::from_millis(10);

/// Time without a checkpoint before each round, to compare with.
const QUIET: Duration = Duration::from_secs(2);

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Where the engine goes.
    pub folder: PathBuf,
    /// Bytes of its tables.
    pub bytes: u64,
    /// How many checkpoints are made.
    pub rounds: usize,
}

impl Choices {
    /// Reads the arguments behind the program's name. Cargo's own `--bench` is passed over.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        target: PathBuf,
    ) -> Result<Choices, Error> {
        let mut choices = Choices { folder: target, bytes: 1 << 30, rounds: 5 };
        let mut arguments = arguments.into_iter().filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} lacks a value\n{USAGE}"))?;
            match name.as_str() {
                "--dir" => choices.folder = value.into(),
                "--gib" => choices.bytes = value.parse::<u64>()? << 30,
                "--rounds" => choices.rounds = value.parse()?,
                _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
            }
        }
        Ok(choices)
    }
}

/// The one writer.
struct Writer<'a> {
    engine: &'a Lsm,
    random: Random,
    revision: u64,
    keys: u64,
}

impl Writer<'_> {
    /// Puts a batch of what `pair` makes of its place in the history.
    fn write(
        &mut self,
        pair: impl Fn(&mut Random, u64) -> (u64, Bytes),
    ) -> Result<Duration, Error> {
        let main = self.revision + 1;
        let (mut pairs, mut revisions) = (Vec::new(), Vec::new());
        for sub in 0..BATCH {
            let (number, value) = pair(&mut self.random, self.revision * BATCH + sub);
            let key = key(number);
            let version = Version { main, sub };
            let rev_key = [main.to_be_bytes(), sub.to_be_bytes()].concat();
            revisions.push(record(rev_key.into(), version, key.clone()));
            pairs.push(record(key, version, value));
        }
        let applied = Applied { index: main, term: 1, ..Applied::default() };
        let started = Instant::now();
        self.engine.write(Keyspace::Kv, &mut pairs)?;
        self.engine.write(Keyspace::Rev, &mut revisions)?;
        self.engine.commit(applied)?;
        self.revision = main;
        Ok(started.elapsed())
    }

    /// Fills the engine, stepping it as often as writers would have to wait.
    fn fill(&mut self, bytes: u64) -> Result<(), Error> {
        while self.engine.stats().file_bytes < bytes {
            self.write(|random, place| (place, noise(random)))?;
            while self.engine.stats().frozen_memtables > 1 {
                self.engine.step()?;
            }
        }
        self.keys = self.revision * BATCH;
        self.engine.request_flush()?;
        while self.engine.step()? != Step::Idle {}
        Ok(())
    }

    /// Writes at its pace until told to stop; answers when each batch began and how long it took.
    fn run(&mut self, done: &AtomicBool) -> Result<Vec<(Instant, Duration)>, Error> {
        let mut batches = Vec::new();
        let mut due = Instant::now();
        let keys = self.keys;
        while !done.load(Ordering::Acquire) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due = due.max(Instant::now()) + PACE;
            // Where a server would hold writers back, so that memory stays bounded.
            if self.engine.stats().frozen_memtables < 2 {
                batches.push((
                    Instant::now(),
                    self.write(|random, _| (random.below(keys), value(random)))?,
                ));
            }
        }
        Ok(batches)
    }
}

/// A value that doesn't compress: the tables are to become large soon.
fn noise(random: &mut Random) -> Bytes {
    (0..FILL_VALUE_BYTES / 8).flat_map(|_| random.number().to_le_bytes()).collect()
}

fn record(key: Bytes, version: Version, value: Bytes) -> Record {
    let header = Header::default();
    Record { key, version, tombstone: false, header, value, keys_added: None }
}

/// One checkpoint.
struct Round {
    begun: Instant,
    flush: Duration,
    folder: Duration,
}

fn make(engine: &Lsm, to: &Path) -> Result<Round, Error> {
    let begun = Instant::now();
    let wanted = engine.applied().index;
    engine.request_flush()?;
    while engine.flushed().index < wanted {
        std::thread::sleep(Duration::from_millis(1));
    }
    let flush = begun.elapsed();
    let mut checkpoint = engine.checkpoint(to)?;
    while checkpoint.step()?.is_none() {}
    Ok(Round { begun, flush, folder: begun.elapsed() - flush })
}

/// Makes the rounds, and checks the last folder.
fn rounds(engine: &Lsm, folder: &Path, count: usize) -> Result<Vec<Round>, Error> {
    let mut rounds = Vec::new();
    for number in 0..count {
        std::thread::sleep(QUIET);
        let to = folder.join(format!("checkpoint-{number}"));
        rounds.push(make(engine, &to)?);
        if number + 1 == count {
            let started = Instant::now();
            checkpoint::verify(&RealVfs, &to)?;
            println!("verified in {:.1} s", started.elapsed().as_secs_f64());
        }
        std::fs::remove_dir_all(&to)?;
    }
    Ok(rounds)
}

/// Fills an engine, makes checkpoints and prints what they took.
pub fn run(choices: &Choices) -> Result<(), Error> {
    let folder = tempfile::tempdir_in(&choices.folder)?;
    let engine = Lsm::open(Arc::new(RealVfs), &folder.path().join("db"), Options::default())?;
    let mut writer = Writer { engine: &engine, random: Random::new(7), revision: 0, keys: 0 };
    let started = Instant::now();
    writer.fill(choices.bytes)?;
    let (stats, took) = (engine.stats(), started.elapsed().as_secs_f64());
    let mib = stats.file_bytes >> 20;
    println!("filled {mib} MiB in {} runs in {took:.0} s", stats.runs);

    let done = AtomicBool::new(false);
    let (rounds, batches) = std::thread::scope(|scope| -> Result<_, Error> {
        let stepper = scope.spawn(|| -> retcd_engine::Result<()> {
            while !done.load(Ordering::Acquire) {
                if engine.step()? == Step::Idle {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Ok(())
        });
        let writer = scope.spawn(|| writer.run(&done));
        let rounds = rounds(&engine, folder.path(), choices.rounds);
        done.store(true, Ordering::Release);
        stepper.join().map_err(|_| "the stepping thread panicked")??;
        let batches = writer.join().map_err(|_| "the writing thread panicked")??;
        Ok((rounds?, batches))
    })?;
    report(&rounds, &batches);
    Ok(())
}

fn report(rounds: &[Round], batches: &[(Instant, Duration)]) {
    println!("| checkpoint | flush of the memtable, ms | folder, ms |");
    println!("|---|---|---|");
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    for (number, round) in rounds.iter().enumerate() {
        println!("| {number} | {:.1} | {:.1} |", millis(round.flush), millis(round.folder));
    }
    let is_during = |at: &Instant| {
        rounds
            .iter()
            .any(|round| (round.begun..round.begun + round.flush + round.folder).contains(at))
    };
    for (name, during) in [("without", false), ("during", true)] {
        let chosen = batches.iter().filter(|(at, _)| is_during(at) == during);
        let mut micros: Vec<u32> = chosen.map(|(_, took)| took.as_micros() as u32).collect();
        micros.sort_unstable();
        if !micros.is_empty() {
            let share = |share| percentile(&micros, share).as_micros();
            println!(
                "{} batches {name} checkpoints: p50 {} µs, p99 {} µs, max {} µs",
                micros.len(),
                share(0.5),
                share(0.99),
                share(1.0)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_replace_the_defaults() {
        let parse = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            Choices::parse(arguments, PathBuf::from("target"))
        };
        let choices = parse(&["--bench", "--gib", "10", "--rounds", "3"]).expect("known options");
        assert_eq!((choices.bytes, choices.rounds), (10 << 30, 3));
        assert_eq!(choices.folder, Path::new("target"));
        assert!(parse(&["--what", "1"]).is_err());
        assert!(parse(&["--gib"]).is_err());
    }
}
