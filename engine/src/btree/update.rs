//! Changes a bucket's tree, copy on write: what it touches is written to new pages, and the old
//! ones are left to those who read older trees.
//!
//! 1. Changes come sorted. A branch hands each child its part; a child without changes stays.
//! 2. A leaf merges its elements with its changes, loses what retention allows, and becomes no
//!    page, one, or several.
//! 3. The branch above joins pages that are too small with a neighbour, writes them, and becomes
//!    itself no page, one, or several. So it goes on up to the root, which may gain a level or lose
//!    some.
//!
//! Only pages of one branch are in memory at a time, and those of the path down to it. Keys of a
//! branch are the first keys of its children, as bbolt has them.

use bytes::Bytes;

use super::node::{Element, Fill, Kind, Node, pack};
use super::pager::{CAPACITY_BYTES, Pager};
use super::pages::Pages;
use super::place::{NOT_WHOLE, Place, TOO_DEEP};
use super::record::{Stored, user_part};
use crate::bolt::DEPTH_MAX;
use crate::bolt::page::{LeafElement, Page};
use crate::retention::{Retention, Verdict};
use crate::{Keyspace, Result};

/// A change of one key.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Bytes,
    pub(super) kind: ChangeKind,
}

/// What happens to the key.
#[derive(Clone, Debug)]
pub(super) enum ChangeKind {
    /// It is there with this value. If it is there already it stays as it is.
    Put(Bytes),
    /// It isn't there.
    Remove,
    /// Nothing, but its page is written anew.
    Move,
}

/// What retention may take away on the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Losing<'a> {
    /// Nothing.
    Nothing,
    /// What nobody reads who reads at or above this watermark.
    Below {
        watermark: u64,
        /// Older versions of this key, as an element has it, may come with later changes.
        unfinished: Option<&'a [u8]>,
    },
}

/// See the module's text.
pub(super) struct Update<'a> {
    pub(super) pages: Pages<'a>,
    pub(super) keyspace: Keyspace,
    pub(super) losing: Losing<'a>,
}

/// A page of a tree's next state.
enum Piece {
    /// It stays; with the first key that isn't on it any more.
    Kept(Element, Option<Bytes>),
    /// It isn't written yet.
    Fresh(Node),
}

