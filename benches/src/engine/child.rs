//! One section for one candidate, in this process.

use std::path::Path;

use super::options::{Durability, Options, Section, Task};
use super::sections::{count, get, load, memory, overwrite, range, start};
use super::subject::{Candidate, Setup, Subject};
use crate::Error;

/// What a section works with.
pub(super) struct Run<'a> {
    pub(super) options: &'a Options,
    pub(super) candidate: Candidate,
    pub(super) store: &'a Path,
}

impl Run<'_> {
    /// Opens the store to write to it, with the durability that the options ask for.
    pub(super) fn open_to_write(&self) -> Result<Box<dyn Subject>, Error> {
        self.open(self.options.cache_bytes, self.options.durability)
    }

    /// Opens the store to read from it.
    pub(super) fn open_to_read(&self) -> Result<Box<dyn Subject>, Error> {
        self.open(self.options.cache_bytes, Durability::None)
    }

    /// The same without a cache.
    pub(super) fn open_without_cache(&self) -> Result<Box<dyn Subject>, Error> {
        self.open(0, Durability::None)
    }

    fn open(&self, cache_bytes: u64, durability: Durability) -> Result<Box<dyn Subject>, Error> {
        (self.candidate.open)(self.store, Setup { cache_bytes, durability })
    }
}

/// Runs the task and prints what it finds.
pub fn run(candidates: &[Candidate], options: &Options, task: &Task) -> Result<(), Error> {
    let candidate = candidates.iter().find(|candidate| candidate.name == task.candidate);
    let candidate = *candidate.ok_or_else(|| format!("no candidate {}", task.candidate))?;
    let run = Run { options, candidate, store: &task.store };
    match task.section {
        Section::Load => load::run(&run),
        Section::Start => start::run(&run),
        Section::Memory => memory::run(&run),
        Section::Get => get::run(&run),
        Section::Range => range::run(&run),
        Section::Count => count::run(&run),
        Section::Overwrite => overwrite::run(&run),
    }
}
