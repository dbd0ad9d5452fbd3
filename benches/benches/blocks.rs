//! `cargo bench -p retcd-benches --bench blocks`: random blocks of a large file, read into a buffer
//! or looked at through a mapping, and checked.
//!
//! Each case reads blocks at random places from one or several threads and takes the checksum of
//! each, as an engine does before it believes a block. *Cold* cases begin with a file of which the
//! kernel has been told to keep nothing. Memory is what the process has grown by at the end of the
//! case, pages of the mapping included: those are the kernel's cache, but they count as the
//! process's own wherever its memory is limited or looked at.

#![expect(unsafe_code, reason = "a mapping of a file can't be made without")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use memmap2::{Advice, Mmap};
use retcd_benches::Error;
use retcd_benches::engine::measure::{cpu_time, drop_page_cache, fill_page_cache, resident_bytes};
use retcd_benches::stats::median;
use retcd_benches::wal::latency::Latencies;
use retcd_testkit::random::Random;

const USAGE: &str = "\
cargo bench -p retcd-benches --bench blocks -- [options]
  --dir PATH      where the file goes: a folder on the disk to measure (default: target folder)
  --mib N         its length (default 1024)
  --reads N       blocks of a warm case, over all threads; a cold one has a 20th (default 100000)
  --rounds N      rounds of which the median counts (default 3)";

/// Lengths of blocks in bytes.
const BLOCKS: [usize; 2] = [4 << 10, 8 << 10];
/// Numbers of threads.
const THREADS: [usize; 2] = [1, 4];
/// A cold case has so many times fewer reads than a warm one.
const COLD_SHARE: usize = 20;

/// How a block is come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// `pread` into a buffer.
    Read,
    /// Through a mapping.
    Mapped,
    /// Through a mapping of which the kernel is told that access is random.
    MappedRandom,
}

impl Way {
    const ALL: [Way; 3] = [Way::Read, Way::Mapped, Way::MappedRandom];

    fn name(self) -> &'static str {
        match self {
            Way::Read => "pread",
            Way::Mapped => "mapped",
            Way::MappedRandom => "mapped, random",
        }
    }
}

/// An open file.
enum Source {
    File(File),
    Map(Mmap),
}

struct Case {
    way: Way,
    block_bytes: usize,
    threads: usize,
    is_cold: bool,
}

/// What a case costs.
struct Outcome {
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    resident: f64,
}

struct Options {
    folder: PathBuf,
    mebibytes: u64,
    reads: usize,
    rounds: usize,
}

fn main() -> Result<(), Error> {
    let options = parse(std::env::args().skip(1))?;
    let folder = tempfile::tempdir_in(&options.folder)?;
    let path = folder.path().join("blocks");
    write_file(&path, options.mebibytes)?;
    println!("{} MiB, each block with its crc32; MiB: memory at the end\n", options.mebibytes);
    println!("| file | block | threads | way | blocks a second | p50 µs | p99 µs | CPU µs | MiB |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for is_cold in [false, true] {
        for block_bytes in BLOCKS {
            for threads in THREADS {
                print_ways(&options, folder.path(), is_cold, block_bytes, threads)?;
            }
        }
    }
    Ok(())
}

/// One row for each way; the ways take turns.
fn print_ways(
    options: &Options,
    folder: &Path,
    is_cold: bool,
    block_bytes: usize,
    threads: usize,
) -> Result<(), Error> {
    let mut outcomes = Way::ALL.map(|_| Vec::new());
    for _ in 0..options.rounds {
        for (way, outcomes) in Way::ALL.into_iter().zip(&mut outcomes) {
            let case = Case { way, block_bytes, threads, is_cold };
            outcomes.push(case.run(folder, options.reads)?);
        }
    }
    let file = if is_cold { "cold" } else { "warm" };
    for (way, outcomes) in Way::ALL.into_iter().zip(&outcomes) {
        let of =
            |value: fn(&Outcome) -> f64| median(&outcomes.iter().map(value).collect::<Vec<f64>>());
        println!(
            "| {file} | {} KiB | {threads} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} |",
            block_bytes >> 10,
            way.name(),
            of(|outcome| outcome.per_second),
            of(|outcome| outcome.p50),
            of(|outcome| outcome.p99),
            of(|outcome| outcome.cpu),
            of(|outcome| outcome.resident),
        );
    }
    Ok(())
}