impl Update<'_> {
    /// Makes `changes`, whose keys ascend, in the tree at page `root`; returns its new root.
    pub(super) fn apply(&mut self, root: u64, changes: &[Change]) -> Result<u64> {
        let place = Place { number: root, depth: 0, lower: &[], upper: None };
        let Some(mut pieces) = self.node(&place, changes)? else {
            return Ok(root);
        };
        loop {
            if pieces.len() > 1 {
                let children = self.write_pieces(pieces)?;
                let nodes = pack(Kind::Branch, children, Fill::Even);
                pieces = nodes.into_iter().map(Piece::Fresh).collect();
                continue;
            }
            return match pieces.pop() {
                None => self.pages.write(&Node::leaf(Vec::new())),
                Some(Piece::Kept(element, _)) => self.lowered(element.child),
                Some(Piece::Fresh(node)) => match (node.kind, &node.elements[..]) {
                    (Kind::Branch, [only]) => self.lowered(only.child),
                    _ => self.pages.write(&node),
                },
            };
        }
    }

    /// Leaves branches with a single child, from `root` down.
    fn lowered(&mut self, mut root: u64) -> Result<u64> {
        for _ in 0..DEPTH_MAX {
            let page = self.pages.pager.node(root)?;
            if page.is_leaf() || page.count() > 1 {
                return Ok(root);
            }
            let child = page.branch(0).ok_or_else(|| self.pages.pager.damaged(root, NOT_WHOLE))?;
            self.pages.leave(root, &page)?;
            root = child.page;
        }
        Err(self.pages.pager.damaged(root, TOO_DEEP))
    }

    /// What becomes of a page; `None` if it stays as it is.
    fn node(&mut self, place: &Place<'_>, changes: &[Change]) -> Result<Option<Vec<Piece>>> {
        let page = place.load(self.pages.pager)?;
        let number = place.number;
        let node = Node::of_page(&page);
        let node = node.ok_or_else(|| self.pages.pager.damaged(number, NOT_WHOLE))?;
        match node.kind {
            Kind::Leaf => self.leaf(place, &page, node, changes),
            Kind::Branch => self.branch(place, &page, node, changes),
        }
    }

    fn branch(
        &mut self,
        place: &Place<'_>,
        page: &Page,
        node: Node,
        changes: &[Change],
    ) -> Result<Option<Vec<Piece>>> {
        let mut pieces = Vec::with_capacity(node.elements.len());
        let mut first_changed = None;
        let mut rest = changes;
        let uppers = node.elements.iter().skip(1).map(|next| Some(&next.key));
        let uppers = uppers.chain(std::iter::once(None));
        for (position, (element, next)) in node.elements.iter().zip(uppers).enumerate() {
            let part = next.map_or(rest.len(), |next| rest.partition_point(|c| c.key < *next));
            let (mine, behind) = rest.split_at(part);
            rest = behind;
            let upper = next.map(|next| &**next).or(place.upper);
            // What comes before all keys goes to the first child.
            let lower = if position == 0 { place.lower } else { &element.key };
            let child = Place { number: element.child, depth: place.depth + 1, lower, upper };
            let changed = if mine.is_empty() { None } else { self.node(&child, mine)? };
            match changed {
                Some(changed) => {
                    first_changed.get_or_insert(position);
                    pieces.extend(changed);
                }
                None => {
                    pieces.push(Piece::Kept(element.clone(), upper.map(Bytes::copy_from_slice)));
                }
            }
        }
        let Some(first_changed) = first_changed else {
            return Ok(None);
        };
        let grows_at_the_end = first_changed + 1 == node.elements.len();
        self.pages.leave(place.number, page)?;
        let children = self.write_pieces(pieces)?;
        let fill = if grows_at_the_end { Fill::Front } else { Fill::Even };
        let nodes = pack(Kind::Branch, children, fill);
        Ok(Some(nodes.into_iter().map(Piece::Fresh).collect()))
    }

    fn leaf(
        &mut self,
        place: &Place<'_>,
        page: &Page,
        node: Node,
        changes: &[Change],
    ) -> Result<Option<Vec<Piece>>> {
        let last = node.elements.last().map(|element| element.key.clone());
        let first_change = changes.first().map(|change| &change.key);
        let is_moved = changes.iter().any(|change| matches!(change.kind, ChangeKind::Move));
        // A long value stays where it is while its neighbours change.
        let alone = match &node.elements[..] {
            [only] if !is_moved && page.header.overflow > 0 => Some(only.clone()),
            _ => None,
        };
        let (merged, mut is_changed) = merged(node.elements, changes);
        let before = merged.len();
        let elements = self.retained(place, merged)?;
        is_changed |= is_moved || elements.len() != before;
        if !is_changed {
            return Ok(None);
        }
        let fill = if last.as_ref() < first_change { Fill::Front } else { Fill::Even };
        let mut is_kept = false;
        let nodes = pack(Kind::Leaf, elements, fill).into_iter();
        let piece = |node: Node| match &alone {
            Some(alone) if node.elements[..] == [alone.clone()] => {
                is_kept = true;
                let upper = place.upper.map(Bytes::copy_from_slice);
                Piece::Kept(Element::child(alone.key.clone(), place.number), upper)
            }
            _ => Piece::Fresh(node),
        };
        let pieces = nodes.map(piece).collect();
        if !is_kept {
            self.pages.leave(place.number, page)?;
        }
        Ok(Some(pieces))
    }

    /// What retention leaves of a leaf. Newer versions of its first key may lie on the page before,
    /// so a bit less goes than could.
    fn retained(&self, place: &Place<'_>, elements: Vec<Element>) -> Result<Vec<Element>> {
        let Losing::Below { watermark, unfinished } = self.losing else {
            return Ok(elements);
        };
        let keyspace = self.keyspace;
        let behind = [place.upper, unfinished].map(|key| user_part(keyspace, key?));
        let mut retention = Retention::new(keyspace);
        let mut kept = Vec::with_capacity(elements.len());
        for element in elements {
            let stored = stored(self.pages.pager, keyspace, place.number, &element)?;
            let goes_on = || Ok(behind.contains(&user_part(keyspace, &element.key)));
            let verdict = retention.decide(stored.as_record(), watermark, goes_on)?;
            if matches!(verdict, Verdict::Keep(_) | Verdict::KeepLast(_)) {
                kept.push(element);
            }
        }
        Ok(kept)
    }

    /// Joins small nodes with their neighbours and writes what isn't written; the elements of the
    /// level above.
    fn write_pieces(&mut self, pieces: Vec<Piece>) -> Result<Vec<Element>> {
        let mut joined: Vec<Piece> = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let Some(before) = joined.pop() else {
                joined.push(piece);
                continue;
            };
            match self.join(before, piece)? {
                Joined::Apart(before, piece) => joined.extend([before, piece]),
                Joined::As(nodes) => joined.extend(nodes.into_iter().map(Piece::Fresh)),
            }
        }
        let mut elements = Vec::with_capacity(joined.len());
        for piece in joined {
            elements.push(match piece {
                Piece::Kept(element, _) => element,
                Piece::Fresh(node) => {
                    let key = node.elements.first().map(|first| first.key.clone());
                    let key = key.expect("only a root may be empty, and it isn't a piece");
                    Element::child(key, self.pages.write(&node)?)
                }
            });
        }
        Ok(elements)
    }

    fn join(&mut self, before: Piece, piece: Piece) -> Result<Joined> {
        let is_small = |piece: &Piece| matches!(piece, Piece::Fresh(node) if node.is_small());
        let is_due = match (&before, &piece) {
            (Piece::Fresh(a), Piece::Fresh(b)) => {
                let bytes = a.bytes() + b.bytes();
                a.is_small() || b.is_small() || bytes <= CAPACITY_BYTES
            }
            _ => is_small(&before) || is_small(&piece),
        };
        if !is_due {
            return Ok(Joined::Apart(before, piece));
        }
        let nodes = [self.fresh(&before)?, self.fresh(&piece)?];
        let [(Some(a), a_page), (Some(b), b_page)] = nodes else {
            return Ok(Joined::Apart(before, piece));
        };
        for (number, page) in [a_page, b_page].into_iter().flatten() {
            self.pages.leave(number, &page)?;
        }
        let kind = a.kind;
        let elements = a.elements.into_iter().chain(b.elements).collect();
        Ok(Joined::As(pack(kind, elements, Fill::Even)))
    }

    /// The piece in memory, with the page that it is on if it is written. `None` for a leaf with
    /// overflow pages, which stays alone.
    #[expect(clippy::type_complexity, reason = "used in one place, and taken apart there")]
    fn fresh(&self, piece: &Piece) -> Result<(Option<Node>, Option<(u64, Page)>)> {
        let (element, upper) = match piece {
            Piece::Fresh(node) if node.kind == Kind::Leaf && !node.fits() => {
                return Ok((None, None));
            }
            Piece::Fresh(node) => return Ok((Some(node.clone()), None)),
            Piece::Kept(element, upper) => (element, upper),
        };
        let (number, lower, upper) = (element.child, &*element.key, upper.as_deref());
        let page = Place { number, depth: 1, lower, upper }.load(self.pages.pager)?;
        if page.is_leaf() && page.header.overflow > 0 {
            return Ok((None, None));
        }
        let node = Node::of_page(&page);
        let node = node.ok_or_else(|| self.pages.pager.damaged(number, NOT_WHOLE))?;
        Ok((Some(node), Some((number, page))))
    }
}

