//! A scrub: every page of the trees of one moment is read from the disk and checked.
//!
//! A page that is damaged says nothing of those below it, which are passed over.

use std::sync::Arc;

use bytes::Bytes;

use super::node::Node;
use super::place::Place;
use super::tree::Tree;
use crate::bolt::PAGE_BYTES;
use crate::bolt::page::u64_at;
use crate::health::Health;
use crate::{Error, Result, Scrub, Scrubbed};

/// See the module's text.
pub(super) struct TreeScrub {
    tree: Arc<Tree>,
    health: Arc<Health>,
    /// The next one last.
    ahead: Vec<Ahead>,
}

/// Something to read.
enum Ahead {
    Freelist,
    /// The root bucket: its elements are the other buckets.
    Buckets,
    Page {
        number: u64,
        depth: usize,
        lower: Bytes,
        upper: Option<Bytes>,
    },
}

impl TreeScrub {
    /// A pass over `tree`.
    pub(super) fn new(tree: Arc<Tree>, health: Arc<Health>) -> TreeScrub {
        TreeScrub { tree, health, ahead: vec![Ahead::Freelist, Ahead::Buckets] }
    }

    /// Reads one page, with its overflow pages; returns how many bytes that were.
    fn read(&mut self, ahead: Ahead) -> Result<u64> {
        let pager = &self.tree.pager;
        match ahead {
            Ahead::Freelist => {
                let (_, pages) = pager.freelist(self.tree.meta.freelist)?;
                Ok(pages * u64::from(PAGE_BYTES))
            }
            Ahead::Buckets => {
                let page = pager.node_from_disk(self.tree.meta.root)?;
                let elements = Node::of_page(&page).map(|node| node.elements);
                let roots = elements.unwrap_or_default();
                let roots = roots.iter().filter_map(|element| u64_at(&element.value, 0));
                self.ahead.extend(roots.map(|number| Ahead::Page {
                    number,
                    depth: 0,
                    lower: Bytes::new(),
                    upper: None,
                }));
                Ok(page.bytes().len() as u64)
            }
            Ahead::Page { number, depth, lower, upper } => {
                let page = pager.node_from_disk(number)?;
                let place = Place { number, depth, lower: &lower, upper: upper.as_deref() };
                place.check(pager, &page)?;
                let bytes = page.bytes().len() as u64;
                if !page.is_leaf() {
                    let children = Node::of_page(&page).map(|node| node.elements);
                    let children = children.unwrap_or_default();
                    let nexts = children.iter().skip(1).map(|next| Some(next.key.clone()));
                    let uppers: Vec<_> = nexts.chain([upper]).collect();
                    let page = |(child, upper): (&super::node::Element, Option<Bytes>)| {
                        let (number, lower) = (child.child, child.key.clone());
                        Ahead::Page { number, depth: depth + 1, lower, upper }
                    };
                    self.ahead.extend(children.iter().zip(uppers).map(page));
                }
                Ok(bytes)
            }
        }
    }
}

impl Scrub for TreeScrub {
    fn step(&mut self, bytes: u64) -> Result<Scrubbed> {
        self.health.check()?;
        let mut scrubbed = Scrubbed::default();
        while scrubbed.bytes < bytes.max(1) {
            let Some(ahead) = self.ahead.pop() else {
                scrubbed.is_last = true;
                break;
            };
            match self.read(ahead) {
                Ok(read) => scrubbed.bytes += read,
                Err(damage @ (Error::Corrupt { .. } | Error::Io { .. })) => {
                    // What was read of it isn't known; a page at least.
                    scrubbed.bytes += u64::from(PAGE_BYTES);
                    scrubbed.damage.push(damage);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(scrubbed)
    }
}
