//! Which pages are free, and which will be.
//!
//! A page is in one of four states: in use by the newest tree; *free*; *pending*, left by a
//! transaction while somebody may read an older tree that has it; or taken by the transaction under
//! way. A page that a transaction left may be used again once no tree from before it is read:
//! bbolt's rule. What a transaction took and left itself is free at once, because nobody saw it.
//!
//! Free pages are kept as spans, so memory grows with how scattered they are. Whoever needs pages
//! gets the first span that is long enough, so that use gathers at the front and the end of the
//! file can be cut off.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Spans that are looked at for several pages in a row, before the file grows instead.
const SPANS_LOOKED_AT_MAX: usize = 4096;

/// Pages in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) count: u64,
}

impl Span {
    /// The page behind the last one.
    fn end(self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// A set of pages.
#[derive(Default)]
struct Spans {
    /// Count by first page; no two touch.
    spans: BTreeMap<u64, u64>,
    pages: u64,
}

impl Spans {
    /// Adds pages; `false` if one of them is in the set already.
    fn insert(&mut self, span: Span) -> bool {
        let Span { mut first, mut count } = span;
        let before = self.spans.range(..=first).next_back();
        let before = before.map(|(&first, &count)| Span { first, count });
        let after = self.spans.range(first..).next().map(|(&first, &count)| Span { first, count });
        let overlaps = before.is_some_and(|before| before.end() > first)
            || after.is_some_and(|after| after.first < span.end());
        if overlaps || count == 0 {
            return false;
        }
        self.pages += count;
        if let Some(before) = before.filter(|before| before.end() == first) {
            first = before.first;
            count += before.count;
        }
        if let Some(after) = after.filter(|after| after.first == span.end()) {
            self.spans.remove(&after.first);
            count += after.count;
        }
        self.spans.insert(first, count);
        true
    }

    /// Takes the first `count` pages in a row.
    fn take(&mut self, count: u64) -> Option<u64> {
        let spans = self.spans.iter().take(SPANS_LOOKED_AT_MAX);
        let (&first, &length) = spans.into_iter().find(|(_, length)| **length >= count)?;
        self.spans.remove(&first);
        if length > count {
            self.spans.insert(first + count, length - count);
        }
        self.pages -= count;
        Some(first)
    }

    /// The span that ends at page `end`.
    fn ending_at(&self, end: u64) -> Option<Span> {
        let (&first, &count) = self.spans.last_key_value()?;
        Some(Span { first, count }).filter(|span| span.end() == end)
    }

    fn remove(&mut self, span: Span) {
        self.spans.remove(&span.first);
        self.pages -= span.count;
    }

    fn iter(&self) -> impl Iterator<Item = Span> {
        self.spans.iter().map(|(&first, &count)| Span { first, count })
    }
}

/// Pages that a committed transaction left.
struct Pending {
    transaction: u64,
    spans: Vec<Span>,
}

/// A page is named as free although it is free already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FreedTwice {
    pub(super) page: u64,
}

/// See the module's text.
pub(super) struct Space {
    /// Number of the first page that isn't there.
    pages: u64,
    free: Spans,
    pending: VecDeque<Pending>,
    pending_pages: u64,
    /// Of the transaction under way: what it took, by first page, and what it left.
    taken: HashMap<u64, u64>,
    left: Vec<Span>,
    pages_before: u64,
}

impl Space {
    /// A file of `pages` pages of which some are free. `None` if one is named twice, or isn't
    /// there.
    pub(super) fn new(pages: u64, free: impl IntoIterator<Item = u64>) -> Option<Space> {
        let mut space = Space {
            pages,
            free: Spans::default(),
            pending: VecDeque::new(),
            pending_pages: 0,
            taken: HashMap::new(),
            left: Vec::new(),
            pages_before: pages,
        };
        for page in free {
            let is_there = (2..pages).contains(&page);
            (is_there && space.free.insert(Span { first: page, count: 1 })).then_some(())?;
        }
        Some(space)
    }

    /// Number of the first page that isn't there.
    pub(super) fn pages(&self) -> u64 {
        self.pages
    }

    /// Pages that no tree that will be read from now on has.
    pub(super) fn unused(&self) -> u64 {
        self.free.pages + self.pending_pages
    }

    /// Frees what transactions up to `transaction` left: nobody reads a tree from before them.
    pub(super) fn release(&mut self, transaction: u64) -> Result<(), FreedTwice> {
        while let Some(pending) = self.pending.pop_front_if(|p| p.transaction <= transaction) {
            for span in pending.spans {
                self.pending_pages -= span.count;
                self.insert(span)?;
            }
        }
        Ok(())
    }

    /// Takes `count` pages in a row.
    pub(super) fn take(&mut self, count: u64) -> u64 {
        let first = self.free.take(count).unwrap_or_else(|| {
            let first = self.pages;
            self.pages += count;
            first
        });
        self.taken.insert(first, count);
        first
    }