enum Joined {
    Apart(Piece, Piece),
    As(Vec<Node>),
}

/// The record that an element holds.
pub(super) fn stored(
    pager: &Pager,
    keyspace: Keyspace,
    page: u64,
    element: &Element,
) -> Result<Stored> {
    let Element { key, value, is_bucket, .. } = element.clone();
    let stored = Stored::decode(keyspace, &LeafElement { key, value, is_bucket });
    stored.ok_or_else(|| pager.damaged(page, "an element isn't a record"))
}

/// Elements with `changes` made, and whether that changed anything.
fn merged(elements: Vec<Element>, changes: &[Change]) -> (Vec<Element>, bool) {
    let mut merged = Vec::with_capacity(elements.len() + changes.len());
    let mut is_changed = false;
    let mut elements = elements.into_iter().peekable();
    for change in changes {
        while let Some(element) = elements.next_if(|element| element.key < change.key) {
            merged.push(element);
        }
        let there = elements.next_if(|element| element.key == change.key);
        match (&change.kind, there) {
            (ChangeKind::Put(_) | ChangeKind::Move, Some(element)) => merged.push(element),
            (ChangeKind::Put(value), None) => {
                merged.push(Element::value(change.key.clone(), value.clone()));
                is_changed = true;
            }
            (ChangeKind::Remove, Some(_)) => is_changed = true,
            (ChangeKind::Remove | ChangeKind::Move, None) => {}
        }
    }
    merged.extend(elements);
    (merged, is_changed)
}
