//! A program of actions on a log: groups of all kinds and sizes, some of them under way together,
//! changes of segments, stops of the process and of the machine.

use super::disk::Disk;
use super::model::{Kept, Model, found};
use super::places::Places;
use super::{DIR, IDENTITY, open};
use crate::input::Input;
use retcd_vfs::CrashVfs;
use retcd_wal::{
    BLOCK_BYTES, Group, HardState, Log, LogEntry, Options, Purge, Result, SnapshotMark, Step,
    group_bytes,
};
use std::path::Path;
use std::sync::Arc;

/// A history does at most this much.
const ACTIONS_MAX: usize = 40;
/// Older versions of the disk that are kept for damage to bring back.
const KEPT_MAX: usize = 3;

/// A log and what is known of it.
pub struct History {
    vfs: CrashVfs,
    log: Option<Log>,
    options: Options,
    /// What the log must say.
    pub model: Model,
    /// Where on the disk it says it.
    pub places: Places,
    /// Older versions of the disk.
    pub kept: Vec<Disk>,
    /// Whether the machine will stop at an operation to come, or has stopped.
    stops: bool,
}

impl History {
    /// A new log, its segments' length and its depth chosen by the input.
    pub fn new(input: &mut Input<'_>) -> History {
        let segment_bytes = (4 + input.number(6)) * BLOCK_BYTES;
        let vfs = CrashVfs::with_log_depth(1 + input.up_to(3));
        let options = Options { segment_bytes, salt: 1, ..Options::default() };
        let start = SnapshotMark::default();
        let shared = Arc::new(vfs.clone());
        let log = Log::create(shared, Path::new(DIR), options, IDENTITY, start)
            .expect("memory doesn't fail");
        let (model, mut places) = (Model::new(), Places::new());
        let disk = Disk::read(&vfs).expect("memory doesn't fail");
        places.reopen(&disk, &[], &model.states[0], false);
        let kept = Vec::new();
        History { vfs, log: Some(log), options, model, places, kept, stops: false }
    }

    /// Acts until the input says that it is enough.
    pub fn run(&mut self, input: &mut Input<'_>) {
        let actions = input.up_to(ACTIONS_MAX);
        for _ in 0..actions {
            if let Err(error) = self.act(input) {
                assert!(self.stops, "{error}");
                self.crash(input.number(255));
            }
        }
    }

    /// Ends the history in one of three ways. Returns the disk, and of how many writes it must
    /// tell.
    pub fn end(&mut self, input: &mut Input<'_>) -> (Disk, usize) {
        let written = self.model.states.len() - 1;
        let how = input.up_to(3);
        let seed = input.number(255);
        let log = self.log.take().expect("a history always has a log");
        let needed = match how {
            _ if self.stops => self.model.acknowledged,
            0 => {
                log.close().expect("memory doesn't fail");
                written
            }
            1 => written,
            _ => self.model.acknowledged,
        };
        self.follow();
        if self.stops || how > 1 {
            self.keep();
            self.vfs = self.vfs.crash(seed);
        }
        (Disk::read(&self.vfs).expect("memory doesn't fail"), needed)
    }

    /// How the log is run from now on: the salt is another one at each start.
    pub fn next_options(&mut self) -> Options {
        self.options.salt += 1;
        // In every other life groups of more than a block are compressed.
        self.options.compress_from_bytes = (self.options.salt + 1) % 2 * BLOCK_BYTES;
        self.options
    }

    fn act(&mut self, input: &mut Input<'_>) -> Result<()> {
        match input.up_to(19) {
            0 => self.model.flush(input.number(3)),
            1 => self.purge(input.up_to(2))?,
            2 => while self.log().prepare()? == Step::Worked {},
            3 => {
                self.model.term += 1;
                let hard_state = Some(self.model.hard_state(2));
                self.submit(&[], &Group { hard_state, ..Group::default() })?;
            }
            4 => self.complete()?,
            5 => self.snapshot(input.number(8), input.number(2))?,
            6 => {
                self.complete_all()?;
                self.model.switch(input.number(8));
                self.restart()?;
            }
            7 => {
                self.complete_all()?;
                self.log.take().map_or(Ok(()), Log::close)?;
                self.restart()?;
            }
            8 => self.restart()?,
            9 => self.crash(input.number(255)),
            10 if !self.stops => {
                self.vfs.stop_at(self.vfs.operations() + 1 + input.number(40));
                self.stops = true;
            }
            11 => self.keep(),
            12..=14 => {
                self.entries(input)?;
                self.complete_all()?;
            }
            _ => self.entries(input)?,
        }
        Ok(())
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("a history always has a log")
    }

