//! Keys and ranges of keys, as arguments and flags name them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use bytes::Bytes;

use crate::failure::{Failure, Outcome};

/// The smallest key; as a range's end it means that there is none.
const ZERO: &[u8] = b"\0";

/// The keys from `key` up to `end`, that one excluded; `key` alone if `end` is empty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KeyRange {
    pub(super) key: Bytes,
    pub(super) end: Bytes,
}

/// How the flags say which keys are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Selection {
    /// One key, or all up to a second argument.
    Arguments,
    /// All that begin with the key.
    Prefix,
    /// The key and all behind it.
    FromKey,
}

impl Selection {
    /// What the two flags say.
    pub(super) fn new(prefix: bool, from_key: bool) -> Outcome<Self> {
        match (prefix, from_key) {
            (false, false) => Ok(Self::Arguments),
            (true, false) => Ok(Self::Prefix),
            (false, true) => Ok(Self::FromKey),
            (true, true) => Err(Failure::bad_arguments(
                "`--prefix` and `--from-key` cannot be set at the same time, choose one",
            )),
        }
    }

    /// The keys that are meant. A third argument is ignored.
    pub(super) fn range(self, key: &OsStr, rest: &[OsString]) -> Outcome<KeyRange> {
        if self != Self::Arguments && !rest.is_empty() {
            return Err(Failure::bad_arguments(
                "too many arguments, only accept one argument when `--prefix` or `--from-key` \
                 is set",
            ));
        }
        let key = bytes(key);
        Ok(match self {
            Self::Arguments => {
                KeyRange { key, end: rest.first().map(|end| bytes(end)).unwrap_or_default() }
            }
            Self::Prefix => prefix(key),
            Self::FromKey => KeyRange { key: or_zero(key), end: Bytes::from_static(ZERO) },
        })
    }
}

/// All keys that begin with `key`.
pub(super) fn prefix(key: Bytes) -> KeyRange {
    if key.is_empty() {
        return KeyRange { key: Bytes::from_static(ZERO), end: Bytes::from_static(ZERO) };
    }
    // The smallest key behind them ends with the last byte that can be made larger.
    let end = match key.iter().rposition(|byte| *byte < u8::MAX) {
        Some(last) => {
            let mut end = key[..=last].to_vec();
            end[last] += 1;
            end.into()
        }
        None => Bytes::from_static(ZERO),
    };
    KeyRange { key, end }
}

fn or_zero(key: Bytes) -> Bytes {
    if key.is_empty() { Bytes::from_static(ZERO) } else { key }
}

/// An argument's bytes, which needn't be text.
pub(super) fn bytes(argument: &OsStr) -> Bytes {
    Bytes::copy_from_slice(argument.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_behind_their_last_key() {
        let end = |key: &'static [u8]| prefix(Bytes::from_static(key)).end;
        assert_eq!(end(b"k"), &b"l"[..]);
        assert_eq!(end(b"k\xff"), &b"l"[..]);
        assert_eq!(end(b"\xff\xff"), ZERO);
        assert_eq!(prefix(Bytes::new()).key, ZERO);
    }

    #[test]
    fn an_empty_key_with_a_flag_means_all_keys() {
        for selection in [Selection::Prefix, Selection::FromKey] {
            let range = selection.range(OsStr::new(""), &[]).expect("one argument is enough");
            assert_eq!((&range.key[..], &range.end[..]), (ZERO, ZERO));
        }
        let range = Selection::Arguments.range(OsStr::new(""), &[]).expect("one is enough");
        assert!(range.key.is_empty() && range.end.is_empty());
    }

    #[test]
    fn flags_and_a_range_end_exclude_each_other() {
        assert!(Selection::new(true, true).is_err());
        assert!(Selection::Prefix.range(OsStr::new("a"), &["b".into()]).is_err());
    }
}
