//! Where a page is in its tree, and what must hold for it there.
//!
//! All keys of a page lie between two keys that the branches above it say, and no page but a root
//! is empty. Whoever holds each page against its place on the way down meets no page twice, so a
//! walk ends and an update writes what can be read, whatever the bytes are.

use super::pager::Pager;
use crate::Result;
use crate::bolt::DEPTH_MAX;
use crate::bolt::page::Page;

pub(super) const NOT_WHOLE: &str = "an element isn't on its page";
pub(super) const TOO_DEEP: &str = "a tree deeper than any that is written";

/// See the module's text.
pub(super) struct Place<'a> {
    pub(super) number: u64,
    /// Pages above it.
    pub(super) depth: usize,
    /// No key on it is below.
    pub(super) lower: &'a [u8],
    /// All keys on it are below.
    pub(super) upper: Option<&'a [u8]>,
}

impl Place<'_> {
    /// The place of a root.
    pub(super) fn root(number: u64) -> Place<'static> {
        Place { number, depth: 0, lower: &[], upper: None }
    }

    /// Reads the page.
    pub(super) fn load(&self, pager: &Pager) -> Result<Page> {
        let page = pager.node(self.number)?;
        self.check(pager, &page)?;
        Ok(page)
    }

    /// Holds `page`, which is the one with its number, against the place.
    pub(super) fn check(&self, pager: &Pager, page: &Page) -> Result<()> {
        let damaged = |reason| Err(pager.damaged(self.number, reason));
        if self.depth == DEPTH_MAX {
            return damaged(TOO_DEEP);
        }
        let Some(last) = page.count().checked_sub(1) else {
            return match self.depth {
                0 => Ok(()),
                _ => damaged("a page of a tree is empty and isn't its root"),
            };
        };
        let is_above = page.key(0).is_some_and(|first| first >= self.lower);
        let is_below = self.upper.is_none_or(|upper| page.key(last).is_some_and(|k| k < upper));
        match is_above && is_below {
            true => Ok(()),
            false => damaged("keys aren't those of the page's place"),
        }
    }
}
