//! Connecting to one endpoint: the socket, TLS on it, HTTP/2 on that.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tonic::transport::Channel;

use super::Settings;
use super::endpoint::{Address, Endpoint, Security};
use super::tls::{self, Files};

/// Members refuse to be asked more often whether they are alive.
const KEEPALIVE_MIN: Duration = Duration::from_secs(10);

/// What the member may send ahead, so that a large response doesn't wait for us.
const WINDOW_BYTES: u32 = 8 << 20;

/// Connects to endpoints by their numbers.
pub(super) struct Dialer {
    pub(super) endpoints: Vec<Endpoint>,
    dial_timeout: Duration,
    keepalive_time: Duration,
    keepalive_timeout: Duration,
    tls: Option<Arc<rustls::ClientConfig>>,
    is_unverified: bool,
    pub(super) server_name: Option<String>,
}

/// A connection in the clear or not, over whatever socket.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Dialer {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            endpoints: settings.endpoints.clone(),
            dial_timeout: settings.dial_timeout,
            keepalive_time: settings.keepalive_time,
            keepalive_timeout: settings.keepalive_timeout,
            tls: settings.tls.clone(),
            is_unverified: settings.is_unverified,
            server_name: settings.server_name.clone(),
        }
    }

    /// A connection that is up.
    pub(super) async fn connect(&self, number: usize) -> Result<Channel, String> {
        let endpoint = &self.endpoints[number];
        let origin = format!("http://{}", endpoint.authority());
        let mut transport = tonic::transport::Endpoint::from_shared(origin)
            .map_err(|error| error.to_string())?
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES);
        if !self.keepalive_time.is_zero() {
            transport = transport
                .http2_keep_alive_interval(self.keepalive_time.max(KEEPALIVE_MIN))
                .keep_alive_timeout(self.keepalive_timeout);
        }
        let (endpoint, tls) = (endpoint.clone(), self.tls_of(endpoint)?);
        let server_name = self.server_name.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            dial(endpoint.clone(), tls.clone(), server_name.clone())
        });
        let connecting = transport.connect_with_connector(connector);
        match tokio::time::timeout(self.dial_timeout, connecting).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(root_cause(&error)),
            Err(_) => Err("no answer within the dial timeout".to_owned()),
        }
    }

    pub(super) fn tls_of(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Option<Arc<rustls::ClientConfig>>, String> {
        match endpoint.security {
            Security::None => Ok(None),
            Security::AsFlagsSay => Ok(self.tls.clone()),
            Security::Tls => match &self.tls {
                Some(config) => Ok(Some(config.clone())),
                None => {
                    let is_unverified = self.is_unverified;
                    tls::configure(&Files { is_unverified, ..Files::default() }).map(Some)
                }
            },
        }
    }
}

/// A socket to an endpoint, with TLS on it if there is a configuration.
pub(super) async fn dial(
    endpoint: Endpoint,
    tls: Option<Arc<rustls::ClientConfig>>,
    server_name: Option<String>,
) -> io::Result<TokioIo<Box<dyn Stream>>> {
    let plain: Box<dyn Stream> = match &endpoint.address {
        Address::Tcp(authority) => {
            let socket = TcpStream::connect(authority.as_str()).await?;
            socket.set_nodelay(true)?;
            Box::new(socket)
        }
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    };
    let Some(config) = tls else { return Ok(TokioIo::new(plain)) };
    let name = server_name.unwrap_or_else(|| endpoint.host().to_owned());
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let secured = TlsConnector::from(config).connect(name, plain).await?;
    Ok(TokioIo::new(Box::new(secured)))
}

/// The innermost of errors, which says what happened.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
