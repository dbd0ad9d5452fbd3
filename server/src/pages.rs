//! The HTTP pages of the client port.

use crate::flags::Config;
use crate::member::Member;
use crate::metrics::Metrics;
use crate::version;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::sync::Arc;

/// Answers HTTP requests.
#[derive(Clone)]
pub(crate) struct Pages;

/// The pages of a member.
pub(crate) fn pages(_: &Config, _: &Arc<Member>, _: &Arc<Metrics>) -> Pages {
    Pages
}

impl Pages {
    /// The pages that peers see.
    pub(crate) fn for_peers(&self) -> Pages {
        Pages
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: &Request<()>) -> Response<Full<Bytes>> {
        let (status, text) = match request.uri().path() {
            "/version" => {
                let (server, cluster) = (version::ETCD, version::CLUSTER);
                let versions = serde_json::json!({"etcdserver": server, "etcdcluster": cluster});
                (StatusCode::OK, versions.to_string())
            }
            _ => (StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
        };
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        response
    }
}
