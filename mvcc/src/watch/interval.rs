//! Spans of keys, asked which of them hold a key.
//!
//! A balanced (AVL) tree ordered by start, then end, in which each node also knows the greatest end
//! below it. Finding the spans that hold a key visits only subtrees whose greatest end is above the
//! key and whose starts aren't: O(log n) for each span found. (Cormen et al., *Introduction to
//! Algorithms*, "Interval trees".)
//!
//! Balanced by height and not by chance, because clients choose the spans.

use std::cmp::Ordering;

use bytes::Bytes;

use super::range::End;

type Link<T> = Option<Box<Node<T>>>;

#[derive(Debug)]
struct Node<T> {
    start: Bytes,
    end: End,
    /// Greatest `end` in this subtree.
    greatest_end: End,
    height: u8,
    items: Vec<T>,
    left: Link<T>,
    right: Link<T>,
}

/// A multimap from spans to items.
#[derive(Debug)]
pub(super) struct IntervalTree<T> {
    root: Link<T>,
}

impl<T> Default for IntervalTree<T> {
    fn default() -> IntervalTree<T> {
        IntervalTree { root: None }
    }
}

impl<T: PartialEq> IntervalTree<T> {
    /// Adds `item` under the span; says how many the span has now.
    pub(super) fn insert(&mut self, start: &Bytes, end: &End, item: T) -> usize {
        let (root, count) = insert(self.root.take(), start, end, item);
        self.root = Some(root);
        count
    }

    /// Takes `item` away from the span; says how many the span has left.
    pub(super) fn remove(&mut self, start: &Bytes, end: &End, item: &T) -> usize {
        let (root, count) = remove(self.root.take(), start, end, item);
        self.root = root;
        count
    }

    /// Calls `found` with each item whose span holds `key`, in order of the spans.
    pub(super) fn for_each_at(&self, key: &[u8], found: &mut impl FnMut(&T)) {
        visit(&self.root, key, found);
    }

    /// Whether there is nothing in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

impl<T> Node<T> {
    fn leaf(start: &Bytes, end: &End, item: T) -> Box<Node<T>> {
        Box::new(Node {
            start: start.clone(),
            end: end.clone(),
            greatest_end: end.clone(),
            height: 1,
            items: vec![item],
            left: None,
            right: None,
        })
    }

    fn order_of(&self, start: &Bytes, end: &End) -> Ordering {
        start.cmp(&self.start).then_with(|| end.cmp(&self.end))
    }

    /// Recomputes what the node knows of its subtree.
    fn update(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let mut greatest = &self.end;
        for child in [&self.left, &self.right].into_iter().flatten() {
            greatest = greatest.max(&child.greatest_end);
        }
        if *greatest != self.greatest_end {
            self.greatest_end = greatest.clone();
        }
    }

    /// How much higher the left subtree is.
    fn lean(&self) -> i16 {
        i16::from(height(&self.left)) - i16::from(height(&self.right))
    }
}

fn height<T>(link: &Link<T>) -> u8 {
    link.as_ref().map_or(0, |node| node.height)
}

/// Makes the right child the root; leaves the node alone if it has none.
fn rotate_left<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    let Some(mut root) = node.right.take() else {
        return node;
    };
    node.right = root.left.take();
    node.update();
    root.left = Some(node);
    root.update();
    root
}

/// Makes the left child the root; leaves the node alone if it has none.
fn rotate_right<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    let Some(mut root) = node.left.take() else {
        return node;
    };
    node.left = root.right.take();
    node.update();
    root.right = Some(node);
    root.update();
    root
}

/// Restores the balance of a node whose subtrees' heights differ by at most two.
fn balance<T>(mut node: Box<Node<T>>) -> Box<Node<T>> {
    node.update();
    match node.lean() {
        2.. => {
            if node.left.as_ref().is_some_and(|left| left.lean() < 0) {
                node.left = node.left.take().map(rotate_left);
            }
            rotate_right(node)
        }
        ..=-2 => {
            if node.right.as_ref().is_some_and(|right| right.lean() > 0) {
                node.right = node.right.take().map(rotate_right);
            }
            rotate_left(node)
        }
        -1..=1 => node,
    }
}

fn insert<T>(link: Link<T>, start: &Bytes, end: &End, item: T) -> (Box<Node<T>>, usize) {
    let Some(mut node) = link else {
        return (Node::leaf(start, end, item), 1);
    };
    let count;
    match node.order_of(start, end) {
        Ordering::Equal => {
            node.items.push(item);
            let count = node.items.len();
            return (node, count);
        }
        Ordering::Less => {
            let (child, child_count) = insert(node.left.take(), start, end, item);
            node.left = Some(child);
            count = child_count;
        }
        Ordering::Greater => {
            let (child, child_count) = insert(node.right.take(), start, end, item);
            node.right = Some(child);
            count = child_count;
        }
    }
    (balance(node), count)
}

