//! What a connection on the client port talks to: gRPC services or HTTP pages.

use crate::net::Answerer;
use crate::rpc::Rpc;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use std::sync::Arc;
use tonic::body::Body;

/// The client port.
pub(crate) struct ClientSite {
    /// gRPC.
    pub(crate) rpc: Arc<Rpc>,
    /// HTTP.
    pub(crate) pages: crate::pages::Pages,
}

impl Answerer for ClientSite {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let is_grpc = request
            .headers()
            .get(header::CONTENT_TYPE)
            .map(HeaderValue::as_bytes)
            .is_some_and(|kind| kind.starts_with(b"application/grpc"));
        match is_grpc {
            true => self.rpc.serve(request).await,
            false => self.pages.answer(&request.map(|_| ())).await.map(Body::new),
        }
    }
}

/// A port that has HTTP pages only.
pub(crate) struct PagesSite {
    /// The pages.
    pub(crate) pages: crate::pages::Pages,
}

impl Answerer for PagesSite {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.pages.answer(&request.map(|_| ())).await.map(Body::new)
    }
}
