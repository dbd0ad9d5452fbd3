//! What a connection on the peer port talks to: raft's streams and posts, and the pages for
//! members. Paths, status codes and texts are etcd's.

use super::compatible::{self, CLUSTER_ID, PEER_URLS, RAFT_TO, SERVER_VERSION};
use super::peer::Stream;
use super::registry::Peers;
use crate::http::Pages;
use crate::member::Member;
use crate::net::Answerer;
use crate::version;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use prost::Message as _;
use retcd_api::raftpb::Message;
use retcd_raft_glue::wire::FRAME_BYTES_MAX;
use serde_json::json;
use std::sync::Arc;
use tonic::body::Body;

/// The peer port.
pub(crate) struct PeerSite {
    /// The member that is asked.
    pub(crate) member: Arc<Member>,
    /// Its peers.
    pub(crate) peers: Arc<Peers>,
    /// What members ask for besides.
    pub(crate) pages: Pages,
}

pub(super) type Answer = Response<Body>;

impl Answerer for PeerSite {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/raft" => self.take_post(request).await,
            "/raft/snapshot" => self.take_snapshot(request).await,
            "/raft/probing" => probed(),
            "/members" => self.members(&request),
            "/members/hashkv" => self.answer_hash(request).await,
            "/leases" => self.answer_renewal(request).await,
            "/leases/internal" => self.answer_remaining(request).await,
            path => {
                if let Some(rest) = path.strip_prefix("/raft/stream/") {
                    return self.open_stream(rest, &request);
                }
                if let Some(id) = path.strip_prefix("/members/promote/") {
                    return self.answer_promotion(id, request.method()).await;
                }
                self.pages.answer(&request.map(|_| ())).await.map(Body::new)
            }
        }
    }
}

impl PeerSite {
    /// A message that was posted.
    async fn take_post(&self, request: Request<Incoming>) -> Answer {
        if let Some(refusal) = self.refuse(&request, Method::POST) {
            return refusal;
        }
        let (head, body) = request.into_parts();
        if let Some(from) = id_in(&head.headers, compatible::SERVER_FROM) {
            self.meet(from, &head.headers);
        }
        let Ok(content) = Limited::new(body, FRAME_BYTES_MAX as usize).collect().await else {
            return self.error(StatusCode::BAD_REQUEST, "error reading raft message");
        };
        let content = content.to_bytes();
        let len = content.len();
        let Ok(message) = Message::decode(content) else {
            return self.error(StatusCode::BAD_REQUEST, "error unmarshalling raft message");
        };
        self.peers.received(message.from, len);
        if self.member.store.is_removed_member(message.from) {
            let text = "cannot process message from removed member";
            return self.error(StatusCode::FORBIDDEN, text);
        }
        if message.to != self.peers.local().member {
            let text = "cannot process message to mismatch member";
            return self.error(StatusCode::FORBIDDEN, text);
        }
        self.peers.deliver(message).await;
        let mut answer = Response::new(Body::default());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        self.mark(&mut answer);
        answer
    }

    /// A peer dials a stream: `rest` is what follows `/raft/stream/`.
    fn open_stream(&self, rest: &str, request: &Request<Incoming>) -> Answer {
        let versioned = |mut answer: Answer| {
            let version = HeaderValue::from_static(version::ETCD);
            answer.headers_mut().insert(SERVER_VERSION, version);
            answer
        };
        if let Some(refusal) = self.refuse(request, Method::GET) {
            return versioned(refusal);
        }
        let error = |status, text: &str| versioned(self.error(status, text));
        let (stream, from) = match rest.split_once('/') {
            Some(("msgapp", from)) => (Stream::Append, from),
            Some(("message", from)) => (Stream::Message, from),
            _ => return error(StatusCode::NOT_FOUND, "invalid path"),
        };
        let Ok(from) = u64::from_str_radix(from, 16) else {
            return error(StatusCode::NOT_FOUND, "invalid from");
        };
        if self.member.store.is_removed_member(from) {
            return error(StatusCode::GONE, "removed member");
        }
        let to = id_in(request.headers(), RAFT_TO);
        if to != Some(self.peers.local().member) {
            return error(StatusCode::PRECONDITION_FAILED, "to field mismatch");
        }
        let Some(body) = self.peers.attach(from, stream) else {
            self.meet(from, request.headers());
            return error(StatusCode::NOT_FOUND, "error sender not found");
        };
        let mut answer = Response::new(Body::new(body));
        self.mark(&mut answer);
        versioned(answer)
    }

