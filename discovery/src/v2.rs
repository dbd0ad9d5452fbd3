//! The registry of the second version: a directory in the keys of etcd's second API, over HTTP.
//!
//! The URL names the directory. `_config/size` in it holds how many members there will be, and
//! every other key what a member registered, `name=url,…`, under its id.
//!
//! 1. A candidate looks whether there is room, and creates its key. One that is there already is
//!    refused: it may have been a member, and has lost what it promised.
//! 2. It looks again: the first members by created index, as many as the size says, are the
//!    cluster. Whoever isn't among them is told that the cluster is full.
//! 3. As long as they are too few, it waits for a change and looks again.
//!
//! Looking is tried again, for ever, with pauses; each request has its limit of time, each answer
//! its limit of bytes. Creating the key isn't tried again: whether it worked can't be told from
//! what another life of this member did.

use crate::registry::{Candidate, Error, Retries, cluster_of, parse_size};
use client::{Answer, Client, Failure};
use serde::Deserialize;
use std::time::Duration;

mod client;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a change before looking anyway.
const WAIT_TIMEOUT: Duration = Duration::from_secs(300);

/// The code of an answer about a key that isn't there.
const KEY_NOT_FOUND: u32 = 100;

/// The code of an answer about a key that is there.
const NODE_EXISTS: u32 = 105;

/// Where the registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--discovery`: the directory's URL.
    pub url: String,
    /// `--discovery-proxy`: a proxy for HTTP, `host:port` or a URL.
    pub proxy: Option<String>,
}

/// A key, or a directory with its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Node {
    key: String,
    value: String,
    nodes: Vec<Node>,
    created_index: u64,
}

impl Node {
    /// The last part of the key.
    fn name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// What a key's answer holds.
#[derive(Debug, Deserialize)]
struct Content {
    node: Node,
}

/// What an answer holds that refuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Refusal {
    error_code: u32,
    message: String,
    cause: String,
    index: u64,
}

/// Joins the cluster of the URL, and waits until it has all its members. Gives what
/// `--initial-cluster` would say. Needs tokio's runtime.
///
/// # Errors
///
/// If the cluster is full or knows this member, or what the registry holds makes no cluster.
pub async fn join(settings: &Settings, candidate: Candidate<'_>) -> Result<String, Error> {
    let mut registry = Registry {
        client: Client::new(settings)?,
        url: settings.url.clone(),
        own_name: format!("{:x}", candidate.member_id),
        retries: Retries::default(),
    };
    registry.look_for_room().await?;
    let created_index = registry.create(candidate.contents).await?;
    registry.wait_for_itself(created_index).await;
    let mut found = 0;
    loop {
        let Look { members, size, index } = registry.look_for_room().await?;
        if members.len() >= size {
            let contents = members.iter().map(|member| member.value.as_str());
            registry.tell(size, "found all needed peers from discovery server");
            return cluster_of(contents, size, &candidate, Error::InvalidUrl);
        }
        let is_news = members.len() > found;
        found = members.len();
        registry.tell(found, "found peers from discovery server; waiting for more");
        registry.wait_for_change(index + 1, is_news).await;
    }
}

struct Registry {
    client: Client,
    url: String,
    own_name: String,
    retries: Retries,
}

/// What the registry says at one index.
struct Look {
    members: Vec<Node>,
    size: usize,
    index: u64,
}

impl Registry {
    fn tell(&self, found: usize, what: &str) {
        let url = self.url.as_str();
        tracing::info!("discovery-url" = url, "found-peers" = found, "{what}");
    }

