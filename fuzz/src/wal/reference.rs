//! Where a log must be found to end, or that it must be refused: the tables of `docs/format.md`
//! once more, without the log's code and without its records.

use super::disk::Disk;
use super::model::State;
use super::parse::{self, BLOCK, Head, Name, Place, Whole};
use super::places::Places;
use retcd_wal::Flushed;
use std::rc::Rc;

/// What opening a log must give.
#[derive(Debug)]
pub enum Expected {
    /// An error; for people, why.
    Refused(&'static str),
    /// The log as it was behind this write; `None` if nobody has seen the write happen.
    Ends(Option<Rc<State>>),
}

/// What opening these files must give.
pub fn expected(disk: &Disk, flushed: Flushed, places: &Places) -> Expected {
    match ending(disk, flushed, places) {
        Ok(state) => Expected::Ends(state),
        Err(reason) => Expected::Refused(reason),
    }
}

fn ending(
    disk: &Disk,
    flushed: Flushed,
    places: &Places,
) -> Result<Option<Rc<State>>, &'static str> {
    let names = usable(disk)?;
    let start = needed_from(&names, flushed).ok_or("the log begins too late")?;
    let mut segments: Vec<(&[u8], Head)> = Vec::new();
    for name in &names[start..] {
        let file = content(disk, *name);
        let head = parse::head(file).ok_or("a needed header is bad")?;
        if head.name != *name {
            return Err("a header isn't its file's");
        }
        if let Some((_, before)) = segments.last()
            && before.name.number + 1 != name.number
        {
            return Err("a segment is missing");
        }
        segments.push((file, head));
    }
    let mut state = None;
    for (at, (file, head)) in segments.iter().enumerate() {
        let number = head.name.number;
        state = places.behind_head(number, head.crc).cloned();
        let next = segments.get(at + 1).map(|(_, next)| next);
        let bound = next.map_or(u64::MAX, |next| next.previous_end);
        let (mut end, mut chain) = (BLOCK, head.crc);
        let mut last_index = head.name.first_index.saturating_sub(1);
        for group in parse::chain(file, head).take_while(|group| (group.offset as u64) < bound) {
            state = places.behind_group(number, &group).cloned();
            (end, chain, last_index) = (group.end, group.crc, group.last_index);
        }
        match next {
            Some(next) if (next.previous_end, next.previous_chain) == (end as u64, chain) => {}
            Some(_) => return Err("groups before a later segment are gone"),
            None => judge_end(file, head, (end, chain), last_index < flushed.index)?,
        }
    }
    Ok(state)
}

fn content(disk: &Disk, name: Name) -> &[u8] {
    &disk.files[&name.file()]
}

/// The segments without a newest one that was never finished.
fn usable(disk: &Disk) -> Result<Vec<Name>, &'static str> {
    let mut names = parse::names(disk);
    let newest = *names.last().ok_or("there is no segment")?;
    let file = content(disk, newest);
    if parse::head(file).is_none() {
        if file.get(8..12).is_some_and(|_| file.starts_with(b"RETCDLOG")) && other_version(file) {
            return Err("another version");
        }
        if names.len() == 1 || parse::was_in_use(file, newest.number) {
            return Err("the newest header is bad");
        }
        names.pop();
    }
    Ok(names)
}

fn other_version(file: &[u8]) -> bool {
    file[8..12] != retcd_wal::FORMAT_VERSION.to_le_bytes()
}

/// The newest segment that everything flushed lies before or reaches into.
pub fn needed_from(names: &[Name], flushed: Flushed) -> Option<usize> {
    names.iter().rposition(|name| name.first_index <= flushed.index + 1)
}

/// What lies behind the end of the chain decides whether the log may end there.
fn judge_end(
    file: &[u8],
    head: &Head,
    (end, chain): (usize, u32),
    is_below_flushed: bool,
) -> Result<(), &'static str> {
    let later = behind(file, head, end);
    if later.iter().any(|group| group.synced_through > end) {
        return Err("a later group says that this was durable");
    }
    let contradicts =
        |group: &Whole| group.offset == end && group.synced_through == end && group.chain != chain;
    if later.first().is_some_and(contradicts) {
        return Err("an old group stands in place of a durable one");
    }
    match is_below_flushed && (!later.is_empty() || has_trace(file, head, end)) {
        true => Err("what is torn was flushed"),
        false => Ok(()),
    }
}

/// The whole groups behind `end`.
pub fn behind(file: &[u8], head: &Head, end: usize) -> Vec<Whole> {
    let mut groups = Vec::new();
    let mut offset = end;
    while offset < file.len() {
        match parse::place(file, head, offset) {
            Place::Whole(group) => {
                groups.push(group);
                offset = group.end;
            }
            Place::Trace | Place::Other => offset += BLOCK,
        }
    }
    groups
}

/// Whether anything shows that there was a group at `end` or behind it.
pub fn has_trace(file: &[u8], head: &Head, end: usize) -> bool {
    let blocks = (end..file.len()).step_by(BLOCK);
    if head.recycled {
        return blocks.into_iter().any(|at| parse::place(file, head, at) != Place::Other);
    }
    blocks.into_iter().any(|at| file[at..at + BLOCK].iter().any(|&byte| byte != 0))
}
