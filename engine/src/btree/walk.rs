//! Walks through a bucket's elements, in both directions, holding the pages of one path.

use std::sync::Arc;

use bytes::Bytes;

use super::pager::Pager;
use super::place::{NOT_WHOLE, Place};
use crate::Result;
use crate::bolt::page::{LeafElement, Page, first_from};

/// See the module's text.
pub(super) struct Walk {
    pager: Arc<Pager>,
    root: u64,
    /// From the root down; a leaf is last. Empty at the end.
    path: Vec<Step>,
}

struct Step {
    page: Page,
    number: u64,
    /// The element that the walk is at, or the child that it is in.
    position: usize,
    lower: Bytes,
    upper: Option<Bytes>,
}

/// Which child of a branch is gone into.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// The one where this key is or would be.
    To(&'a [u8]),
    First,
    Last,
}

impl Walk {
    /// Through the tree at page `root`. It stands nowhere yet.
    pub(super) fn new(pager: Arc<Pager>, root: u64) -> Walk {
        Walk { pager, root, path: Vec::new() }
    }

    /// Goes to the first element at or after `key`.
    pub(super) fn seek(&mut self, key: &[u8]) -> Result<()> {
        self.path.clear();
        self.descend(Way::To(key))?;
        self.leave_end()
    }

    /// Goes forward to the first element at or after `key`, if it isn't there yet.
    pub(super) fn seek_forward(&mut self, key: &[u8]) -> Result<()> {
        let Some(leaf) = self.path.last_mut() else {
            return Ok(());
        };
        let last = leaf.page.count().checked_sub(1).and_then(|last| leaf.page.key(last));
        if last.is_none_or(|last| last < key) {
            return self.seek(key);
        }
        let position = first_from(leaf.page.count(), |at| leaf.page.key(at).map(|k| k < key));
        leaf.position = position.unwrap_or(leaf.position).max(leaf.position);
        Ok(())
    }

    /// Goes to the last element before `end`; to the last one of all if there is no end.
    pub(super) fn seek_before(&mut self, end: Option<&[u8]>) -> Result<()> {
        self.path.clear();
        self.descend(end.map_or(Way::Last, Way::To))?;
        match end {
            Some(_) => self.prev(),
            None => Ok(()),
        }
    }

    /// Goes to the next element.
    pub(super) fn next(&mut self) -> Result<()> {
        if let Some(leaf) = self.path.last_mut() {
            leaf.position += 1;
        }
        self.leave_end()
    }

    /// Goes to the element before.
    pub(super) fn prev(&mut self) -> Result<()> {
        if let Some(leaf) = self.path.last_mut()
            && leaf.position > 0
        {
            leaf.position -= 1;
            return Ok(());
        }
        self.path.pop();
        while let Some(branch) = self.path.last_mut() {
            if branch.position > 0 {
                branch.position -= 1;
                return self.descend(Way::Last);
            }
            self.path.pop();
        }
        Ok(())
    }

    /// The key where it stands; `None` at the end.
    pub(super) fn key(&self) -> Option<&[u8]> {
        let leaf = self.path.last().filter(|leaf| leaf.position < leaf.page.count())?;
        leaf.page.key(leaf.position)
    }

    /// The element where it stands; `None` at the end.
    pub(super) fn element(&self) -> Option<LeafElement> {
        let leaf = self.path.last().filter(|leaf| leaf.position < leaf.page.count())?;
        leaf.page.leaf(leaf.position)
    }

    /// The leaf that it is in, and whether it stands on its first element.
    pub(super) fn leaf(&self) -> Option<(&Page, bool)> {
        self.path.last().map(|leaf| (&leaf.page, leaf.position == 0))
    }

    /// The pages of its path with their numbers, the leaf last.
    pub(super) fn pages(&self) -> impl Iterator<Item = (u64, &Page)> + Clone {
        self.path.iter().map(|step| (step.number, &step.page))
    }

    /// Numbers of the pages of its path, the leaf's last.
    pub(super) fn numbers(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.path.iter().map(|step| step.number)
    }

    /// The error that says what is wrong with the element where it stands.
    pub(super) fn damaged(&self, reason: &'static str) -> crate::Error {
        self.pager.damaged(self.numbers().next_back().unwrap_or(self.root), reason)
    }

    /// Behind the last element of a leaf the walk goes on in the next one.
    fn leave_end(&mut self) -> Result<()> {
        if self.path.last().is_some_and(|leaf| leaf.position < leaf.page.count()) {
            return Ok(());
        }
        self.path.pop();
        while let Some(branch) = self.path.last_mut() {
            if branch.position + 1 < branch.page.count() {
                branch.position += 1;
                return self.descend(Way::First);
            }
            self.path.pop();
        }
        Ok(())
    }

    /// Goes down to a leaf, from the child where the path's last branch is at, or from the root.
    fn descend(&mut self, way: Way<'_>) -> Result<()> {
        loop {
            let step = self.child()?;
            let position = step.choose(way);
            let position = position.ok_or_else(|| self.pager.damaged(step.number, NOT_WHOLE))?;
            let is_leaf = step.page.is_leaf();
            self.path.push(Step { position, ..step });
            if is_leaf {
                return Ok(());
            }
        }
    }

    fn child(&self) -> Result<Step> {
        let Some(branch) = self.path.last() else {
            let page = Place::root(self.root).load(&self.pager)?;
            let (lower, upper) = (Bytes::new(), None);
            return Ok(Step { page, number: self.root, position: 0, lower, upper });
        };
        let element = branch.page.branch(branch.position);
        let element = element.ok_or_else(|| self.pager.damaged(branch.number, NOT_WHOLE))?;
        let lower = if branch.position == 0 { branch.lower.clone() } else { element.key };
        let next = branch.page.branch(branch.position + 1);
        let upper = match branch.position + 1 < branch.page.count() {
            true => next.map(|next| next.key),
            false => branch.upper.clone(),
        };
        let number = element.page;
        let place =
            Place { number, depth: self.path.len(), lower: &lower, upper: upper.as_deref() };
        let page = place.load(&self.pager)?;
        Ok(Step { page, number, position: 0, lower, upper })
    }
}

impl Step {
    fn choose(&self, way: Way<'_>) -> Option<usize> {
        let (page, count) = (&self.page, self.page.count());
        match way {
            Way::First => Some(0),
            Way::Last => Some(count.saturating_sub(1)),
            Way::To(key) if page.is_leaf() => {
                first_from(count, |at| page.key(at).map(|found| found < key))
            }
            Way::To(key) => {
                let above = first_from(count, |at| page.key(at).map(|found| found <= key))?;
                Some(above.saturating_sub(1))
            }
        }
    }
}
