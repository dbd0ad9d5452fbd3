//! What members ask each other besides raft: promotions and leases, which only the leader knows
//! about.

use super::compatible::{CLUSTER_ID, Mismatch};
use super::site::PeerSite;
use super::site::id_in;
use crate::rpc::{blocking, promote, remaining, renew_here};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use prost::Message;
use retcd_api::Error;
use retcd_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse};
use retcd_api::leasepb::{LeaseInternalRequest, LeaseInternalResponse};
use tonic::body::Body;

/// Most bytes of a request: it names a lease.
const REQUEST_BYTES_MAX: usize = 4096;

impl PeerSite {
    /// `POST /members/promote/ID`.
    pub(super) async fn answer_promotion(&self, id: &str, method: &Method) -> Response<Body> {
        if *method != Method::POST {
            return self.wrong_method(Method::POST);
        }
        let Ok(id) = id.parse() else {
            let text = format!("member {id} not found in cluster");
            return self.error(StatusCode::NOT_FOUND, &text);
        };
        match promote(&self.member, id).await {
            Ok(_) => self.members_page(),
            Err(Error::MemberNotFound) => {
                self.error(StatusCode::NOT_FOUND, "membership: ID not found")
            }
            Err(Error::MemberNotLearner) => {
                let text = "membership: can only promote a learner member";
                self.error(StatusCode::PRECONDITION_FAILED, text)
            }
            Err(error @ Error::LearnerNotReady) => {
                self.error(StatusCode::PRECONDITION_FAILED, error.message())
            }
            Err(error) => self.error(StatusCode::INTERNAL_SERVER_ERROR, error.message()),
        }
    }

    /// `POST /leases`: renews a lease.
    pub(super) async fn answer_renewal(&self, request: Request<Incoming>) -> Response<Body> {
        let request: LeaseKeepAliveRequest = match self.read(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        if let Err(error) = self.catch_up().await {
            return self.error(StatusCode::REQUEST_TIMEOUT, &error);
        }
        let header = Some(self.member.current_header());
        match renew_here(&self.member, request.id) {
            Ok(ttl) => protobuf(&LeaseKeepAliveResponse { header, id: request.id, ttl }),
            Err(error) => self.lease_error(&error),
        }
    }

    /// `POST /leases/internal`: what a lease has left.
    pub(super) async fn answer_remaining(&self, request: Request<Incoming>) -> Response<Body> {
        let request: LeaseInternalRequest = match self.read(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        if let Err(error) = self.catch_up().await {
            return self.error(StatusCode::REQUEST_TIMEOUT, &error);
        }
        let asked = request.lease_time_to_live_request.unwrap_or_default();
        match remaining(&self.member, &asked).await {
            Ok(response) if response.ttl < 0 => self.lease_error(&Error::LeaseNotFound),
            Ok(response) => {
                let lease_time_to_live_response = Some(response);
                protobuf(&LeaseInternalResponse { lease_time_to_live_response })
            }
            Err(error) => self.lease_error(&error),
        }
    }

    /// `GET /members/hashkv`: the hash of all pairs up to a revision.
    pub(super) async fn answer_hash(&self, request: Request<Incoming>) -> Response<Body> {
        #[derive(serde::Deserialize)]
        struct Asked {
            revision: i64,
        }
        if *request.method() != Method::GET {
            return self.wrong_method(Method::GET);
        }
        let of_other = id_in(request.headers(), CLUSTER_ID)
            .is_some_and(|cluster| cluster != self.peers.local().cluster);
        if of_other {
            let text = Mismatch::Cluster.text();
            return self.error(StatusCode::PRECONDITION_FAILED, text);
        }
        let content = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
        let content = content.map(|content| content.to_bytes()).unwrap_or_default();
        let Ok(Asked { revision }) = serde_json::from_slice(&content) else {
            return self.error(StatusCode::BAD_REQUEST, "error unmarshalling request");
        };
        let store = self.member.store.clone();
        let hash = match blocking(move || store.hash_kv(revision)).await {
            Ok(hash) => self.member.checked(hash),
            Err(error) => Err(error),
        };
        match hash {
            Ok(hash) => self.json(&serde_json::json!({
                "header": { "revision": hash.current_revision },
                "hash": hash.hash,
                "compact_revision": hash.compact_revision,
                "hash_revision": hash.hash_revision,
            })),
            Err(error) => self.error(StatusCode::BAD_REQUEST, error.message()),
        }
    }

    /// Waits until what was committed is applied: a lease that was just granted is known then.
    async fn catch_up(&self) -> Result<(), String> {
        let text = "waiting for node to catch up its applied index has timed out";
        self.member.linearizable().await.map_err(|_| text.to_owned())
    }

    fn lease_error(&self, error: &Error) -> Response<Body> {
        match error {
            Error::LeaseNotFound => self.error(StatusCode::NOT_FOUND, "lease not found"),
            error => self.error(StatusCode::BAD_REQUEST, error.message()),
        }
    }

    async fn read<M: Message + Default>(
        &self,
        request: Request<Incoming>,
    ) -> Result<M, Response<Body>> {
        if *request.method() != Method::POST {
            return Err(self.wrong_method(Method::POST));
        }
        let content = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
        let content =
            content.map_err(|_| self.error(StatusCode::BAD_REQUEST, "error reading body"))?;
        M::decode(content.to_bytes())
            .map_err(|_| self.error(StatusCode::BAD_REQUEST, "error unmarshalling request"))
    }
}

fn protobuf(message: &impl Message) -> Response<Body> {
    let content = Bytes::from(message.encode_to_vec());
    let mut answer = Response::new(Body::new(Full::new(content)));
    let kind = HeaderValue::from_static("application/protobuf");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
