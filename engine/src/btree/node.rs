//! Leaves and branches in memory, and how elements are shared out among pages.

use bytes::Bytes;

use super::pager::CAPACITY_BYTES;
use crate::bolt::builder::PageBuilder;
use crate::bolt::page::{ELEMENT_BYTES, ELEMENT_IS_BUCKET, KIND_BRANCH, KIND_LEAF, Page};

/// Children that a branch has at least, unless it is about to vanish: bbolt insists on two.
const CHILDREN_MIN: usize = 2;

/// What a page is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Branch,
}

/// A key, with its value in a leaf and with the page that it leads to in a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    pub(super) child: u64,
    pub(super) is_bucket: bool,
}

impl Element {
    /// Of a leaf.
    pub(super) fn value(key: Bytes, value: Bytes) -> Element {
        Element { key, value, child: 0, is_bucket: false }
    }

    /// Of a branch.
    pub(super) fn child(key: Bytes, child: u64) -> Element {
        Element { key, value: Bytes::new(), child, is_bucket: false }
    }

    fn bytes(&self) -> usize {
        ELEMENT_BYTES + self.key.len() + self.value.len()
    }
}

/// How full pages become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// All alike: there will be more in between.
    Even,
    /// One after the other to the brim: there will be more at the end.
    Front,
}

/// Elements of one page, whole or in the making.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) elements: Vec<Element>,
    /// Whether more is to come behind its elements: then it may be small for now.
    grows: bool,
}

impl Node {
    /// What is on a page; `None` if its elements aren't all there.
    pub(super) fn of_page(page: &Page) -> Option<Node> {
        let kind = if page.is_leaf() { Kind::Leaf } else { Kind::Branch };
        let element = |position| match kind {
            Kind::Leaf => {
                let element = page.leaf(position)?;
                let is_bucket = element.is_bucket;
                Some(Element { is_bucket, ..Element::value(element.key, element.value) })
            }
            Kind::Branch => {
                page.branch(position).map(|element| Element::child(element.key, element.page))
            }
        };
        let elements = (0..page.count()).map(element).collect::<Option<_>>()?;
        Some(Node { kind, elements, grows: false })
    }

    /// A leaf of these.
    pub(super) fn leaf(elements: Vec<Element>) -> Node {
        Node { kind: Kind::Leaf, elements, grows: false }
    }

    /// Of its elements, without what every page has.
    pub(super) fn bytes(&self) -> usize {
        self.elements.iter().map(Element::bytes).sum()
    }

    /// Whether it should be joined with a neighbour.
    pub(super) fn is_small(&self) -> bool {
        let is_lone = self.kind == Kind::Branch && self.elements.len() < CHILDREN_MIN;
        is_lone || !self.grows && self.bytes() < CAPACITY_BYTES / 4
    }

    /// Whether it goes on one page without overflow pages.
    pub(super) fn fits(&self) -> bool {
        self.bytes() <= CAPACITY_BYTES
    }

    /// What its page is called.
    pub(super) fn page_kind(&self) -> u16 {
        match self.kind {
            Kind::Leaf => KIND_LEAF,
            Kind::Branch => KIND_BRANCH,
        }
    }

    pub(super) fn build(&self) -> PageBuilder {
        let mut page = PageBuilder::default();
        for element in &self.elements {
            let flags = if element.is_bucket { ELEMENT_IS_BUCKET } else { 0 };
            page.push(flags, &element.key, &element.value, element.child);
        }
        page
    }
}

/// Shares `elements` out among nodes that fit on a page each. An element that doesn't fit has a
/// node of its own in a leaf, and one with a neighbour in a branch.
pub(super) fn pack(kind: Kind, elements: Vec<Element>, fill: Fill) -> Vec<Node> {
    let all: usize = elements.iter().map(Element::bytes).sum();
    let largest = elements.iter().map(Element::bytes).max().unwrap_or(0);
    let pages = match fill {
        Fill::Front => 1,
        Fill::Even if all <= CAPACITY_BYTES => 1,
        // A page may lack room for one more element.
        Fill::Even => all.div_ceil(CAPACITY_BYTES - largest.min(CAPACITY_BYTES / 2)),
    };
    let least = match kind {
        Kind::Leaf => 1,
        Kind::Branch => CHILDREN_MIN,
    };
    let mut nodes = Vec::new();
    let mut node = Node { kind, elements: Vec::new(), grows: false };
    let (mut bytes, mut done, mut left) = (0, 0, elements.len());
    for element in elements {
        let more = element.bytes();
        let has_its_part = done + more / 2 > all / pages * (nodes.len() + 1);
        let is_full = bytes + more > CAPACITY_BYTES || has_its_part;
        if is_full && node.elements.len() >= least && left >= least {
            let elements = std::mem::take(&mut node.elements);
            nodes.push(Node { kind, elements, grows: false });
            bytes = 0;
        }
        node.elements.push(element);
        bytes += more;
        done += more;
        left -= 1;
    }
    node.grows = fill == Fill::Front;
    nodes.extend((!node.elements.is_empty()).then_some(node));
    nodes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(lengths: &[usize]) -> Vec<Element> {
        let element = |(n, &length): (usize, &usize)| {
            Element::value(Bytes::from(format!("{n:06}")), Bytes::from(vec![0; length]))
        };
        lengths.iter().enumerate().map(element).collect()
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nodes_fit_unless_they_cannot(
            lengths in proptest::collection::vec(prop_oneof![0..300usize, 0..9000usize], 0..200),
            is_leaf in any::<bool>(),
            is_even in any::<bool>(),
        ) {
            let kind = if is_leaf { Kind::Leaf } else { Kind::Branch };
            let fill = if is_even { Fill::Even } else { Fill::Front };
            let elements = elements(&lengths);
            let nodes = pack(kind, elements.clone(), fill);
            for (n, node) in (1..).zip(&nodes) {
                let count = node.elements.len();
                let may_be_long = count == 1 || !is_leaf && (count == 2 || n == nodes.len());
                prop_assert!(node.fits() || may_be_long);
                prop_assert!(is_leaf || node.elements.len() >= 2 || elements.len() < 2);
            }
            let packed: Vec<Element> = nodes.into_iter().flat_map(|node| node.elements).collect();
            prop_assert_eq!(packed, elements);
        }
    }

    #[test]
    fn even_pages_are_half_full_at_least_and_front_ones_are_full() {
        for count in 2..400 {
            let nodes = pack(Kind::Leaf, elements(&vec![90; count]), Fill::Even);
            let least = nodes.iter().map(Node::bytes).min().expect("there are some");
            assert!(nodes.len() == 1 || least > CAPACITY_BYTES * 2 / 5, "{count}: {least}");
            let nodes = pack(Kind::Leaf, elements(&vec![90; count]), Fill::Front);
            let (_, front) = nodes.split_last().expect("there are some");
            assert!(front.iter().all(|node| node.bytes() > CAPACITY_BYTES - 200), "{count}");
        }
    }
}
