//! Pages of the transaction under way: taken, written, and left.

use super::node::Node;
use super::pager::{Pager, TRAILER_BYTES};
use super::space::{FreedTwice, Space, Span};
use crate::bolt::PAGE_BYTES;
use crate::bolt::page::Page;
use crate::{Error, Result};

/// See the module's text.
pub(super) struct Pages<'a> {
    pub(super) pager: &'a Pager,
    pub(super) space: &'a mut Space,
    pub(super) transaction: u64,
}

impl Pages<'_> {
    /// Writes a node to new pages and returns the first one's number.
    pub(super) fn write(&mut self, node: &Node) -> Result<u64> {
        self.write_span(node).map(|span| span.first)
    }

    /// Writes a node to new pages.
    pub(super) fn write_span(&mut self, node: &Node) -> Result<Span> {
        let page = node.build();
        let count = (page.bytes() + TRAILER_BYTES).div_ceil(PAGE_BYTES as usize) as u64;
        let first = self.space.take(count);
        self.pager.allow(self.space.pages(), self.transaction);
        self.pager.write(node.page_kind(), first, &page, self.transaction)?;
        Ok(Span { first, count })
    }

    /// The tree under way doesn't have this page any more.
    pub(super) fn leave(&mut self, number: u64, page: &Page) -> Result<()> {
        self.leave_span(Span { first: number, count: u64::from(page.header.overflow) + 1 })
    }

    /// Nor these, which were taken together.
    pub(super) fn leave_span(&mut self, span: Span) -> Result<()> {
        self.space.leave(span).map_err(|twice| freed_twice(self.pager, twice))
    }
}

/// The error of a page that two trees have, or one twice.
pub(super) fn freed_twice(pager: &Pager, twice: FreedTwice) -> Error {
    pager.damaged(twice.page, "a page is left that is free")
}
