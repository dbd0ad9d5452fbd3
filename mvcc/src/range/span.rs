//! The keys that a pair of `key` and `range_end` names.

use retcd_engine::KeyRange;

/// The keys that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span<'a> {
    /// One key.
    Key(&'a [u8]),
    /// An interval that isn't empty.
    Range(KeyRange<'a>),
    /// No key at all: the interval ends where it begins, or before.
    Empty,
}

impl<'a> Span<'a> {
    /// Reads etcd's convention: without `range_end` it is one key, and an end of one zero byte
    /// leaves the interval open.
    pub(crate) fn new(key: &'a [u8], range_end: &'a [u8]) -> Span<'a> {
        match range_end {
            [] => Span::Key(key),
            [0] => Span::Range(KeyRange { start: key, end: None }),
            end if end <= key => Span::Empty,
            end => Span::Range(KeyRange { start: key, end: Some(end) }),
        }
    }

    /// Whether `key` is one of them.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        match *self {
            Span::Key(one) => one == key,
            Span::Range(range) => range.start <= key && range.end.is_none_or(|end| key < end),
            Span::Empty => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_convention() {
        assert_eq!(Span::new(b"a", b""), Span::Key(b"a"));
        assert_eq!(Span::new(b"a", b"a"), Span::Empty);
        assert_eq!(Span::new(b"b", b"a"), Span::Empty);
        assert!(Span::new(b"\0", b"\0").contains(b"\xff\xff"));
        assert!(Span::new(b"a", b"b").contains(b"a\xff"));
        assert!(!Span::new(b"a", b"b").contains(b"b"));
        assert!(!Span::new(b"a", b"").contains(b"a\0"));
    }
}
