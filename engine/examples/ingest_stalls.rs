//! Writes at full speed, or at a given one, while threads flush and merge, and tells how long a
//! write took at most and how many runs there were: whether merges follow, and whether they stand
//! in the way.
//!
//! ```text
//! cargo run --release -p retcd-engine --example ingest_stalls -- FOLDER
//!     --writes N      writes of 256 bytes, half of them to keys that are there; 2,000,000
//!     --per-second N  at most; 0, the default, for as many as go
//!     --threads N     that flush and merge; 1
//! ```
//!
//! Half way a compaction is asked for and waited for, as `compact --physical` does, and its time is
//! told too. The door that slows writers down in the server isn't here: every 256th write waits
//! while memtables hold twice what makes a flush due, which is where the door begins.
//!
//! *Waited for a processor* is how long the writing thread was ready and didn't run, in the longest
//! write and the 63 before it, as Linux tells (`schedstat`): what is left of the longest write is
//! the engine's.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use retcd_engine::{Applied, Engine, Header, Keyspace, Lsm, Options, Record, Step, Version};
use retcd_vfs::RealVfs;

const VALUE_BYTES: usize = 256;
const MEMTABLE_PERMILLE_MAX: u64 = 2000;

/// What the system tells of this thread's turns on a processor.
struct Turns(Option<File>);

impl Turns {
    fn new() -> Turns {
        Turns(File::open("/proc/thread-self/schedstat").ok())
    }

    /// How long the thread was ready and didn't run, all in all; zero where nobody says.
    fn waited(&mut self) -> Duration {
        let mut text = String::new();
        let read = self.0.as_mut().map(|file| {
            file.seek(SeekFrom::Start(0))?;
            file.read_to_string(&mut text)
        });
        let told = read.and_then(std::io::Result::ok);
        let nanoseconds = told.and_then(|_| text.split_whitespace().nth(1)?.parse().ok());
        Duration::from_nanos(nanoseconds.unwrap_or(0))
    }
}

struct Writer<'a> {
    engine: &'a Lsm,
    keys: u64,
    random: u64,
    /// Microseconds of each write.
    times: Vec<u32>,
    held: Duration,
    runs_max: u64,
    debt_max: u64,
    bytes_max: u64,
    turns: Turns,
    /// [`Turns::waited`] a few writes ago.
    waited: Duration,
    /// The longest write, and what it and the few before waited for a processor.
    longest: (Duration, Duration),
}

impl Writer<'_> {
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn record(&mut self, main: u64) -> Record {
        let random = self.next_random();
        let key = if random.is_multiple_of(2) { main } else { random / 2 % main.max(1) };
        self.keys = self.keys.max(key);
        let digits: String = (0..4).map(|_| format!("{:016x}", self.next_random())).collect();
        let value = digits + &"a fixed text ".repeat(VALUE_BYTES / 13);
        Record {
            key: Bytes::from(format!("{:016x}/a-key-of-32-byte", key.wrapping_mul(0x9e37_79b9))),
            version: Version { main, sub: 0 },
            tombstone: false,
            header: Header::default(),
            value: Bytes::from(value.as_bytes()[..VALUE_BYTES].to_vec()),
            keys_added: None,
        }
    }

    fn write(&mut self, main: u64, watermark: u64) -> retcd_engine::Result<()> {
        let record = self.record(main);
        let rev = Record {
            key: Bytes::copy_from_slice(&[main.to_be_bytes(), [0; 8]].concat()),
            value: record.key.clone(),
            ..record.clone()
        };
        let started = Instant::now();
        self.engine.write(Keyspace::Kv, &mut vec![record])?;
        self.engine.write(Keyspace::Rev, &mut vec![rev])?;
        self.engine.commit(Applied { index: main, term: 1, watermark, state: Bytes::new() })?;
        let took = started.elapsed();
        self.times.push(took.as_micros() as u32);
        if took > self.longest.0 {
            self.longest = (took, self.turns.waited().saturating_sub(self.waited));
        }
        if main.is_multiple_of(64) {
            self.waited = self.turns.waited();
        }
        if main.is_multiple_of(256) {
            let held = Instant::now();
            let mut stats = self.engine.stats();
            while stats.memtable_permille >= MEMTABLE_PERMILLE_MAX {
                std::thread::sleep(Duration::from_millis(1));
                stats = self.engine.stats();
            }
            self.held += held.elapsed();
            self.runs_max = self.runs_max.max(stats.runs);
            self.debt_max = self.debt_max.max(stats.debt_permille);
            self.bytes_max = self.bytes_max.max(stats.file_bytes);
        }
        Ok(())
    }

    fn report(&mut self, name: &str, took: Duration) {
        self.times.sort_unstable();
        let at = |share: f64| self.times[((self.times.len() - 1) as f64 * share) as usize];
        let (longest, waited) = self.longest;
        println!(
            "{name:12} {:7.0} writes/s  p50 {} µs  p99 {} µs  p99.9 {} µs  longest {:.1} ms, \
             waited for a processor {:.1} ms  held {:.1} s  at most: {} runs, debt {:.2}, {} MiB \
             on disk",
            self.times.len() as f64 / took.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(0.999),
            longest.as_secs_f64() * 1000.0,
            waited.as_secs_f64() * 1000.0,
            self.held.as_secs_f64(),
            self.runs_max,
            self.debt_max as f64 / 1000.0,
            self.bytes_max >> 20,
        );
        self.times.clear();
        (self.held, self.longest) = Default::default();
        (self.runs_max, self.debt_max, self.bytes_max) = Default::default();
    }
}