impl Case {
    fn run(&self, folder: &Path, warm_reads: usize) -> Result<Outcome, Error> {
        let reads = match self.is_cold {
            true => {
                drop_page_cache(folder)?;
                warm_reads / COLD_SHARE
            }
            false => {
                fill_page_cache(folder)?;
                warm_reads
            }
        };
        let file = File::open(folder.join("blocks"))?;
        let blocks = file.metadata()?.len() / self.block_bytes as u64;
        let before = resident_bytes()?;
        let source = self.open(file)?;
        let start = Barrier::new(self.threads + 1);
        let each = reads.div_ceil(self.threads);
        let (latencies, took, cpu) = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for seed in 0..self.threads as u64 {
                let (source, start) = (&source, &start);
                threads.push(scope.spawn(move || {
                    start.wait();
                    self.read(source, blocks, each, seed)
                }));
            }
            let cpu = cpu_time();
            start.wait();
            let began = Instant::now();
            let mut latencies = Latencies::default();
            for thread in threads {
                latencies.extend(&thread.join().map_err(|_| "a reader has panicked")??);
            }
            Ok::<_, Error>((latencies, began.elapsed(), cpu_time() - cpu))
        })?;
        let resident = resident_bytes()?.saturating_sub(before);
        Ok(outcome(latencies, took, cpu, resident))
    }

    fn open(&self, file: File) -> Result<Source, Error> {
        if self.way == Way::Read {
            return Ok(Source::File(file));
        }
        // SAFETY: the file lies in a temporary folder of this process, which writes it before and
        // never while it is mapped.
        let map = unsafe { Mmap::map(&file)? };
        if self.way == Way::MappedRandom {
            map.advise(Advice::Random)?;
        }
        Ok(Source::Map(map))
    }

    fn read(
        &self,
        source: &Source,
        blocks: u64,
        count: usize,
        seed: u64,
    ) -> Result<Latencies, Error> {
        let mut random = Random::new(seed);
        let mut buffer = vec![0; self.block_bytes];
        let mut latencies = Latencies::default();
        let mut sum = 0;
        for _ in 0..count {
            let offset = random.below(blocks) * self.block_bytes as u64;
            let began = Instant::now();
            sum ^= match source {
                Source::File(file) => {
                    file.read_exact_at(&mut buffer, offset)?;
                    crc32fast::hash(&buffer)
                }
                Source::Map(map) => {
                    let offset = usize::try_from(offset)?;
                    crc32fast::hash(&map[offset..offset + self.block_bytes])
                }
            };
            latencies.add(began.elapsed());
        }
        std::hint::black_box(sum);
        Ok(latencies)
    }
}

fn outcome(mut latencies: Latencies, took: Duration, cpu: Duration, resident: u64) -> Outcome {
    let count = latencies.count() as f64;
    Outcome {
        per_second: count / took.as_secs_f64(),
        p50: latencies.micros(0.5),
        p99: latencies.micros(0.99),
        cpu: cpu.as_secs_f64() * 1e6 / count,
        resident: resident as f64 / f64::from(1 << 20),
    }
}

fn write_file(path: &Path, mebibytes: u64) -> Result<(), Error> {
    let mut file = File::create(path)?;
    let mut random = Random::new(1);
    let mut piece = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        for word in piece.chunks_exact_mut(8) {
            word.copy_from_slice(&random.number().to_le_bytes());
        }
        file.write_all(&piece)?;
    }
    Ok(file.sync_all()?)
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, Error> {
    // This program lies in `target/release/deps`.
    let own = fs::canonicalize(std::env::current_exe()?)?;
    let folder = own.ancestors().nth(3).unwrap_or(Path::new(".")).to_path_buf();
    let mut options = Options { folder, mebibytes: 1024, reads: 100_000, rounds: 3 };
    let mut arguments = arguments.filter(|argument| argument != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} lacks a value\n{USAGE}"))?;
        match name.as_str() {
            "--dir" => options.folder = value.into(),
            "--mib" => options.mebibytes = value.parse()?,
            "--reads" => options.reads = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
        }
    }
    if options.mebibytes == 0 || options.reads < COLD_SHARE || options.rounds == 0 {
        return Err(USAGE.into());
    }
    Ok(options)
}
