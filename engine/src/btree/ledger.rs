//! The writing side: which tree counts, which pages are free, and how a transaction becomes
//! durable.
//!
//! 1. *Prepare*: all pages of the transaction are written to places that no tree has which is read,
//!    our bucket, the root bucket and the freelist last. A full disk is found here, and the
//!    transaction can be given up.
//! 2. *Seal*: the file is synced; the meta page whose turn it is is written; the file is synced
//!    again. The page's 80 bytes lie in one sector, so a crash leaves the old one or the new one.
//! 3. The tree is shown to readers, and the free end of the file is cut off.
//!
//! The freelist is written each time: a start must not look for free pages, and free pages are kept
//! few by cutting the file.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::file::root_node;
use super::node::Node;
use super::pager::{Pager, freelist_pages};
use super::pages::{Pages, freed_twice};
use super::space::{Space, Span};
use super::system::{Swept, System};
use super::tree::Tree;
use super::update::{Change, Losing, Update};
use crate::bolt::PAGE_BYTES;
use crate::bolt::meta::Meta;
use crate::{Applied, Keyspace, Result};

/// Free pages at the end of the file that are cut off: this many, and this part of all.
const TRIM_PAGES_MIN: u64 = 64;
const TRIM_PART: u64 = 16;

/// See the module's text.
pub(super) struct Ledger {
    pub(super) pager: Arc<Pager>,
    space: Space,
    pub(super) tree: Arc<Tree>,
    /// Trees from before that somebody may still read, oldest first.
    older: VecDeque<Weak<Tree>>,
    /// How far sweeps are, as it is on disk.
    pub(super) swept: Swept,
    /// The root bucket, our own, the freelist.
    bookkeeping: [Span; 3],
}

/// A transaction under way.
pub(super) struct Open {
    number: u64,
    roots: [u64; 4],
}

/// What a transaction says besides its records.
pub(super) struct Says {
    pub(super) applied: Applied,
    pub(super) swept: Swept,
    pub(super) trimming: Trimming,
}

/// How much of a free end is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trimming {
    /// None that will soon be needed again.
    Large,
    /// All.
    All,
}

/// A transaction whose pages are written.
pub(super) struct Prepared {
    tree: Arc<Tree>,
    swept: Swept,
    bookkeeping: [Span; 3],
}

impl Ledger {
    /// What a file says.
    pub(super) fn new(
        pager: Arc<Pager>,
        space: Space,
        tree: Tree,
        swept: Swept,
        bookkeeping: [Span; 3],
    ) -> Ledger {
        let tree = Arc::new(tree);
        Ledger { pager, space, tree, older: VecDeque::new(), swept, bookkeeping }
    }

    /// Writes the first transactions of a new file, one to each meta page.
    pub(super) fn found(pager: Arc<Pager>, mut space: Space) -> Result<()> {
        let mut roots = [0; 4];
        for root in &mut roots {
            let mut pages = Pages { pager: &pager, space: &mut space, transaction: 0 };
            *root = pages.write(&Node::leaf(Vec::new()))?;
        }
        let none = [0; 3].map(|first| Span { first, count: 0 });
        let meta = Meta {
            page_bytes: PAGE_BYTES,
            root: 0,
            sequence: 0,
            freelist: 0,
            pages: 0,
            transaction: 0,
        };
        let tree = Tree { pager: Arc::clone(&pager), meta, roots, applied: Applied::default() };
        let mut ledger = Ledger::new(pager, space, tree, Swept::default(), none);
        for transaction in [0, 1] {
            let applied = Applied::default();
            let says = Says { applied, swept: Swept::default(), trimming: Trimming::Large };
            let prepared = ledger.prepare(Open { number: transaction, roots }, says)?;
            ledger.seal(prepared)?;
        }
        Ok(())
    }

    /// Pages that are in use.
    pub(super) fn used_pages(&self) -> u64 {
        self.space.pages() - self.space.unused()
    }

