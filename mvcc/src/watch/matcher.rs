//! Who is told of a change of a key: a hash map for single keys, a tree for spans.

use std::collections::HashMap;

use bytes::Bytes;

use super::interval::IntervalTree;
use super::range::{End, WatchRange};

/// A multimap from ranges to items, asked by key.
///
/// The hub keeps streams in one, each stream its watchers in another.
#[derive(Debug)]
pub(super) struct Matcher<T> {
    keys: HashMap<Bytes, Vec<T>>,
    spans: IntervalTree<T>,
}

impl<T> Default for Matcher<T> {
    fn default() -> Matcher<T> {
        Matcher { keys: HashMap::new(), spans: IntervalTree::default() }
    }
}

fn end_of(end: &Option<Bytes>) -> End {
    end.clone().map_or(End::Open, End::Before)
}

impl<T: PartialEq> Matcher<T> {
    /// Adds `item`; says how many this very range has now.
    pub(super) fn insert(&mut self, range: &WatchRange, item: T) -> usize {
        match range {
            WatchRange::Key(key) => {
                let items = self.keys.entry(key.clone()).or_default();
                items.push(item);
                items.len()
            }
            WatchRange::Span { start, end } => self.spans.insert(start, &end_of(end), item),
        }
    }

    /// Takes `item` away; says how many this very range has left.
    pub(super) fn remove(&mut self, range: &WatchRange, item: &T) -> usize {
        match range {
            WatchRange::Key(key) => {
                let Some(items) = self.keys.get_mut(key) else {
                    return 0;
                };
                if let Some(index) = items.iter().position(|other| other == item) {
                    items.swap_remove(index);
                }
                let left = items.len();
                if left == 0 {
                    self.keys.remove(key);
                }
                left
            }
            WatchRange::Span { start, end } => self.spans.remove(start, &end_of(end), item),
        }
    }

    /// Calls `found` with every item whose range holds `key`.
    pub(super) fn for_each(&self, key: &[u8], mut found: impl FnMut(&T)) {
        if let Some(items) = self.keys.get(key) {
            items.iter().for_each(&mut found);
        }
        self.spans.for_each_at(key, &mut found);
    }

    /// Whether there is nothing in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.spans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &'static str) -> WatchRange {
        WatchRange::Key(key.into())
    }

    fn span(start: &'static str, end: Option<&'static str>) -> WatchRange {
        WatchRange::Span { start: start.into(), end: end.map(Bytes::from) }
    }

    fn matches(matcher: &Matcher<u32>, key: &str) -> Vec<u32> {
        let mut found = Vec::new();
        matcher.for_each(key.as_bytes(), |item| found.push(*item));
        found.sort_unstable();
        found
    }

    #[test]
    fn keys_and_spans_are_both_asked() {
        let mut matcher = Matcher::default();
        assert_eq!(matcher.insert(&key("b"), 1), 1);
        assert_eq!(matcher.insert(&key("b"), 2), 2);
        assert_eq!(matcher.insert(&span("a", Some("c")), 3), 1);
        assert_eq!(matcher.insert(&span("b", None), 4), 1);
        assert_eq!(matches(&matcher, "a"), [3]);
        assert_eq!(matches(&matcher, "b"), [1, 2, 3, 4]);
        assert_eq!(matches(&matcher, "c"), [4]);
        assert_eq!(matcher.remove(&key("b"), &1), 1);
        assert_eq!(matcher.remove(&key("b"), &2), 0);
        assert_eq!(matcher.remove(&key("b"), &2), 0);
        assert_eq!(matcher.remove(&span("b", None), &4), 0);
        assert_eq!(matches(&matcher, "b"), [3]);
        assert_eq!(matcher.remove(&span("a", Some("c")), &3), 0);
        assert!(matcher.is_empty());
    }
}
