//! The whole bench: which runs there are, each in a process of its own, and what is printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::child;
use super::options::{Durability, Options, Section};
use super::results::Results;
use super::subject::Candidate;
use crate::corpus::{Kind, Order};
use crate::{Error, plot};

/// Says in a store's folder what it is filled with; not there while it is being changed.
const LABEL: &str = "bench-load";

/// The main function of a bench of engines.
pub fn main(candidates: &[Candidate]) -> Result<(), Error> {
    // The program lies in `target/release` or in `deps` below it.
    let own = std::env::current_exe()?;
    let target = own.ancestors().find(|path| path.ends_with("target")).unwrap_or(Path::new("."));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(arguments.iter().cloned(), target.to_path_buf())?;
    match &options.task {
        Some(task) => child::run(candidates, &options, task),
        None => Suite { options, arguments, results: Results::default() }.run(candidates),
    }
}

struct Suite {
    options: Options,
    arguments: Vec<String>,
    results: Results,
}

impl Suite {
    fn run(mut self, candidates: &[Candidate]) -> Result<(), Error> {
        let only = &self.options.only;
        if let Some(unknown) = only.iter().find(|name| candidates.iter().all(|c| c.name != **name))
        {
            return Err(format!("no candidate {unknown}").into());
        }
        let wanted = |candidate: &&Candidate| {
            only.is_empty() || only.iter().any(|name| name == candidate.name)
        };
        let candidates: Vec<Candidate> = candidates.iter().filter(wanted).copied().collect();
        self.print_head(&candidates);
        let temporary;
        let folder = match &self.options.data {
            Some(folder) => folder.clone(),
            None => {
                temporary = tempfile::tempdir_in(&self.options.folder)?;
                temporary.path().to_path_buf()
            }
        };
        self.load(&candidates, &folder)?;
        self.read(&candidates, &folder)?;
        if self.options.sections.contains(&Section::Overwrite) {
            for candidate in &candidates {
                let store = store_of(&folder, candidate);
                // From now on it isn't what the label says.
                fs::remove_file(store.join(LABEL))?;
                self.start(candidate, Section::Overwrite, &store, &[])?;
            }
        }
        println!("{}", self.results.table());
        if let Some(folder) = &self.options.plot {
            let path = folder.join("performance-engine.svg");
            fs::write(&path, plot::svg(&self.results.panels()))?;
            println!("plot: {}", path.display());
        }
        Ok(())
    }

    fn print_head(&self, candidates: &[Candidate]) {
        let Options { keys, batch, cache_bytes, .. } = self.options;
        let what = match self.options.corpus.kind {
            Kind::R => "keys of 32 B with 256 B of text",
            Kind::K8s => "pods of 2 KB",
        };
        let durability = match self.options.durability {
            Durability::Batch => "each synced",
            Durability::None => "not synced",
        };
        println!("{keys} {what}; batches of {batch}, {durability}; caches of {cache_bytes} B");
        for Candidate { name, note, .. } in candidates {
            println!("* {name}: {note}");
        }
        println!();
    }

    /// Fills the stores, in each order that is asked for; the last one stays.
    fn load(&mut self, candidates: &[Candidate], folder: &Path) -> Result<(), Error> {
        let measured = self.options.sections.contains(&Section::Load);
        let last = self.options.orders[self.options.orders.len() - 1];
        for order in self.options.orders.clone() {
            let label = self.label(order);
            for candidate in candidates {
                let store = store_of(folder, candidate);
                let is_there = fs::read_to_string(store.join(LABEL)).is_ok_and(|l| l == label);
                if !measured && (is_there || order != last) {
                    continue;
                }
                if store.exists() {
                    fs::remove_dir_all(&store)?;
                }
                fs::create_dir_all(&store)?;
                self.start(candidate, Section::Load, &store, &["--order", name(order)])?;
                fs::write(store.join(LABEL), &label)?;
            }
        }
        Ok(())
    }

    /// Sections that only read, the candidates in turn, and all of that several times.
    fn read(&mut self, candidates: &[Candidate], folder: &Path) -> Result<(), Error> {
        for section in Section::ALL {
            let reads = !matches!(section, Section::Load | Section::Overwrite);
            if !reads || !self.options.sections.contains(&section) {
                continue;
            }
            for _ in 0..self.options.rounds {
                for candidate in candidates {
                    self.start(candidate, section, &store_of(folder, candidate), &[])?;
                }
            }
        }
        Ok(())
    }

    /// Runs one section in a process of its own.
    fn start(
        &mut self,
        candidate: &Candidate,
        section: Section,
        store: &Path,
        more: &[&str],
    ) -> Result<(), Error> {
        eprintln!("{}: {}", candidate.name, section.name());
        let output = Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .args(more)
            .args(["--task", section.name(), candidate.name])
            .arg(store)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{} of {} failed", section.name(), candidate.name).into());
        }
        self.results.take(candidate.name, &String::from_utf8(output.stdout)?);
        Ok(())
    }

    fn label(&self, order: Order) -> String {
        format!("{} {:?} {}", self.options.keys, self.options.corpus, name(order))
    }
}

fn store_of(folder: &Path, candidate: &Candidate) -> PathBuf {
    folder.join(candidate.name)
}

fn name(order: Order) -> &'static str {
    match order {
        Order::Sequential => "sequential",
        Order::Random => "random",
    }
}
