//! What the registries of both versions have in common: how joining fails, and how long to wait
//! before asking again.

use std::fmt;
use std::time::Duration;

/// Retries after which the wait gets no longer.
const DOUBLED_AT_MOST: u32 = 8;

/// Who wants to join.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The id that it will have.
    pub member_id: u64,
    /// `name=url,name=url,…`: itself, as `--initial-cluster` would name it.
    pub contents: &'a str,
    /// How many members a text like `--initial-cluster` names; `None` if it isn't one.
    pub count_members: &'a (dyn Fn(&str) -> Option<usize> + Sync),
}

/// Why nobody was joined. Texts are etcd's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A member registered something that isn't its URLs.
    InvalidUrl,
    /// As before, in the registry of the third version.
    InvalidPeerUrl,
    /// The size isn't a number above 0.
    BadSize,
    /// Nobody has said how large the cluster will be: is the token right?
    SizeNotFound,
    /// This member is registered already.
    DuplicateId,
    /// Two members registered the same name.
    DuplicateName,
    /// Enough others have registered.
    Full,
    /// The URL leads to something else.
    BadEndpoint,
    /// The registry refused for a reason of its own.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::InvalidUrl => "discovery: invalid URL",
            Error::InvalidPeerUrl => "discovery: invalid peer URL",
            Error::BadSize => "discovery: size key is bad",
            Error::SizeNotFound => "discovery: size key not found",
            Error::DuplicateId => "discovery: found duplicate id",
            Error::DuplicateName => "discovery: found duplicate name",
            Error::Full => "discovery: cluster is full",
            Error::BadEndpoint => "discovery: bad discovery endpoint",
            Error::Refused(text) => text,
        })
    }
}

impl std::error::Error for Error {}

/// Counts what failed in a row.
#[derive(Debug, Default)]
pub(crate) struct Retries(u32);

impl Retries {
    /// Waits for 2 s, 4 s, and so on up to 256 s, and says so. That is etcd's rule; it never gives
    /// up either.
    pub(crate) async fn wait(&mut self, step: &str) {
        let pause = self.next();
        tracing::warn!(
            reason = step,
            backoff = ?pause,
            "retry connecting to discovery service"
        );
        tokio::time::sleep(pause).await;
    }

    /// Something worked.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    fn next(&mut self) -> Duration {
        self.0 = (self.0 + 1).min(DOUBLED_AT_MOST);
        Duration::from_secs(1 << self.0)
    }
}

/// Reads the number of members that a cluster is to have.
pub(crate) fn parse_size(text: &str) -> Result<usize, Error> {
    text.parse().ok().filter(|size| *size > 0).ok_or(Error::BadSize)
}

/// Puts together what the first `size` members registered. No two may have the same name: they
/// would be taken for one.
pub(crate) fn cluster_of<'a>(
    contents: impl Iterator<Item = &'a str>,
    size: usize,
    candidate: &Candidate<'_>,
    invalid: Error,
) -> Result<String, Error> {
    let contents: Vec<&str> = contents.take(size).collect();
    let cluster = contents.join(",");
    match (candidate.count_members)(&cluster) {
        None => Err(invalid),
        Some(count) if count == size => Ok(cluster),
        Some(_) => Err(Error::DuplicateName),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let mut retries = Retries::default();
        let pauses: Vec<u64> = (0..10).map(|_| retries.next().as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
        retries.reset();
        assert_eq!(retries.next().as_secs(), 2);
    }

    #[test]
    fn a_size_is_a_number_above_0() {
        assert_eq!(parse_size("3"), Ok(3));
        for text in ["", "0", "-1", "x", "3 "] {
            assert_eq!(parse_size(text), Err(Error::BadSize), "{text}");
        }
    }

    #[test]
    fn a_cluster_needs_names_that_differ() {
        let names = |text: &str| {
            let names = text.split(',').map(|part| part.split_once('=').map(|(name, _)| name));
            let names: Option<std::collections::BTreeSet<&str>> = names.collect();
            names.map(|names| names.len())
        };
        let candidate = Candidate { member_id: 1, contents: "a=x", count_members: &names };
        let of = |contents: &[&'static str], size| {
            cluster_of(contents.iter().copied(), size, &candidate, Error::InvalidUrl)
        };
        assert_eq!(of(&["a=x", "b=y", "c=z"], 2), Ok("a=x,b=y".to_owned()));
        assert_eq!(of(&["a=x,a=w", "b=y"], 2), Ok("a=x,a=w,b=y".to_owned()));
        assert_eq!(of(&["a=x", "a=y"], 2), Err(Error::DuplicateName));
        assert_eq!(of(&["a=x", "b"], 2), Err(Error::InvalidUrl));
    }
}
