//! The pages that are served over HTTP beside gRPC: health, version, metrics, variables.
//!
//! Paths, status codes, headers and texts are etcd's. [`Pages`] is one kind of port's view of them;
//! everything that it tells comes from a [`Source`], so that all of it can be tested without a
//! member.

use std::sync::Arc;

use ::http::{HeaderValue, Method, Request, Response, header};
use bytes::Bytes;
use http_body_util::Full;

use crate::flags::HttpConfig;
use crate::metrics::{self, Metrics};
use crate::version;

mod health;
mod query;
mod reply;
mod source;

pub(crate) use source::{Alarm, Later, RaftStatus, Source};

/// What is answered.
pub(crate) type Page = Response<Full<Bytes>>;

/// Which pages a port has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// All of them, with the checks of browsers' requests.
    Client,
    /// Metrics and health.
    Metrics,
    /// What other members ask for.
    Peer,
    /// None: HTTP has a port of its own.
    Grpc,
}

/// The pages of one port.
#[derive(Clone)]
pub(crate) struct Pages {
    shared: Arc<Shared>,
    port: Port,
}

struct Shared {
    source: Arc<dyn Source>,
    metrics: Arc<Metrics>,
    config: HttpConfig,
    /// The program's arguments, for `/debug/vars`.
    arguments: Vec<String>,
}

impl Pages {
    /// The pages of a client port.
    pub(crate) fn new(
        source: Arc<dyn Source>,
        metrics: Arc<Metrics>,
        config: HttpConfig,
        arguments: Vec<String>,
    ) -> Pages {
        let shared = Shared { source, metrics, config, arguments };
        Pages { shared: Arc::new(shared), port: Port::Client }
    }

    /// The pages of `--listen-metrics-urls`.
    pub(crate) fn for_metrics(&self) -> Pages {
        Pages { shared: Arc::clone(&self.shared), port: Port::Metrics }
    }

    /// The pages of a peer port.
    pub(crate) fn for_peers(&self) -> Pages {
        Pages { shared: Arc::clone(&self.shared), port: Port::Peer }
    }

    /// The pages of a client port when HTTP has a port of its own: none.
    pub(crate) fn for_grpc_alone(&self) -> Pages {
        Pages { shared: Arc::clone(&self.shared), port: Port::Grpc }
    }

    /// Answers a request. Nothing here looks at a request's body.
    pub(crate) async fn answer(&self, request: &Request<()>) -> Page {
        if self.port != Port::Client {
            return self.page(request).await;
        }
        let host = host_of(request);
        if !self.shared.config.hosts.allows(host) {
            tracing::warn!(host, "rejecting HTTP request to prevent DNS rebinding attacks");
            return reply::misdirected(host);
        }
        let mut page = match *request.method() {
            Method::OPTIONS => Response::new(Full::default()),
            _ => self.page(request).await,
        };
        self.add_cors(request, &mut page);
        page
    }

    async fn page(&self, request: &Request<()>) -> Page {
        let shared = &*self.shared;
        match (self.port, request.uri().path()) {
            (Port::Client | Port::Peer, "/version") => shared.version(request),
            (Port::Client, "/debug/vars") => shared.variables(request),
            (Port::Client | Port::Metrics, "/metrics") => {
                let text = shared.source.metrics().await;
                reply::typed(metrics::CONTENT_TYPE, text)
            }
            (Port::Client | Port::Metrics, path) => {
                health::page(&*shared.source, &shared.metrics, path, request)
                    .await
                    .unwrap_or_else(reply::not_found)
            }
            (Port::Peer | Port::Grpc, _) => reply::not_found(),
        }
    }

    fn add_cors(&self, request: &Request<()>, page: &mut Page) {
        let origins = &self.shared.config.cors;
        let origin = match request.headers().get(header::ORIGIN) {
            _ if origins.allows("*") => HeaderValue::from_static("*"),
            Some(origin) if origin.to_str().is_ok_and(|text| origins.allows(text)) => {
                origin.clone()
            }
            _ => return,
        };
        let headers = page.headers_mut();
        let mut add = |name, value| headers.append(name, value);
        add(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE"),
        );
        add(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        add(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("accept, content-type, authorization"),
        );
    }
}

impl Shared {
    fn version(&self, request: &Request<()>) -> Page {
        if let Some(refusal) = reply::refuse_other_methods(request) {
            return refusal;
        }
        let cluster = self.source.cluster_version();
        let cluster = cluster.as_deref().unwrap_or("not_decided");
        let server = version::ETCD;
        let text = format!("{{\"etcdserver\":\"{server}\",\"etcdcluster\":\"{cluster}\"}}");
        reply::typed("application/json", text)
    }

    /// What Go's expvar shows, without what only Go has.
    fn variables(&self, request: &Request<()>) -> Page {
        if let Some(refusal) = reply::refuse_other_methods(request) {
            return refusal;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let arguments = serde_json::json!(self.arguments);
        let limit = serde_json::json!(limit);
        let raft = self.source.raft_status().to_json();
        let text = format!(
            "{{\n\"cmdline\": {arguments},\n\"file_descriptor_limit\": {limit},\n\
             \"raft.status\": {raft}\n}}\n"
        );
        reply::typed("application/json; charset=utf-8", text)
    }
}

/// The host that the client wants to talk to, without its port; empty if it doesn't say.
fn host_of(request: &Request<()>) -> &str {
    let from_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str())
        .or(from_header)
        .unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, _)) if name.starts_with('[') => {
            name.trim_start_matches('[').trim_end_matches(']')
        }
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests;
