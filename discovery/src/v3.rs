//! The registry of the third version: keys of an etcd cluster that runs already.
//!
//! Under `/_etcd/registry/TOKEN/`, `_config/size` holds how many members there will be, and
//! `members/ID` what each one registered, `name=url,…`.
//!
//! 1. A candidate looks whether there is room, and puts its key.
//! 2. It looks again: the first members by create revision, as many as the size says, are the
//!    cluster. Whoever isn't among them is told that the cluster is full.
//! 3. As long as they are too few, it watches for more.
//!
//! Whoever comes again with the same id puts its key again and takes its old place. What fails is
//! tried again, for ever, with pauses; each request has its limit of time.

use crate::registry::{Candidate, Error, Retries, cluster_of, parse_size};
use client::Client;
use std::time::Duration;
use tonic::Code;

mod client;

/// Where the registry is and how to talk to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `--discovery-endpoints`: `host:port` or `http://host:port`.
    pub endpoints: Vec<String>,
    /// `--discovery-token`: which cluster is meant.
    pub token: String,
    /// `--discovery-dial-timeout`.
    pub dial_timeout: Duration,
    /// `--discovery-request-timeout`.
    pub request_timeout: Duration,
    /// `--discovery-keepalive-time`.
    pub keepalive_time: Duration,
    /// `--discovery-keepalive-timeout`.
    pub keepalive_timeout: Duration,
    /// `--discovery-user` and `--discovery-password`.
    pub user: Option<User>,
}

/// Who asks, where the registry demands authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Settings {
    /// Leaves the password out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoints", &self.endpoints)
            .field("token", &self.token)
            .field("user", &self.user.as_ref().map(|user| &user.name))
            .finish_non_exhaustive()
    }
}

/// A member that has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Registered {
    key: String,
    contents: String,
    create_revision: i64,
}

/// Joins the cluster of the token, and waits until it has all its members. Gives what
/// `--initial-cluster` would say. Needs tokio's runtime.
///
/// # Errors
///
/// If the cluster is full, or what the registry holds makes no cluster.
pub async fn join(settings: &Settings, candidate: Candidate<'_>) -> Result<String, Error> {
    let mut registry = Registry {
        client: Client::new(settings)?,
        prefix: format!("/_etcd/registry/{}", settings.token),
        own_key: format!("/_etcd/registry/{}/members/{:x}", settings.token, candidate.member_id),
        retries: Retries::default(),
    };
    let joined = registry.join(&candidate).await;
    let (token, endpoints) = (settings.token.as_str(), settings.endpoints.join(","));
    match &joined {
        Ok(cluster) => tracing::info!(
            "discovery-token" = token,
            "discovery-endpoints" = endpoints.as_str(),
            cluster = cluster.as_str(),
            "discovery joined cluster successfully"
        ),
        Err(error) => tracing::error!(
            "discovery-token" = token,
            "discovery-endpoints" = endpoints.as_str(),
            %error,
            "discovery failed to join cluster"
        ),
    }
    joined
}

struct Registry {
    client: Client,
    prefix: String,
    own_key: String,
    retries: Retries,
}

/// What the registry says at one revision.
struct Look {
    members: Vec<Registered>,
    size: usize,
    revision: i64,
}

impl Registry {
    async fn join(&mut self, candidate: &Candidate<'_>) -> Result<String, Error> {
        self.look_for_room().await?;
        self.register(candidate.contents).await?;
        loop {
            let Look { members, size, revision } = self.look_for_room().await?;
            if members.len() >= size {
                let contents = members.iter().map(|member| member.contents.as_str());
                tracing::info!(size, "found all needed peers from discovery service");
                return cluster_of(contents, size, candidate, Error::InvalidPeerUrl);
            }
            let found = members.len();
            tracing::info!(
                "clusterSize" = size,
                "found-peers" = found,
                "waiting for peers from discovery service"
            );
            let members = format!("{}/members/", self.prefix);
            if let Err(failed) = self.client.wait_for_change(&members, revision + 1).await {
                tracing::warn!(error = failed.message(), "failed to wait for peers");
                self.retries.wait("waiting for other members").await;
            }
        }
    }

