//! Which bytes on the disk are which write: found by following the chain after every action.
//!
//! A group is known by segment, offset and checksum, so that it is recognized wherever damage or
//! an older version of a block brings it back.

use super::model::State;
use super::parse::{self, BLOCK, Place, Whole};
use super::{DIR, disk::Disk};
use retcd_vfs::Vfs;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// A group: segment, offset, checksum. A header: segment, 0, checksum.
type Key = (u64, usize, u32);

/// What is known of the disk.
pub struct Places {
    known: HashMap<Key, Rc<State>>,
    /// Where the log ended when it was opened, and behind each write since that was found.
    ends: Vec<Cursor>,
    /// Where the next group will be.
    cursor: Cursor,
    /// Whether no write has escaped: one may, when the machine stops while a log is being opened.
    pub is_certain: bool,
}

#[derive(Clone, Copy, Default)]
struct Cursor {
    segment: u64,
    offset: usize,
    chain: u32,
}

/// A place on the way through all segments.
enum Passed {
    /// With the last index that it names.
    Head(Key, u64),
    Group(Key, Whole),
}

impl Places {
    /// Nothing is known yet.
    pub fn new() -> Places {
        let cursor = Cursor::default();
        Places { known: HashMap::new(), ends: vec![cursor], cursor, is_certain: true }
    }

    /// What the log said behind the group with this checksum.
    pub fn behind_group(&self, segment: u64, group: &Whole) -> Option<&Rc<State>> {
        self.known.get(&(segment, group.offset, group.crc))
    }

    /// What the log said where this segment began.
    pub fn behind_head(&self, segment: u64, crc: u32) -> Option<&Rc<State>> {
        self.known.get(&(segment, 0, crc))
    }

    /// Finds what was written since the last call. Finds nothing once the machine has stopped.
    ///
    /// # Panics
    ///
    /// If a group claims less than had been durable for certain when it was built: then damage to
    /// that would pass for a torn tail.
    pub fn follow(&mut self, vfs: &dyn Vfs, states: &[Rc<State>], acknowledged: usize) {
        while let Some((file, head)) = segment(vfs, self.cursor.segment) {
            while let Place::Whole(group) = parse::place(&file, &head, self.cursor.offset)
                && group.chain == self.cursor.chain
            {
                let durable =
                    self.ends.get(acknowledged).filter(|end| end.segment == head.name.number);
                assert!(durable.is_none_or(|end| group.synced_through >= end.offset), "{group:?}");
                let write = self.linked() + usize::from(!group.is_empty);
                self.pass_group(&group, &states[write.min(states.len() - 1)]);
                if !group.is_empty {
                    self.ends.push(self.cursor);
                }
            }
            let Some((_, next)) = segment(vfs, self.cursor.segment + 1) else {
                return;
            };
            let here = (self.cursor.offset as u64, self.cursor.chain);
            if (next.previous_end, next.previous_chain) != here {
                return;
            }
            self.cursor = Cursor { segment: next.name.number, offset: BLOCK, chain: next.crc };
            let key = (next.name.number, 0, next.crc);
            let state = &states[self.linked().min(states.len() - 1)];
            self.known.insert(key, Rc::clone(state));
        }
    }

    /// Of the model's states, the last one whose write was found.
    fn linked(&self) -> usize {
        self.ends.len() - 1
    }

    fn pass_group(&mut self, group: &Whole, state: &Rc<State>) {
        let key = (self.cursor.segment, group.offset, group.crc);
        self.known.entry(key).or_insert_with(|| Rc::clone(state));
        self.cursor.offset = group.end;
        self.cursor.chain = group.crc;
    }

    /// Finds what was written until the log was opened, by `states` of the time before, and sets
    /// out from there. `base` is what the log said then; `restarted`, whether a snapshot mark was
    /// the last thing that was written.
    pub fn reopen(&mut self, disk: &Disk, states: &[Rc<State>], base: &Rc<State>, restarted: bool) {
        let passed = self.passed(disk);
        let last = passed.len().saturating_sub(1);
        let mut linked = self.linked();
        let mut now: Option<Rc<State>> = None;
        for (at, passed) in passed.into_iter().enumerate() {
            let (Passed::Head(key, _) | Passed::Group(key, _)) = passed;
            if let Some(known) = self.known.get(&key) {
                now = Some(Rc::clone(known));
                continue;
            }
            match passed {
                Passed::Head(_, last_index) if restarted => {
                    // It was begun for the mark, or by a write before the machine stopped.
                    let is_base = last_index == base.log.last_index;
                    let is_now = now.as_ref().is_some_and(|now| last_index == now.log.last_index);
                    self.is_certain &= !(is_base && is_now);
                    if is_base {
                        now = Some(Rc::clone(base));
                    }
                }
                Passed::Group(_, group) if !group.is_empty => {
                    linked += 1;
                    let write = states.get(linked).filter(|_| at < last || !restarted);
                    now = Some(Rc::clone(write.unwrap_or(base)));
                }
                Passed::Head(..) if at == last => now = Some(Rc::clone(base)),
                _ => {}
            }
            if let Some(state) = &now {
                self.known.insert(key, Rc::clone(state));
            }
        }
        self.ends = vec![self.cursor];
    }

    /// All headers and groups that count, in order; the cursor is left behind the last one.
    fn passed(&mut self, disk: &Disk) -> Vec<Passed> {
        let mut passed = Vec::new();
        let heads: Vec<_> = parse::names(disk)
            .iter()
            .filter_map(|name| disk.files.get(&name.file()))
            .filter_map(|file| Some((file, parse::head(file)?)))
            .collect();
        for (at, (file, head)) in heads.iter().enumerate() {
            let number = head.name.number;
            let bound = heads.get(at + 1).map_or(u64::MAX, |(_, next)| next.previous_end);
            self.cursor = Cursor { segment: number, offset: BLOCK, chain: head.crc };
            passed.push(Passed::Head((number, 0, head.crc), head.name.first_index - 1));
            for group in parse::chain(file, head) {
                if group.end as u64 > bound {
                    break;
                }
                self.cursor.offset = group.end;
                self.cursor.chain = group.crc;
                passed.push(Passed::Group((number, group.offset, group.crc), group));
            }
        }
        passed
    }
}

impl Default for Places {
    fn default() -> Places {
        Places::new()
    }
}

/// The segment with this number, if there is one that can be read.
fn segment(vfs: &dyn Vfs, number: u64) -> Option<(Vec<u8>, parse::Head)> {
    let dir = Path::new(DIR);
    let names = vfs.list(dir).ok()?;
    let name = names.into_iter().find(|name| {
        name.to_str().and_then(parse::Name::parse).is_some_and(|name| name.number == number)
    })?;
    let file = vfs.open_read(&dir.join(name)).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_exact_at(0, &mut bytes).ok()?;
    let head = parse::head(&bytes)?;
    Some((bytes, head))
}
