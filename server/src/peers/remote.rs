//! What other members answer over HTTP: who is in the cluster, and what only the leader can do.

use super::client::{Call, call};
use super::compatible::CLUSTER_ID;
use crate::flags::Url;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use std::io;
use std::time::Duration;

/// A member as another one tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RemoteMember {
    /// Its id.
    pub(crate) id: u64,
    /// Its name; empty until it has started.
    pub(crate) name: String,
    /// Where its peers reach it.
    #[serde(rename = "peerURLs")]
    pub(crate) peer_urls: Vec<String>,
    /// Where its clients reach it.
    #[serde(rename = "clientURLs")]
    pub(crate) client_urls: Vec<String>,
}

/// A cluster as one of its members tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteCluster {
    /// Its id.
    pub(crate) id: u64,
    /// Its members.
    pub(crate) members: Vec<RemoteMember>,
}

/// Asks a member who is in its cluster.
pub(crate) async fn cluster_of(url: &Url, limit: Duration) -> io::Result<RemoteCluster> {
    let Call { head, content } = call(url, get("/members"), limit).await?;
    let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if head.status != StatusCode::OK {
        return Err(malformed(&format!("it answers {}", head.status)));
    }
    let id = head.headers.get(CLUSTER_ID).and_then(|id| id.to_str().ok());
    let id = id.and_then(|id| u64::from_str_radix(id, 16).ok());
    let id = id.ok_or_else(|| malformed("it doesn't say of which cluster it is"))?;
    let members =
        serde_json::from_slice(&content).map_err(|error| malformed(&error.to_string()))?;
    Ok(RemoteCluster { id, members })
}

/// Asks a member for its versions: its own, and its cluster's.
pub(crate) async fn version_of(url: &Url, limit: Duration) -> io::Result<String> {
    #[derive(Deserialize)]
    struct Versions {
        etcdserver: String,
    }
    let content = call(url, get("/version"), limit).await?.content;
    let versions: Versions = serde_json::from_slice(&content).map_err(io::Error::other)?;
    Ok(versions.etcdserver)
}

/// The hash of a member's pairs at some revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct RemoteHash {
    /// The hash.
    pub(crate) hash: u32,
    /// What was compacted when it was made.
    pub(crate) compact_revision: i64,
}

/// Asks a member for the hash of its pairs up to `revision`; `None` if it can't tell: it isn't
/// there yet, or has compacted further.
pub(crate) async fn hash_of(
    url: &Url,
    cluster: u64,
    revision: i64,
    limit: Duration,
) -> io::Result<Option<RemoteHash>> {
    let content = serde_json::json!({ "revision": revision }).to_string();
    let mut request = Request::new(Full::new(Bytes::from(content)));
    *request.uri_mut() = http::Uri::from_static("/members/hashkv");
    let id = HeaderValue::from_str(&format!("{cluster:x}")).map_err(io::Error::other)?;
    request.headers_mut().insert(CLUSTER_ID, id);
    let Call { head, content } = call(url, request, limit).await?;
    match head.status {
        StatusCode::OK => Ok(Some(serde_json::from_slice(&content).map_err(io::Error::other)?)),
        StatusCode::BAD_REQUEST => Ok(None),
        status => Err(io::Error::other(format!("it answers {status}"))),
    }
}

/// Posts something to a member.
pub(crate) async fn post(
    url: &Url,
    path: &str,
    content_type: &'static str,
    content: Bytes,
    limit: Duration,
) -> io::Result<Call> {
    let mut request = Request::new(Full::new(content));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    let content_type = HeaderValue::from_static(content_type);
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    call(url, request, limit).await
}

fn get(path: &'static str) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.uri_mut() = http::Uri::from_static(path);
    request
}