fn step_until(engine: &Lsm, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        if engine.step().expect("the disk works") == Step::Idle {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Asks for a physical compaction and waits for it, once it is told to.
fn compact_when_told(engine: &Lsm, told: &AtomicBool, done: &AtomicBool, took: &AtomicU64) {
    while !told.load(Ordering::Acquire) {
        if done.load(Ordering::Acquire) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let started = Instant::now();
    engine.request_compaction().expect("the disk works");
    while engine.stats().is_owed {
        std::thread::sleep(Duration::from_millis(1));
    }
    took.store(started.elapsed().as_millis() as u64, Ordering::Release);
}

fn number_after(args: &[String], name: &str, default: u64) -> u64 {
    let at = args.iter().position(|arg| arg == name);
    at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let folder = args.get(1).filter(|arg| !arg.starts_with('-')).expect("a folder to write to");
    let writes = number_after(&args, "--writes", 2_000_000);
    let per_second = number_after(&args, "--per-second", 0);
    let vfs = Arc::new(RealVfs);
    let engine = Lsm::open(vfs, Path::new(folder), Options::default()).expect("an engine's folder");
    let (done, told, took) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..number_after(&args, "--threads", 1) {
            scope.spawn(|| step_until(&engine, &done));
        }
        scope.spawn(|| compact_when_told(&engine, &told, &done, &took));
        let mut writer = Writer {
            engine: &engine,
            keys: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            times: Vec::new(),
            held: Duration::ZERO,
            runs_max: 0,
            debt_max: 0,
            bytes_max: 0,
            turns: Turns::new(),
            waited: Duration::ZERO,
            longest: Default::default(),
        };
        let mut watermark = 0;
        let mut started = Instant::now();
        for main in 1..=writes {
            if main == writes / 2 {
                writer.report("before", started.elapsed());
                watermark = main - 1;
                started = Instant::now();
            }
            writer.write(main, watermark).expect("the disk works");
            told.store(watermark > 0, Ordering::Release);
            if per_second > 0 && main.is_multiple_of(64) {
                let due = Duration::from_secs_f64((main % (writes / 2)) as f64 / per_second as f64);
                std::thread::sleep(due.saturating_sub(started.elapsed()));
            }
        }
        writer.report("compacting", started.elapsed());
        while took.load(Ordering::Acquire) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Ordering::Release);
    });
    let stats = engine.stats();
    println!(
        "compaction took {:.1} s; {} flushes, {} merges, {} MiB written, {} MiB on disk",
        took.load(Ordering::Acquire) as f64 / 1000.0,
        stats.flushes,
        stats.merges,
        stats.bytes_written >> 20,
        stats.file_bytes >> 20,
    );
}