    /// Who has registered. Fails if there is no room for this member.
    async fn look_for_room(&mut self) -> Result<Look, Error> {
        loop {
            match self.look().await {
                Ok(look) => {
                    self.retries.reset();
                    let look = look?;
                    check_room(&look.members, look.size, &self.own_key)?;
                    return Ok(look);
                }
                Err(failed) => {
                    check_final(&failed)?;
                    tracing::warn!(
                        error = failed.message(),
                        "failed to get cluster members from discovery service"
                    );
                    self.retries.wait("cluster status check").await;
                }
            }
        }
    }

    /// The outer error is worth another attempt.
    async fn look(&mut self) -> Result<Result<Look, Error>, tonic::Status> {
        let size_key = format!("{}/_config/size", self.prefix);
        let found = self.client.range(&size_key, false).await?;
        let Some(size) = found.kvs.first() else {
            return Ok(Err(Error::SizeNotFound));
        };
        let size = match parse_size(&String::from_utf8_lossy(&size.value)) {
            Ok(size) => size,
            Err(bad) => return Ok(Err(bad)),
        };
        let found = self.client.range(&format!("{}/members/", self.prefix), true).await?;
        let mut members = Vec::new();
        for kv in found.kvs {
            let key = String::from_utf8_lossy(&kv.key).trim().to_owned();
            let contents = String::from_utf8_lossy(&kv.value).trim().to_owned();
            let (key_text, contents_text) = (key.as_str(), contents.as_str());
            if contents.contains('=') {
                tracing::info!(
                    "memberKey" = key_text,
                    "memberInfo" = contents_text,
                    "found peer from discovery service"
                );
                members.push(Registered { key, contents, create_revision: kv.create_revision });
            } else {
                tracing::warn!(
                    "memberKey" = key_text,
                    "memberInfo" = contents_text,
                    "invalid peer info returned from discovery service"
                );
            }
        }
        members.sort_by_key(|member| member.create_revision);
        let revision = found.header.map_or(0, |header| header.revision);
        Ok(Ok(Look { members, size, revision }))
    }

    async fn register(&mut self, contents: &str) -> Result<(), Error> {
        loop {
            match self.client.put(&self.own_key, contents).await {
                Ok(()) => {
                    self.retries.reset();
                    tracing::info!(
                        "memberKey" = self.own_key.as_str(),
                        "memberInfo" = contents,
                        "register member itself successfully"
                    );
                    return Ok(());
                }
                Err(failed) => {
                    check_final(&failed)?;
                    tracing::warn!(
                        "memberKey" = self.own_key.as_str(),
                        error = failed.message(),
                        "failed to register members itself to the discovery service"
                    );
                    self.retries.wait("register member itself").await;
                }
            }
        }
    }
}

/// Fails if it makes no sense to ask again: the user or the password is wrong, or may too little.
fn check_final(status: &tonic::Status) -> Result<(), Error> {
    match status.code() {
        Code::InvalidArgument | Code::PermissionDenied => {
            Err(Error::Refused(status.message().to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether this member is among the first ones, or can still become one. `members` are in the order
/// in which they came.
fn check_room(members: &[Registered], size: usize, own_key: &str) -> Result<(), Error> {
    let mut first = members.iter().take(size);
    match members.len() < size || first.any(|member| member.key == own_key) {
        true => Ok(()),
        false => Err(Error::Full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_first_and_nobody_else() {
        let members: Vec<Registered> = ["a", "b", "c"]
            .into_iter()
            .zip(1..)
            .map(|(key, create_revision)| Registered {
                key: key.to_owned(),
                contents: format!("{key}=url"),
                create_revision,
            })
            .collect();
        let of = |size, own: &str| check_room(&members, size, own);
        assert_eq!(of(4, "d"), Ok(()));
        assert_eq!(of(3, "d"), Err(Error::Full));
        assert_eq!(of(3, "c"), Ok(()));
        // Two put their keys at the same time; the later one lost.
        assert_eq!(of(2, "c"), Err(Error::Full));
        assert_eq!(of(2, "b"), Ok(()));
        assert_eq!(check_room(&[], 1, "a"), Ok(()));
    }
}