    /// All members, as they are stored.
    fn members(&self, request: &Request<Incoming>) -> Answer {
        match *request.method() == Method::GET {
            true => self.members_page(),
            false => self.wrong_method(Method::GET),
        }
    }

    pub(super) fn members_page(&self) -> Answer {
        let members: Vec<_> = self.member.store.members().iter().map(member_json).collect();
        self.json(&members.into())
    }

    pub(super) fn json(&self, value: &serde_json::Value) -> Answer {
        let text = value.to_string() + "\n";
        let mut answer = Response::new(Body::new(Full::new(Bytes::from(text))));
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        self.mark(&mut answer);
        answer
    }

    /// Somebody who isn't known speaks: if it says where it is, it can be answered.
    fn meet(&self, from: u64, headers: &HeaderMap) {
        let urls = headers.get(PEER_URLS).and_then(|urls| urls.to_str().ok());
        if let Some(urls) = urls.filter(|urls| !urls.is_empty()) {
            let urls: Vec<String> = urls.split(',').map(str::to_owned).collect();
            self.peers.add_remote(from, &urls);
        }
    }

    pub(super) fn refuse(&self, request: &Request<Incoming>, method: Method) -> Option<Answer> {
        if *request.method() != method {
            return Some(self.wrong_method(method));
        }
        let checked = compatible::check(request.headers(), self.peers.local().cluster);
        let mismatch = checked.err()?;
        Some(self.error(StatusCode::PRECONDITION_FAILED, mismatch.text()))
    }

    pub(super) fn wrong_method(&self, right: Method) -> Answer {
        let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        if let Ok(right) = HeaderValue::from_str(right.as_str()) {
            answer.headers_mut().insert(header::ALLOW, right);
        }
        answer
    }

    pub(super) fn error(&self, status: StatusCode, text: &str) -> Answer {
        let mut answer = error(status, text);
        self.mark(&mut answer);
        answer
    }

    /// Says of which cluster the answer is.
    pub(super) fn mark(&self, answer: &mut Answer) {
        let id = format!("{:x}", self.peers.local().cluster);
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert(CLUSTER_ID, id);
        }
    }
}

fn error(status: StatusCode, text: &str) -> Answer {
    let mut answer = Response::new(Body::new(Full::new(Bytes::from(format!("{text}\n")))));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    let nosniff = HeaderValue::from_static("nosniff");
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    answer
}

/// The answer to a probe: how long it took says how far away this member is.
fn probed() -> Answer {
    let text = json!({ "OK": true }).to_string() + "\n";
    Response::new(Body::new(Full::new(Bytes::from(text))))
}

fn member_json(member: &retcd_api::etcdserverpb::Member) -> serde_json::Value {
    let mut value = json!({ "id": member.id, "peerURLs": member.peer_ur_ls });
    if member.is_learner {
        value["isLearner"] = true.into();
    }
    if !member.name.is_empty() {
        value["name"] = member.name.clone().into();
    }
    if !member.client_ur_ls.is_empty() {
        value["clientURLs"] = member.client_ur_ls.clone().into();
    }
    value
}

pub(super) fn id_in(headers: &HeaderMap, name: &str) -> Option<u64> {
    u64::from_str_radix(headers.get(name)?.to_str().ok()?, 16).ok()
}
