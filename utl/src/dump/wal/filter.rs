//! Which records are shown.

use crate::request::{Keys, REQUEST_KINDS};

/// What every normal entry is, besides the kind of its request.
pub(super) const NORMAL: &str = "normal";
/// A hard state's kind.
pub(super) const HARD_STATE: &str = "hard-state";
/// A snapshot mark's kind.
pub(super) const SNAPSHOT: &str = "snapshot";

/// A kind that was asked for, or the words that several begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KindPattern(String);

impl KindPattern {
    /// Reads one. Fails if no kind is meant by it.
    pub(super) fn parse(text: &str) -> Result<KindPattern, String> {
        let pattern = KindPattern(text.to_ascii_lowercase().replace('_', "-"));
        let mut kinds = REQUEST_KINDS.iter().chain(&[NORMAL, HARD_STATE, SNAPSHOT]);
        match kinds.any(|kind| pattern.means(kind)) {
            true => Ok(pattern),
            false => Err(format!(
                "no such kind; there are {NORMAL}, {HARD_STATE}, {SNAPSHOT}, {}",
                REQUEST_KINDS.join(", ")
            )),
        }
    }

    fn means(&self, kind: &str) -> bool {
        let rest = kind.strip_prefix(self.0.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// Which records are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// First index.
    pub(super) from: Option<u64>,
    /// Last index.
    pub(super) to: Option<u64>,
    /// Kinds; empty for all.
    pub(super) kinds: Vec<KindPattern>,
    /// Keys that a request must be about.
    pub(super) keys: Option<Keys>,
}

impl Filter {
    /// Whether anything may be left out.
    pub(super) fn is_active(&self) -> bool {
        self.from.is_some() || self.to.is_some() || !self.kinds.is_empty() || self.keys.is_some()
    }

    /// Whether a record of these kinds is shown, if it is about the keys. A hard state has the
    /// index of the last entry before it.
    pub(super) fn admits(&self, index: u64, kinds: &[&str]) -> bool {
        let meant = |pattern: &KindPattern| kinds.iter().any(|kind| pattern.means(kind));
        self.from.is_none_or(|from| from <= index)
            && self.to.is_none_or(|to| index <= to)
            && (self.kinds.is_empty() || self.kinds.iter().any(meant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kinds: &[&str]) -> Filter {
        let kinds = kinds.iter().map(|kind| KindPattern::parse(kind).unwrap()).collect();
        Filter { kinds, ..Filter::default() }
    }

    #[test]
    fn kinds_are_named_whole_or_by_their_first_words() {
        let leases = filter(&["lease", "PUT", "delete_range"]);
        for kind in ["lease-grant", "lease-revoke", "put", "delete-range"] {
            assert!(leases.admits(1, &[kind, NORMAL]), "{kind}");
        }
        assert!(!leases.admits(1, &["txn", NORMAL]));
        assert!(filter(&["normal"]).admits(1, &["txn", NORMAL]));
        assert!(!filter(&["auth"]).admits(1, &["authenticate", NORMAL]));
        for wrong in ["le", "", "lease-", "ConfChange"] {
            assert!(KindPattern::parse(wrong).unwrap_err().contains("conf-change"), "{wrong}");
        }
    }

    #[test]
    fn both_ends_of_a_range_are_in_it() {
        let filter = Filter { from: Some(3), to: Some(5), ..Filter::default() };
        let admitted: Vec<_> = (0..9).filter(|&index| filter.admits(index, &["put"])).collect();
        assert_eq!(admitted, [3, 4, 5]);
        assert!(filter.is_active() && !Filter::default().is_active());
    }
}
