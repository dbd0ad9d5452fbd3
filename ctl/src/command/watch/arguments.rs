//! What is to be watched: arguments, or variables that stand for them.

use std::ffi::OsString;

use retcd_api::etcdserverpb::WatchCreateRequest;

use super::Watch;
use crate::cli::Environment;
use crate::command::keys::{KeyRange, bytes, prefix};
use crate::failure::{Failure, Outcome};
use crate::go::quote;

/// `ETCDCTL_WATCH_KEY` and `ETCDCTL_WATCH_RANGE_END`.
pub(super) struct KeyVariables(Vec<OsString>);

impl KeyVariables {
    /// # Errors
    ///
    /// There is an end of a range without a key.
    pub(super) fn of(environment: &mut Environment) -> Outcome<Self> {
        let variables =
            ["ETCDCTL_WATCH_KEY", "ETCDCTL_WATCH_RANGE_END"].map(|name| environment.take(name));
        if let [None, Some(end)] = &variables {
            let end = quote(end.as_encoded_bytes());
            return Err(Failure::bad_arguments(format!(
                "ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END={end}"
            )));
        }
        Ok(Self(variables.into_iter().flatten().collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a line asks for no watch.
#[derive(Debug, PartialEq)]
pub(super) enum Mistake {
    /// Its arguments are too many or too few: even when lines are read, this is the end.
    Line(&'static str),
    /// It asks for what no watch can be.
    Watch(&'static str),
}

impl Mistake {
    /// In etcd's words.
    pub(super) fn text(&self) -> &'static str {
        match self {
            Self::Line(text) | Self::Watch(text) => text,
        }
    }
}

impl Watch {
    /// The request that arguments, flags and variables make. `has_bare_separator` tells that the
    /// line ends with `--`.
    pub(super) fn request(
        &self,
        variables: &KeyVariables,
        has_bare_separator: bool,
    ) -> Result<WatchCreateRequest, Mistake> {
        if has_bare_separator {
            return Err(Mistake::Line(
                "bad number of arguments (found separator --, but no commands)",
            ));
        }
        if !variables.is_empty() && !self.args.is_empty() {
            return Err(Mistake::Line(
                "bad number of arguments (found conflicting environment key)",
            ));
        }
        let arguments = if self.args.is_empty() { &variables.0 } else { &self.args };
        let range = self.range(arguments)?;
        Ok(WatchCreateRequest {
            key: range.key,
            range_end: range.end,
            start_revision: self.rev,
            progress_notify: self.progress_notify,
            prev_kv: self.prev_kv,
            ..WatchCreateRequest::default()
        })
    }

    /// A third argument makes etcd ignore the second one, too.
    fn range(&self, arguments: &[OsString]) -> Result<KeyRange, Mistake> {
        match arguments {
            [] if self.program.is_empty() => Err(Mistake::Line("bad number of arguments")),
            [] => Err(Mistake::Watch("bad number of arguments")),
            [_, _] if self.prefix => {
                Err(Mistake::Watch("`range_end` and `--prefix` are mutually exclusive"))
            }
            [key, end] => Ok(KeyRange { key: bytes(key), end: bytes(end) }),
            [key, ..] if self.prefix => Ok(prefix(bytes(key))),
            [key, ..] => Ok(KeyRange { key: bytes(key), end: bytes::Bytes::new() }),
        }
    }
}
