//! The keys that a watch request asks for.

use bytes::Bytes;
use retcd_api::etcdserverpb::WatchCreateRequest;

/// Where a span of keys ends. An open end is above every key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    /// Below this key.
    Before(Bytes),
    /// Nowhere.
    Open,
}

impl End {
    /// Whether `key` lies before this end.
    pub(super) fn is_above(&self, key: &[u8]) -> bool {
        match self {
            End::Before(end) => key < end.as_ref(),
            End::Open => true,
        }
    }
}

/// The keys that a watcher is told about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WatchRange {
    /// One key.
    Key(Bytes),
    /// All keys from `start` on, before `end` if there is one.
    Span {
        /// First key.
        start: Bytes,
        /// Key after the last one; `None` for all keys from `start` on.
        end: Option<Bytes>,
    },
}

/// The request's range end isn't above its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyRange;

impl std::fmt::Display for EmptyRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("mvcc: watcher range is empty")
    }
}

impl std::error::Error for EmptyRange {}

const ZERO_KEY: &[u8] = b"\0";

impl WatchRange {
    /// Reads key and range end of a request as etcd does: an empty key is the key `\0`, the range
    /// end `\0` is open, an empty one means a single key.
    ///
    /// The server checks permissions on what this returns, not on the request's fields: an open end
    /// must not pass for a single key.
    pub fn of(request: &WatchCreateRequest) -> Result<WatchRange, EmptyRange> {
        let key =
            if request.key.is_empty() { Bytes::from_static(ZERO_KEY) } else { request.key.clone() };
        let range_end = &request.range_end;
        if range_end.is_empty() {
            Ok(WatchRange::Key(key))
        } else if range_end.as_ref() == ZERO_KEY {
            Ok(WatchRange::Span { start: key, end: None })
        } else if key >= range_end {
            Err(EmptyRange)
        } else {
            Ok(WatchRange::Span { start: key, end: Some(range_end.clone()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(key: &'static [u8], range_end: &'static [u8]) -> Result<WatchRange, EmptyRange> {
        WatchRange::of(&WatchCreateRequest {
            key: Bytes::from_static(key),
            range_end: Bytes::from_static(range_end),
            ..WatchCreateRequest::default()
        })
    }

    fn span(start: &'static [u8], end: Option<&'static [u8]>) -> WatchRange {
        WatchRange::Span { start: Bytes::from_static(start), end: end.map(Bytes::from_static) }
    }

    #[test]
    fn requests_read_as_etcd_reads_them() {
        assert_eq!(range(b"a", b""), Ok(WatchRange::Key("a".into())));
        assert_eq!(range(b"", b""), Ok(WatchRange::Key("\0".into())));
        assert_eq!(range(b"a", b"b"), Ok(span(b"a", Some(b"b"))));
        assert_eq!(range(b"a", b"\0"), Ok(span(b"a", None)));
        assert_eq!(range(b"", b"\0"), Ok(span(b"\0", None)));
        assert_eq!(range(b"", b"b"), Ok(span(b"\0", Some(b"b"))));
        assert_eq!(range(b"a", b"a"), Err(EmptyRange));
        assert_eq!(range(b"b", b"a"), Err(EmptyRange));
    }

    #[test]
    fn an_open_end_is_the_greatest() {
        assert!(End::Before(Bytes::from_static(b"\xff\xff")) < End::Open);
        assert!(End::Open.is_above(b"\xff"));
        assert!(!End::Before(Bytes::from_static(b"b")).is_above(b"b"));
    }
}
