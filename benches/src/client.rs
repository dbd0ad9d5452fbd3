//! A gRPC client for unary calls, straight on HTTP/2.
//!
//! The client shares the machine with the server, so each microsecond that it needs is one that the
//! server lacks. It therefore knows only what a load program needs: one message out, one message
//! back, any error ends the run.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{Method, Request, Uri};
use prost::Message;
use tokio::net::TcpStream;

use crate::Error;

/// Compression flag and length before each message.
const PREFIX_BYTES: usize = 5;

/// So large that no answer waits for the client's permission to continue.
const WINDOW_BYTES: u32 = 1 << 30;

/// A connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<Bytes>,
    authority: String,
}

/// A method of a connection, prepared for many calls.
#[derive(Clone)]
pub struct Call {
    sender: SendRequest<Bytes>,
    uri: Uri,
}

impl Connection {
    /// Connects; a task of the current runtime serves the connection until it is dropped.
    pub async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(stream)
            .await?;
        // The end of the connection shows in the calls, so its own result is not needed.
        tokio::spawn(connection);
        Ok(Self { sender, authority: address.to_string() })
    }

    /// Prepares a method by its path, such as `/etcdserverpb.KV/Put`.
    pub fn method(&self, path: &str) -> Result<Call, Error> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(path)
            .build()?;
        Ok(Call { sender: self.sender.clone(), uri })
    }
}

impl Call {
    /// Sends one message and waits for the answer's.
    pub async fn send<T: Message + Default>(&mut self, message: &impl Message) -> Result<T, Error> {
        let bytes = self.send_bytes(frame(message)).await?;
        Ok(T::decode(bytes)?)
    }

    /// Sends a framed message and returns the answer's bytes without looking into them.
    pub async fn send_bytes(&mut self, frame: Bytes) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        self.receive(frame, |chunk| whole.put(chunk)).await?;
        if whole.len() < PREFIX_BYTES {
            return Err(format!("{}: an answer without a message", self.uri.path()).into());
        }
        Ok(whole.split_off(PREFIX_BYTES).freeze())
    }

    /// Sends a framed message, and throws the stream of answers away; says how many bytes it had.
    pub async fn count_bytes(&mut self, frame: Bytes) -> Result<u64, Error> {
        let mut bytes = 0;
        self.receive(frame, |chunk| bytes += chunk.len() as u64).await?;
        Ok(bytes)
    }

    /// Hands everything that is answered to `take`.
    async fn receive(&mut self, frame: Bytes, mut take: impl FnMut(Bytes)) -> Result<(), Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        *request.version_mut() = http::Version::HTTP_2;
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut stream) = sender.send_request(request, false)?;
        self.sender = sender;
        stream.send_data(frame, true)?;
        let (head, mut body) = answer.await?.into_parts();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            take(chunk);
        }
        let trailers = body.trailers().await?.unwrap_or(head.headers);
        let field = |name| trailers.get(name).and_then(|value| value.to_str().ok());
        if field("grpc-status") != Some("0") {
            // Of what may be escaped, texts of errors have spaces.
            let message = field("grpc-message").unwrap_or("no message").replace("%20", " ");
            return Err(format!("{}: {message}", self.uri.path()).into());
        }
        Ok(())
    }
}

/// A message as it goes over the wire.
pub fn frame(message: &impl Message) -> Bytes {
    let bytes = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + bytes);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(bytes).expect("a message of the load program is small"));
    message.encode(&mut frame).expect("the buffer grows as needed");
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::etcdserverpb::PutRequest;

    #[test]
    fn a_frame_starts_with_its_length() {
        let message = PutRequest { key: Bytes::from_static(b"k"), ..PutRequest::default() };
        assert_eq!(frame(&message).as_ref(), [0, 0, 0, 0, 3, 0x0a, 1, b'k']);
    }
}
