//! The gRPC services of the client API.
//!
//! tonic carries the frames; each method is a plain function from request bytes to response bytes
//! (or streams of them), so that the hottest ones may be served without tonic later. Requests are
//! checked here before they cost anything; what passes goes to the member.

mod auth;
mod check;
mod cluster;
mod codec;
mod concurrency;
mod election;
mod health;
mod keep_alive;
mod kv;
mod lease;
mod limit;
mod lock;
mod maintenance;
mod method;
mod place;
mod range_stream;
mod serve;
mod snapshot;
mod watch;

pub(crate) use cluster::promote;
pub(crate) use keep_alive::renew_here;
pub(crate) use lease::remaining;
pub(crate) use maintenance::blocking;
pub(crate) use method::{Kind, Method};
pub(crate) use serve::Rpc;
pub(crate) use snapshot::conf_state_json;

use bytes::Bytes;
use prost::Message;
use retcd_api::{Code, Error, Result};
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::Status;

/// Responses of a streaming method, encoded.
type Responses = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The gRPC status that says `error`.
fn status(error: &Error) -> Status {
    Status::new(tonic::Code::from_i32(error.code() as i32), error.message())
}

/// Decodes a request. grpc-go's code for bytes that aren't the message is `Internal`.
fn decode<M: Message + Default>(message: Bytes) -> Result<M> {
    M::decode(message).map_err(|error| {
        Error::Other(Code::Internal, format!("grpc: error unmarshalling request: {error}").into())
    })
}

/// Encodes a response.
fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
