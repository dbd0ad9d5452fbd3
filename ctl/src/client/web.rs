//! Pages that a member serves over HTTP/1 on the port for clients: its metrics.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial::Dialer;
use super::{Client, Deadline};

impl Client {
    /// The body of the first endpoint's page at `path`.
    ///
    /// # Errors
    ///
    /// What happened, in words.
    pub(crate) async fn page(&self, path: &str, deadline: Deadline) -> Result<String, String> {
        let fetched = deadline.limit(fetch(&Dialer::new(&self.0.settings), path)).await;
        fetched.map_err(|error| error.to_string())?
    }
}

/// The request asks for HTTP/1.0: the answer ends where the connection does.
async fn fetch(dialer: &Dialer, path: &str) -> Result<String, String> {
    let endpoint = dialer.endpoints.first().ok_or("there is no endpoint")?;
    let tls = dialer.tls_of(endpoint)?.map(|config| {
        let mut config = (*config).clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    });
    let host = endpoint.authority();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    let name = dialer.server_name.clone();
    let told = |error: std::io::Error| error.to_string();
    let mut socket =
        super::dial::dial(endpoint.clone(), tls, name).await.map_err(told)?.into_inner();
    socket.write_all(request.as_bytes()).await.map_err(told)?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.map_err(told)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer isn't HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(status.to_owned());
    }
    Ok(body.to_owned())
}
