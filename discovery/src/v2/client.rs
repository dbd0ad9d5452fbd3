//! HTTP/1.1 requests to the registry, each on a connection of its own, directly or by a proxy.

use super::Settings;
use crate::registry::Error;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// Most bytes of an answer: members are few, and so is what they register.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Most redirections of one request.
const REDIRECTIONS_MAX: usize = 10;

/// The header with the index up to which an answer knows.
const INDEX: &str = "x-etcd-index";

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt may help.
    Passing(String),
    /// No attempt will help.
    Final(Error),
}

/// An answer of the registry.
#[derive(Debug)]
pub(super) struct Answer {
    /// Whether it did what was asked.
    pub(super) is_success: bool,
    /// The index up to which it knows; 0 if it doesn't say.
    pub(super) index: u64,
    /// Its content.
    pub(super) body: Bytes,
}

#[derive(Debug)]
pub(super) struct Client {
    /// The directory.
    url: Uri,
    proxy: Option<Authority>,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Client, Error> {
        let failure = |text: &str| Error::Refused(format!("{text}: not a URL with http"));
        let url: Uri = settings.url.parse().map_err(|_| failure(&settings.url))?;
        authority(&url).ok_or_else(|| failure(&settings.url))?;
        let proxy = match &settings.proxy {
            None => None,
            Some(text) => {
                let url: Uri = text.parse().map_err(|_| failure(text))?;
                // Without a scheme it is a host, and perhaps a port.
                let bare = url.authority().filter(|_| url.scheme().is_none()).cloned();
                Some(bare.or_else(|| authority(&url)).ok_or_else(|| failure(text))?)
            }
        };
        Ok(Client { url, proxy })
    }

    /// Reads `path` below the directory.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &str,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let request = Request::new(Full::default());
        self.ask(path, query, request, limit).await
    }

    /// Creates the key `path` below the directory, unless it exists.
    pub(super) async fn create(
        &self,
        path: &str,
        value: &str,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let form = format!("value={}", form_encoded(value));
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::PUT;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        self.ask(path, "prevExist=false", request, limit).await
    }

    async fn ask(
        &self,
        path: &str,
        query: &str,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let directory = self.url.path().trim_end_matches('/');
        let mut url = with_path(&self.url, &format!("{directory}{path}?{query}"))
            .ok_or_else(|| Failure::Final(Error::Refused(format!("{directory}: not a path"))))?;
        let whole = async {
            for _ in 0..=REDIRECTIONS_MAX {
                match self.send(&url, request.clone()).await? {
                    Sent::Answer(answer) => return Ok(answer),
                    Sent::Elsewhere(other) => url = other,
                }
            }
            Err(Failure::Passing("client: too many redirects".to_owned()))
        };
        let limited = tokio::time::timeout(limit, whole).await;
        limited.unwrap_or_else(|_| Err(Failure::Passing("context deadline exceeded".to_owned())))
    }

    async fn send(&self, url: &Uri, mut request: Request<Full<Bytes>>) -> Result<Sent, Failure> {
        let passing = |error: &dyn std::fmt::Display| Failure::Passing(error.to_string());
        let unknown = || Failure::Final(Error::Refused(format!("{url}: only http is available")));
        let authority = authority(url).ok_or_else(unknown)?;
        let to = self.proxy.as_ref().unwrap_or(&authority);
        let host = to.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, to.port_u16().unwrap_or(80))).await;
        let stream = stream.map_err(|error| passing(&format!("{to}: {error}")))?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| passing(&error))?;
        // It ends with the sender and the answer's body; why, those are told.
        tokio::spawn(connection);
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| passing(&error))?;
        request.headers_mut().insert(header::HOST, host);
        // A proxy is told the whole URL, the registry itself only the path.
        *request.uri_mut() = match (&self.proxy, url.path_and_query()) {
            (None, Some(path)) => Uri::from(path.clone()),
            _ => url.clone(),
        };
        let answer = sender.send_request(request).await.map_err(|error| passing(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| passing(&error))?.to_bytes();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        if head.status.is_redirection() {
            let location = text(header::LOCATION).and_then(|text| text.parse::<Uri>().ok());
            return location
                .map(Sent::Elsewhere)
                .ok_or_else(|| passing(&"location header not set"));
        }
        if head.status.is_server_error() {
            return Err(passing(&format!("{authority} answers {}", head.status)));
        }
        let index = text(header::HeaderName::from_static(INDEX));
        let index = index.and_then(|index| index.parse().ok()).unwrap_or(0);
        Ok(Sent::Answer(Answer { is_success: head.status.is_success(), index, body }))
    }
}

/// What a request led to.
enum Sent {
    Answer(Answer),
    Elsewhere(Uri),
}

/// The host of a URL with http.
fn authority(url: &Uri) -> Option<Authority> {
    url.authority().filter(|_| url.scheme() == Some(&Scheme::HTTP)).cloned()
}

fn with_path(url: &Uri, path: &str) -> Option<Uri> {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// A value of a form: all but letters, digits and a few signs as `%XX`.
fn form_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str, proxy: Option<&str>) -> Result<Client, Error> {
        Client::new(&Settings { url: url.to_owned(), proxy: proxy.map(str::to_owned) })
    }

    #[test]
    fn only_urls_with_http_lead_somewhere() {
        assert!(client("http://host:1/token", None).is_ok());
        for url in ["https://host/token", "host", "/token", ""] {
            let error = client(url, None).expect_err("refused").to_string();
            assert_eq!(error, format!("{url}: not a URL with http"));
        }
        let proxy = |text| client("http://host/token", Some(text)).map(|client| client.proxy);
        let is = |text: &str| Ok(Some(text.parse().expect("a host")));
        assert_eq!(proxy("http://proxy:8080"), is("proxy:8080"));
        assert_eq!(proxy("proxy:8080"), is("proxy:8080"));
        assert!(proxy("https://proxy").is_err());
    }

    #[test]
    fn values_are_encoded_as_a_form() {
        assert_eq!(form_encoded("a=http://[::1]:1"), "a%3Dhttp%3A%2F%2F%5B%3A%3A1%5D%3A1");
    }
}