fn remove<T: PartialEq>(link: Link<T>, start: &Bytes, end: &End, item: &T) -> (Link<T>, usize) {
    let Some(mut node) = link else {
        return (None, 0);
    };
    let count;
    match node.order_of(start, end) {
        Ordering::Equal => {
            if let Some(index) = node.items.iter().position(|other| other == item) {
                node.items.swap_remove(index);
            }
            if node.items.is_empty() {
                return (join(node.left.take(), node.right.take()), 0);
            }
            let count = node.items.len();
            return (Some(node), count);
        }
        Ordering::Less => (node.left, count) = remove(node.left.take(), start, end, item),
        Ordering::Greater => (node.right, count) = remove(node.right.take(), start, end, item),
    }
    (Some(balance(node)), count)
}

/// One tree of two whose heights differ by at most one; everything in `left` is smaller.
fn join<T>(left: Link<T>, right: Link<T>) -> Link<T> {
    let Some(right) = right else {
        return left;
    };
    let (mut root, rest) = take_first(right);
    root.left = left;
    root.right = rest;
    Some(balance(root))
}

/// Splits off the smallest node.
fn take_first<T>(mut node: Box<Node<T>>) -> (Box<Node<T>>, Link<T>) {
    match node.left.take() {
        None => {
            let rest = node.right.take();
            (node, rest)
        }
        Some(left) => {
            let (first, rest) = take_first(left);
            node.left = rest;
            (first, Some(balance(node)))
        }
    }
}

fn visit<T>(link: &Link<T>, key: &[u8], found: &mut impl FnMut(&T)) {
    let Some(node) = link else {
        return;
    };
    if !node.greatest_end.is_above(key) {
        return;
    }
    visit(&node.left, key, found);
    if node.start.as_ref() <= key {
        if node.end.is_above(key) {
            node.items.iter().for_each(&mut *found);
        }
        visit(&node.right, key, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks order, balance and greatest ends; gives the height.
    fn check(link: &Link<u16>) -> u8 {
        let Some(node) = link else {
            return 0;
        };
        let (left, right) = (check(&node.left), check(&node.right));
        assert!(left.abs_diff(right) <= 1);
        assert_eq!(node.height, 1 + left.max(right));
        let mut greatest = node.end.clone();
        if let Some(child) = &node.left {
            assert!((&child.start, &child.end) < (&node.start, &node.end));
            greatest = greatest.max(child.greatest_end.clone());
        }
        if let Some(child) = &node.right {
            assert!((&child.start, &child.end) > (&node.start, &node.end));
            greatest = greatest.max(child.greatest_end.clone());
        }
        assert_eq!(node.greatest_end, greatest);
        node.height
    }

    fn end(byte: u8) -> End {
        if byte == u8::MAX { End::Open } else { End::Before(Bytes::copy_from_slice(&[byte])) }
    }

    proptest! {
        #[test]
        fn finds_what_a_list_finds(
            steps in prop::collection::vec((any::<bool>(), 0u8..12, 200u8..=255, 0u16..4), 0..200),
        ) {
            let mut tree = IntervalTree::default();
            let mut list: Vec<(Bytes, End, u16)> = Vec::new();
            for (add, start, last, item) in steps {
                // Ends lie on both sides of the starts' neighbourhood, so that spans nest and meet.
                let start = Bytes::copy_from_slice(&[start * 20]);
                let end = end(last);
                let same = |other: &(Bytes, End, u16)| other.0 == start && other.1 == end;
                if add {
                    let count = tree.insert(&start, &end, item);
                    list.push((start.clone(), end.clone(), item));
                    prop_assert_eq!(count, list.iter().filter(|other| same(other)).count());
                } else {
                    let count = tree.remove(&start, &end, &item);
                    if let Some(index) = list.iter().position(|o| same(o) && o.2 == item) {
                        list.swap_remove(index);
                    }
                    prop_assert_eq!(count, list.iter().filter(|other| same(other)).count());
                }
                check(&tree.root);
            }
            for key in 0..=255u8 {
                let mut found = Vec::new();
                tree.for_each_at(&[key], &mut |item| found.push(*item));
                found.sort_unstable();
                let mut expected: Vec<u16> = list
                    .iter()
                    .filter(|(start, end, _)| start.as_ref() <= &[key][..] && end.is_above(&[key]))
                    .map(|(_, _, item)| *item)
                    .collect();
                expected.sort_unstable();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(tree.is_empty(), list.is_empty());
        }
    }
}