    /// Begins a transaction. There is one at a time.
    pub(super) fn begin(&mut self) -> Result<Open> {
        self.older.retain(|tree| tree.strong_count() > 0);
        let oldest = self.older.iter().find_map(|tree| tree.upgrade());
        let oldest = oldest.as_ref().unwrap_or(&self.tree).meta.transaction;
        let released = self.space.release(oldest);
        released.map_err(|twice| freed_twice(&self.pager, twice))?;
        Ok(Open { number: self.tree.meta.transaction + 1, roots: self.tree.roots })
    }

    /// Makes changes, whose keys ascend.
    pub(super) fn update(
        &mut self,
        open: &mut Open,
        keyspace: Keyspace,
        losing: Losing<'_>,
        changes: &[Change],
    ) -> Result<()> {
        let pages = Pages { pager: &self.pager, space: &mut self.space, transaction: open.number };
        let root = &mut open.roots[keyspace as usize];
        *root = Update { pages, keyspace, losing }.apply(*root, changes)?;
        Ok(())
    }

    /// Writes what is left to write. Without an error [`Ledger::seal`] has to follow.
    pub(super) fn prepare(&mut self, open: Open, says: Says) -> Result<Prepared> {
        let Open { number: transaction, roots } = open;
        let Says { applied, swept, trimming } = says;
        let mut pages = Pages { pager: &self.pager, space: &mut self.space, transaction };
        for span in self.bookkeeping.into_iter().filter(|span| span.count > 0) {
            pages.leave_span(span)?;
        }
        let system = System { applied: applied.clone(), swept: swept.clone() };
        let own = pages.write_span(&system.encode())?;
        let root = pages.write_span(&root_node(roots, own.first))?;
        self.space.trim(match trimming {
            Trimming::Large => TRIM_PAGES_MIN.max(self.space.pages() / TRIM_PART),
            Trimming::All => 1,
        });
        let count = freelist_pages(self.space.listed());
        let freelist = Span { first: self.space.take(count), count };
        let free = self.space.list();
        self.pager.write_freelist(freelist.first, count, &free, transaction)?;
        self.pager.extend(self.space.pages())?;
        let meta = Meta {
            page_bytes: PAGE_BYTES,
            root: root.first,
            sequence: 0,
            freelist: freelist.first,
            pages: self.space.pages(),
            transaction,
        };
        let tree = Arc::new(Tree { pager: Arc::clone(&self.pager), meta, roots, applied });
        Ok(Prepared { tree, swept, bookkeeping: [root, own, freelist] })
    }

    /// Makes the transaction durable. It counts from then on, but readers don't know of it yet.
    pub(super) fn seal(&mut self, prepared: Prepared) -> Result<()> {
        let Prepared { tree, swept, bookkeeping } = prepared;
        let meta = tree.meta;
        self.pager.sync()?;
        self.write_meta(&meta)?;
        self.pager.allow(meta.pages, meta.transaction);
        self.space.keep(meta.transaction);
        let before = std::mem::replace(&mut self.tree, tree);
        self.older.push_back(Arc::downgrade(&before));
        (self.swept, self.bookkeeping) = (swept, bookkeeping);
        Ok(())
    }

    /// Makes the newest transaction durable once more, of which the process before may not have
    /// heard that it is. What is read here will be acted on: the log is cut by it, and pages are
    /// written over that only the transaction before needs. Its other pages were synced before its
    /// meta page was written, and that one is written again, because the system forgets what it
    /// once failed to sync.
    pub(super) fn seal_again(&self) -> Result<()> {
        self.write_meta(&self.tree.meta)
    }

    fn write_meta(&self, meta: &Meta) -> Result<()> {
        let page = meta.transaction % 2;
        self.pager.write_meta(page, &meta.encode(page))?;
        self.pager.sync()
    }

    /// Cuts the file to the pages that there are.
    pub(super) fn cut(&self) -> Result<()> {
        self.pager.cut(self.space.pages())
    }

    /// Takes back a transaction that isn't prepared.
    pub(super) fn give_up(&mut self) -> Result<()> {
        let given_up = self.space.give_up();
        given_up.map_err(|twice| freed_twice(&self.pager, twice))?;
        self.pager.allow(self.space.pages(), self.tree.meta.transaction);
        Ok(())
    }
}