    /// Gives pages back that were taken together.
    pub(super) fn leave(&mut self, span: Span) -> Result<(), FreedTwice> {
        if self.taken.remove(&span.first).is_some() {
            return self.insert(span);
        }
        self.left.push(span);
        Ok(())
    }

    /// Takes the free pages at the end away, if they are at least `count`.
    pub(super) fn trim(&mut self, count: u64) {
        if let Some(last) = self.free.ending_at(self.pages)
            && last.count >= count.max(1)
        {
            self.free.remove(last);
            self.pages = last.first;
        }
    }

    /// Every page that will be free once nobody reads an older tree, ascending.
    pub(super) fn list(&self) -> Vec<u64> {
        let pending = self.pending.iter().flat_map(|pending| &pending.spans);
        let spans = self.free.iter().chain(pending.copied()).chain(self.left.iter().copied());
        let mut pages: Vec<u64> = spans.flat_map(|span| span.first..span.end()).collect();
        pages.sort_unstable();
        pages
    }

    /// How many pages [`Space::list`] has.
    pub(super) fn listed(&self) -> u64 {
        self.unused() + self.left.iter().map(|span| span.count).sum::<u64>()
    }

    /// The transaction counts.
    pub(super) fn keep(&mut self, transaction: u64) {
        self.taken.clear();
        let spans = std::mem::take(&mut self.left);
        self.pending_pages += spans.iter().map(|span| span.count).sum::<u64>();
        self.pending.push_back(Pending { transaction, spans });
        self.pages_before = self.pages;
    }

    /// The transaction never was.
    pub(super) fn give_up(&mut self) -> Result<(), FreedTwice> {
        self.left.clear();
        for (first, count) in std::mem::take(&mut self.taken) {
            self.insert(Span { first, count })?;
        }
        // What it had trimmed is free, what it had added is gone.
        if self.pages < self.pages_before {
            let count = self.pages_before - self.pages;
            self.insert(Span { first: self.pages, count })?;
        }
        while self.pages > self.pages_before {
            let Some(last) = self.free.ending_at(self.pages) else {
                break;
            };
            self.free.remove(last);
            self.pages = last.first.max(self.pages_before);
            if last.first < self.pages {
                let count = self.pages - last.first;
                self.insert(Span { first: last.first, count })?;
            }
        }
        self.pages = self.pages_before;
        Ok(())
    }

    fn insert(&mut self, span: Span) -> Result<(), FreedTwice> {
        match self.free.insert(span) {
            true => Ok(()),
            false => Err(FreedTwice { page: span.first }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(pages: u64, free: &[u64]) -> Space {
        Space::new(pages, free.iter().copied()).expect("each once")
    }

    #[test]
    fn what_a_transaction_left_is_free_when_nobody_reads_older_trees() {
        let mut space = space(10, &[]);
        space.leave(Span { first: 4, count: 2 }).expect("once");
        space.keep(7);
        assert_eq!((space.take(1), space.listed()), (10, 2));
        space.keep(8);
        space.release(6).expect("once");
        assert_eq!(space.take(1), 11);
        space.release(7).expect("once");
        assert_eq!((space.take(2), space.take(1)), (4, 12));
    }

    #[test]
    fn what_it_took_itself_is_free_at_once() {
        let mut space = space(10, &[3, 5, 6]);
        assert_eq!((space.take(2), space.take(1), space.take(1)), (5, 3, 10));
        space.leave(Span { first: 5, count: 2 }).expect("once");
        assert_eq!(space.take(1), 5);
        assert_eq!(space.list(), [6]);
    }

    #[test]
    fn a_transaction_that_is_given_up_leaves_no_trace() {
        let mut space = space(20, &[3, 8, 9, 18, 19]);
        space.leave(Span { first: 4, count: 2 }).expect("once");
        space.trim(2);
        assert_eq!(space.pages(), 18);
        for count in [1, 5, 2, 7] {
            space.take(count);
        }
        space.give_up().expect("once");
        assert_eq!((space.pages(), space.list()), (20, vec![3, 8, 9, 18, 19]));
        space.take(9);
        space.leave(Span { first: 20, count: 9 }).expect("once");
        space.give_up().expect("once");
        assert_eq!((space.pages(), space.list()), (20, vec![3, 8, 9, 18, 19]));
    }

    #[test]
    fn the_end_is_trimmed_if_it_is_long_enough() {
        let mut space = space(20, &[3, 17, 18, 19]);
        space.trim(4);
        assert_eq!(space.pages(), 20);
        space.trim(3);
        assert_eq!((space.pages(), space.list()), (17, vec![3]));
    }

    #[test]
    fn pages_that_are_named_twice_are_told() {
        assert!(Space::new(9, [3, 4, 3]).is_none());
        assert!(Space::new(9, [9]).is_none());
        assert!(Space::new(9, [1]).is_none());
        let mut space = space(9, &[3]);
        space.leave(Span { first: 2, count: 2 }).expect("not looked at yet");
        space.keep(1);
        assert_eq!(space.release(1), Err(FreedTwice { page: 2 }));
    }
}