    /// Who has registered, in the order in which they did. Fails if there is no room for this one.
    async fn look_for_room(&mut self) -> Result<Look, Error> {
        loop {
            match self.look().await {
                Ok(look) => {
                    self.retries.reset();
                    check_room(&look.members, look.size, &self.own_name)?;
                    return Ok(look);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(failed)) => {
                    let (url, error) = (self.url.as_str(), failed.as_str());
                    tracing::warn!(
                        "discovery-url" = url,
                        error,
                        "failed to get from discovery server"
                    );
                    self.retries.wait("cluster status check").await;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<Look, Failure> {
        let query = "quorum=false&recursive=false&sorted=false";
        let answer = self.client.get("/_config/size", query, REQUEST_TIMEOUT).await?;
        let size = match content(&answer) {
            Ok(node) => parse_size(&node.value).map_err(Failure::Final)?,
            Err(Refused::Malformed) => return Err(Failure::Final(Error::BadEndpoint)),
            Err(Refused::By(refusal)) if refusal.error_code == KEY_NOT_FOUND => {
                return Err(Failure::Final(Error::SizeNotFound));
            }
            Err(refused) => return Err(Failure::Final(refused.into())),
        };
        let answer = self.client.get("", query, REQUEST_TIMEOUT).await?;
        let directory = content(&answer).map_err(|refused| Failure::Final(refused.into()))?;
        let mut members = directory.nodes;
        members.retain(|member| member.name() != "_config");
        members.sort_by_key(|member| member.created_index);
        Ok(Look { members, size, index: answer.index })
    }

    /// Creates this member's key; gives its created index.
    async fn create(&mut self, contents: &str) -> Result<u64, Error> {
        let path = format!("/{}", self.own_name);
        let created = self.client.create(&path, contents, REQUEST_TIMEOUT).await;
        let answer = created.map_err(|failure| match failure {
            Failure::Final(error) => error,
            Failure::Passing(text) => Error::Refused(text),
        })?;
        match content(&answer) {
            Ok(node) => Ok(node.created_index),
            Err(Refused::By(refusal)) if refusal.error_code == NODE_EXISTS => {
                Err(Error::DuplicateId)
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Behind the URL there may be several servers, of which some know of the key a little later.
    async fn wait_for_itself(&mut self, created_index: u64) {
        let path = format!("/{}", self.own_name);
        let query = format!("recursive=false&wait=true&waitIndex={created_index}");
        // If it takes long, the next look tells more.
        let _ = self.client.get(&path, &query, REQUEST_TIMEOUT).await;
    }

    /// Waits until something changes at `index` or later. If there was no news the last time, it
    /// pauses before: not every server that calls itself one waits.
    async fn wait_for_change(&mut self, index: u64, is_news: bool) {
        if !is_news {
            self.retries.wait("waiting for other nodes").await;
        }
        let query = format!("recursive=true&wait=true&waitIndex={index}");
        if let Err(Failure::Passing(error)) = self.client.get("", &query, WAIT_TIMEOUT).await {
            let (url, error) = (self.url.as_str(), error.as_str());
            tracing::warn!("discovery-url" = url, error, "error while waiting for peers");
        }
    }
}

/// Why an answer has no node.
#[derive(Debug)]
enum Refused {
    /// The registry says why.
    By(Refusal),
    /// It isn't what a registry answers.
    Malformed,
}

impl From<Refused> for Error {
    /// The words are those of etcd's own client.
    fn from(refused: Refused) -> Error {
        match refused {
            Refused::By(Refusal { error_code, message, cause, index }) => {
                Error::Refused(format!("{error_code}: {message} ({cause}) [{index}]"))
            }
            Refused::Malformed => Error::Refused("client: response is invalid json".to_owned()),
        }
    }
}

fn content(answer: &Answer) -> Result<Node, Refused> {
    if answer.is_success {
        let content = serde_json::from_slice::<Content>(&answer.body);
        return content.map(|content| content.node).map_err(|_| Refused::Malformed);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(refusal) => Err(Refused::By(refusal)),
        Err(_) => Err(Refused::Malformed),
    }
}

/// Whether this member is among the first ones, or can still become one.
fn check_room(members: &[Node], size: usize, own_name: &str) -> Result<(), Error> {
    let mut first = members.iter().take(size);
    match members.len() < size || first.any(|member| member.name() == own_name) {
        true => Ok(()),
        false => Err(Error::Full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(is_success: bool, body: &str) -> Answer {
        Answer { is_success, index: 0, body: body.to_owned().into() }
    }

    #[test]
    fn a_directory_is_read_as_etcd_writes_it() {
        let text = r#"{"action":"get","node":{"key":"/_etcd/registry/t","dir":true,"nodes":[
            {"key":"/_etcd/registry/t/b","value":"b=http://x","modifiedIndex":9,"createdIndex":9},
            {"key":"/_etcd/registry/t/a","value":"a=http://y","modifiedIndex":7,"createdIndex":7}
            ],"modifiedIndex":5,"createdIndex":5}}"#;
        let node = content(&answer(true, text)).expect("a directory");
        let names: Vec<&str> = node.nodes.iter().map(Node::name).collect();
        assert_eq!((names.as_slice(), node.nodes[1].created_index), (&["b", "a"][..], 7));
        assert_eq!(check_room(&node.nodes, 2, "a"), Ok(()));
        assert_eq!(check_room(&node.nodes, 3, "c"), Ok(()));
        assert_eq!(check_room(&node.nodes, 2, "c"), Err(Error::Full));
    }

    #[test]
    fn refusals_read_as_in_etcd() {
        let text = r#"{"errorCode":105,"message":"Key already exists","cause":"/t/a","index":8}"#;
        let refused = content(&answer(false, text)).expect_err("refused");
        let text = Error::from(refused).to_string();
        assert_eq!(text, "105: Key already exists (/t/a) [8]");
        let refused = content(&answer(true, "<html>")).expect_err("not JSON");
        assert_eq!(Error::from(refused).to_string(), "client: response is invalid json");
    }
}