    fn complete(&mut self) -> Result<()> {
        if self.log().complete()?.is_some() {
            self.model.acknowledged += 1;
        }
        Ok(())
    }

    fn complete_all(&mut self) -> Result<()> {
        while self.log().under_way() > 0 {
            self.complete()?;
        }
        Ok(())
    }

    fn purge(&mut self, segments_max: usize) -> Result<()> {
        let flushed = self.model.flushed.index;
        let limits = Purge { flushed, replicated: flushed.saturating_sub(3), segments_max };
        while self.log().purge(limits)? == Step::Worked {}
        Ok(())
    }

    fn entries(&mut self, input: &mut Input<'_>) -> Result<()> {
        let (shape, size) = (input.byte(), usize::from(input.byte()));
        let back = if shape & 0x30 == 0 { 1 + u64::from(shape >> 6) } else { 0 };
        let bytes = match size {
            0..100 => size,
            100..180 => (size - 100) * 64,
            // Around the end of a block.
            180..220 => 4096 - 64 - 24 + 20 - (size - 180),
            _ => (size - 219) * 256,
        };
        let kept = self.model.next_entries(1 + u64::from(shape % 4), bytes, back);
        let entries = owned(&kept);
        let hard_state = (shape & 8 != 0).then(|| self.model.hard_state(3));
        let group = Group { entries: &entries, hard_state, snapshot: None };
        if group_bytes(&group) > self.log().group_bytes_max() {
            return Ok(());
        }
        self.submit(&kept, &group)
    }

    fn follow(&mut self) {
        self.places.follow(&self.vfs, &self.model.states, self.model.acknowledged);
    }

    fn submit(&mut self, kept: &[(u64, Kept)], group: &Group<'_>) -> Result<()> {
        if self.log().under_way() == self.log().depth() {
            self.complete()?;
        }
        self.model.write(kept, group);
        self.log().submit(group)?;
        self.follow();
        Ok(())
    }

    /// The engine switches to a snapshot, then the log is told, in one group with entries behind
    /// it. The log writes the mark by itself first, so a crash may leave it without the rest.
    fn snapshot(&mut self, ahead: u64, count: u64) -> Result<()> {
        self.complete_all()?;
        let mark = self.model.switch(ahead);
        let term = self.model.term;
        let kept: Vec<_> = (mark.index + 1..=mark.index + count)
            .map(|index| (index, Kept { term, bytes: 300 }))
            .collect();
        let hard_state = HardState { commit: mark.index + count, ..self.model.hard_state(7) };
        let alone = HardState { commit: mark.index, ..hard_state };
        let snapshot = Some(mark);
        self.model.write(&[], &Group { hard_state: Some(alone), snapshot, ..Group::default() });
        let hard_state = Some(hard_state);
        if count > 0 {
            self.model.write(&kept, &Group { hard_state, ..Group::default() });
        }
        self.log().submit(&Group { entries: &owned(&kept), hard_state, snapshot })?;
        self.follow();
        self.model.acknowledged += usize::from(count > 0);
        Ok(())
    }

    /// The process is started again on the same disk: everything that was written is there.
    fn restart(&mut self) -> Result<()> {
        let written = self.model.states.len() - 1;
        self.reopen(written)
    }

    /// The machine stops and is started again.
    fn crash(&mut self, seed: u64) {
        self.keep();
        self.vfs = self.vfs.crash(seed);
        self.stops = false;
        self.reopen(self.model.acknowledged).expect("a crash loses nothing acknowledged");
    }

    fn reopen(&mut self, needed: usize) -> Result<()> {
        self.log = None;
        let options = self.next_options();
        let opened = open(Arc::new(self.vfs.clone()), options, self.model.flushed);
        self.places.is_certain &= opened.is_ok();
        let (log, recovery, entries) = opened?;
        let found = found(recovery.state, &entries, self.model.flushed);
        let before = self.model.states.clone();
        self.model.go_on_from(&found, needed);
        self.log = Some(log);
        match Disk::read(&self.vfs) {
            Ok(disk) => {
                self.places.reopen(&disk, &before, &self.model.states[0], recovery.restarted);
            }
            // The machine has stopped right behind it.
            Err(_) => self.places.is_certain = false,
        }
        Ok(())
    }

    /// Keeps the disk as it is, unless the machine has stopped.
    fn keep(&mut self) {
        if self.kept.len() < KEPT_MAX
            && let Ok(disk) = Disk::read(&self.vfs)
        {
            self.kept.push(disk);
        }
    }
}

fn owned(kept: &[(u64, Kept)]) -> Vec<LogEntry> {
    kept.iter().map(|(index, kept)| kept.entry(*index)).collect()
}
