//! The command line of the engines' bench.

use std::path::PathBuf;

use crate::Error;
use crate::corpus::{Corpus, Kind, Order};

/// Shown after a mistake.
pub const USAGE: &str = "\
options:
  --keys N            keys to load (default 1000000)
  --load r|k8s        what they are (default r: short text; k8s: pods of 2 KB)
  --only NAME,…       only these candidates
  --sections NAME,…   of load, start, memory, get, range, count, overwrite (default: all; load is
                      done when the others need it)
  --order ORDER       sequential or random: which loads are measured; both by default. What is read
                      then is the last one
  --durability D      batch: each batch is synced before its call returns (default); none
  --cache BYTES       cache of each store (default 134217728)
  --batch N           puts in a batch (default 1000)
  --rounds N          runs of the reading sections of which the median counts (default 3)
  --overwrites N      puts of the overwrite section (default: as many as keys)
  --dir PATH          where the stores go: a folder on the disk to measure (default: target folder)
  --data PATH         instead: stores stay in this folder, and are used again when they fit
  --plot PATH         the folder for performance-engine.svg (default: no plot)
  --quick             100,000 keys, one round";

/// What a part of the bench is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Filling an empty store.
    Load,
    /// Opening it again.
    Start,
    /// What it keeps in memory without a cache.
    Memory,
    /// Point reads.
    Get,
    /// Short scans.
    Range,
    /// Counts.
    Count,
    /// Writing existing keys again and again.
    Overwrite,
}

/// What a batch is worth when its call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It outlives a crash of the machine.
    Batch,
    /// Nothing is promised before the store has settled.
    None,
}

/// One run in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it runs.
    pub section: Section,
    /// For whom.
    pub candidate: String,
    /// On which store.
    pub store: PathBuf,
}

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Keys to load.
    pub keys: u64,
    /// Which they are.
    pub corpus: Corpus,
    /// Names of the candidates; all if empty.
    pub only: Vec<String>,
    /// What is measured.
    pub sections: Vec<Section>,
    /// Loads that are measured.
    pub orders: Vec<Order>,
    /// What a batch is worth.
    pub durability: Durability,
    /// Cache of each store.
    pub cache_bytes: u64,
    /// Puts in a batch.
    pub batch: usize,
    /// Runs of a section of reads.
    pub rounds: usize,
    /// Puts of the overwrite section.
    pub overwrites: u64,
    /// Where temporary stores go.
    pub folder: PathBuf,
    /// Where stores stay.
    pub data: Option<PathBuf>,
    /// Where the plot goes.
    pub plot: Option<PathBuf>,
    /// Set in a process that does one run.
    pub task: Option<Task>,
}

impl Section {
    /// All, in the order in which they run.
    pub const ALL: [Section; 7] = [
        Section::Load,
        Section::Start,
        Section::Memory,
        Section::Get,
        Section::Range,
        Section::Count,
        Section::Overwrite,
    ];

    /// On the command line.
    pub fn name(self) -> &'static str {
        match self {
            Section::Load => "load",
            Section::Start => "start",
            Section::Memory => "memory",
            Section::Get => "get",
            Section::Range => "range",
            Section::Count => "count",
            Section::Overwrite => "overwrite",
        }
    }

    fn parse(name: &str) -> Result<Section, Error> {
        let found = Section::ALL.into_iter().find(|section| section.name() == name);
        found.ok_or_else(|| format!("unknown section {name}\n{USAGE}").into())
    }
}

impl Options {
    fn new(folder: PathBuf) -> Options {
        Options {
            keys: 1_000_000,
            corpus: Corpus::new(Kind::R),
            only: Vec::new(),
            sections: Section::ALL.to_vec(),
            orders: vec![Order::Sequential, Order::Random],
            durability: Durability::Batch,
            cache_bytes: 128 << 20,
            batch: 1000,
            rounds: 3,
            overwrites: 0,
            folder,
            data: None,
            plot: None,
            task: None,
        }
    }

    /// Reads the arguments behind the program's name; stores go to `folder` unless they say
    /// otherwise. Cargo's own `--bench` is passed over.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        folder: PathBuf,
    ) -> Result<Options, Error> {
        let mut options = Options::new(folder);
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--bench" => {}
                "--quick" => (options.keys, options.rounds) = (100_000, 1),
                "--task" => {
                    let mut next = || arguments.next().ok_or("--task needs three values");
                    options.task = Some(Task {
                        section: Section::parse(&next()?)?,
                        candidate: next()?,
                        store: next()?.into(),
                    });
                }
                _ => {
                    let value = arguments.next();
                    let value = value.ok_or_else(|| format!("{name} lacks a value\n{USAGE}"))?;
                    options.set(&name, value)?;
                }
            }
        }
        if options.keys == 0 || options.batch == 0 || options.rounds == 0 {
            return Err(USAGE.into());
        }
        if options.overwrites == 0 {
            options.overwrites = options.keys;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let names = || value.split(',');
        match name {
            "--keys" => self.keys = value.parse()?,
            "--load" => self.corpus = Corpus::new(Kind::parse(&value)?),
            "--only" => self.only = names().map(str::to_owned).collect(),
            "--sections" => {
                self.sections = names().map(Section::parse).collect::<Result<_, _>>()?;
            }
            "--order" => self.orders = vec![parse_order(&value)?],
            "--durability" => self.durability = parse_durability(&value)?,
            "--cache" => self.cache_bytes = value.parse()?,
            "--batch" => self.batch = value.parse()?,
            "--rounds" => self.rounds = value.parse()?,
            "--overwrites" => self.overwrites = value.parse()?,
            "--dir" => self.folder = value.into(),
            "--data" => self.data = Some(value.into()),
            "--plot" => self.plot = Some(value.into()),
            _ => return Err(format!("unknown option {name}\n{USAGE}").into()),
        }
        Ok(())
    }
}

fn parse_order(name: &str) -> Result<Order, Error> {
    match name {
        "sequential" => Ok(Order::Sequential),
        "random" => Ok(Order::Random),
        _ => Err(format!("unknown order {name}\n{USAGE}").into()),
    }
}

fn parse_durability(name: &str) -> Result<Durability, Error> {
    match name {
        "batch" => Ok(Durability::Batch),
        "none" => Ok(Durability::None),
        _ => Err(format!("unknown durability {name}\n{USAGE}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Error> {
        Options::parse(line.split(' ').map(str::to_owned), "t".into())
    }

    #[test]
    fn options_replace_the_defaults() {
        let options = parse("--bench --quick --load k8s --sections get,count").expect("good ones");
        assert_eq!((options.keys, options.overwrites, options.rounds), (100_000, 100_000, 1));
        assert_eq!(options.corpus.kind, Kind::K8s);
        assert_eq!(options.sections, [Section::Get, Section::Count]);
        assert_eq!(options.folder, PathBuf::from("t"));
        let options = parse("--task count lsm /s --keys 5").expect("good ones");
        let task = options.task.expect("a task");
        assert_eq!((task.section, task.candidate.as_str()), (Section::Count, "lsm"));
    }

    #[test]
    fn mistakes_are_told() {
        for line in
            ["--keys 0", "--sections x", "--order up", "--nonsense 1", "--dir", "--task get"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
