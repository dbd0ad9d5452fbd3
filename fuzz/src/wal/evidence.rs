//! What the files still prove: which groups of the undamaged log had been durable for certain.
//!
//! A whole group proves everything below its *synced through*, a segment's header everything in the
//! segments before. If something proven isn't there, the log must be refused. This is judged by
//! comparing with the undamaged files, so it holds whatever a reader makes of the damaged ones.

use super::disk::Disk;
use super::parse::{self, Head, Name, Whole};
use super::reference::needed_from;
use retcd_wal::Flushed;

/// A segment of the undamaged log.
struct Segment<'a> {
    name: Name,
    head: Head,
    groups: Vec<Whole>,
    before: &'a [u8],
    /// The file of this name now.
    after: Option<&'a [u8]>,
}

/// Why the damaged files must be refused, if they must.
pub fn must_refuse(before: &Disk, after: &Disk, flushed: Flushed) -> Option<&'static str> {
    let segments = needed(before, after, flushed);
    let newest_in_use = segments.iter().rposition(Segment::has_head)?;
    for (at, segment) in segments.iter().enumerate().take(newest_in_use + 1) {
        if !segment.has_head() {
            return Some("a header is gone that a later segment follows");
        }
        let proven = match at < newest_in_use {
            true => usize::MAX,
            false => segment.synced_through(),
        };
        let is_gone = |group: &&Whole| group.end <= proven && !segment.has(group);
        if let Some(gone) = segment.groups.iter().find(is_gone)
            && !(at == newest_in_use && segment.has_impostor(gone))
        {
            return Some("a group is gone that was durable for certain");
        }
    }
    None
}

/// Whether nothing that counts has changed: then the log must be opened as before.
pub fn is_harmless(before: &Disk, after: &Disk, flushed: Flushed) -> bool {
    let segments = needed(before, after, flushed);
    let whole = |segment: &Segment<'_>| {
        segment.has_head() && segment.groups.iter().all(|group| segment.has(group))
    };
    parse::names(before) == parse::names(after)
        && segments.iter().all(whole)
        && segments.last().is_some_and(Segment::has_same_rest)
}

/// The segments from the first one that is needed, with the groups that count.
fn needed<'a>(before: &'a Disk, after: &'a Disk, flushed: Flushed) -> Vec<Segment<'a>> {
    let names = parse::names(before);
    let start = needed_from(&names, flushed).unwrap_or(0);
    let mut segments: Vec<Segment<'a>> = Vec::new();
    for name in names[start..].iter().rev() {
        let file = &before.files[&name.file()];
        // Only the newest can have a bad header in an undamaged log: it was never finished.
        let Some(head) = parse::head(file) else {
            continue;
        };
        let bound = segments.last().map_or(u64::MAX, |next| next.head.previous_end);
        let groups =
            parse::chain(file, &head).take_while(|group| group.end as u64 <= bound).collect();
        let after = after.files.get(&name.file()).map(Vec::as_slice);
        segments.push(Segment { name: *name, head, groups, before: file, after });
    }
    segments.reverse();
    segments
}

impl Segment<'_> {
    fn has_head(&self) -> bool {
        let now = self.after.and_then(parse::head);
        now.is_some_and(|now| now == self.head && now.name == self.name)
    }

    fn has(&self, group: &Whole) -> bool {
        let range = group.offset..group.checked_end;
        self.after.and_then(|after| after.get(range.clone())) == self.before.get(range)
    }

    /// Whether a whole group stands in the place of this one, an older version: then nothing but
    /// the group directly behind can tell, which is for the reference to judge.
    fn has_impostor(&self, group: &Whole) -> bool {
        let now = self.after.map(|after| parse::place(after, &self.head, group.offset));
        matches!(now, Some(parse::Place::Whole(now)) if now.crc != group.crc)
    }

    /// What the groups that are left say was durable, in bytes.
    fn synced_through(&self) -> usize {
        let left = self.groups.iter().filter(|group| self.has(group));
        left.map(|group| group.synced_through).max().unwrap_or(0)
    }

    /// Whether what lies behind the last group is what it was.
    fn has_same_rest(&self) -> bool {
        let end = self.groups.last().map_or(parse::BLOCK, |group| group.end);
        self.after.is_some_and(|after| after.get(end..) == self.before.get(end..))
    }
}
