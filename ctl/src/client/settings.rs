//! What a client needs to know, read from the global flags.

use std::sync::Arc;
use std::time::Duration;

use super::discovery;
use super::endpoint::Endpoint;
use super::tls::{self, Files};
use crate::cli::Global;
use crate::failure::{Failure, Outcome};
use crate::go::quote;
use crate::terminal;

/// What clients send at most if the flag doesn't say, in bytes.
const REQUEST_BYTES: usize = 2 << 20;

/// What clients take at most if the flag doesn't say, in bytes.
const RESPONSE_BYTES: usize = (1 << 31) - 1;

/// How and where to connect.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(super) dial_timeout: Duration,
    pub(super) keepalive_time: Duration,
    pub(super) keepalive_timeout: Duration,
    /// Whether to say on standard error what happens to connections.
    pub(super) tells_connections: bool,
    /// For endpoints that don't say whether they use TLS.
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// Whether certificates aren't looked at.
    pub(super) is_unverified: bool,
    /// The name that certificates must be for, if not the endpoint's.
    pub(super) server_name: Option<String>,
    /// Name and password, neither of them empty.
    pub(super) credentials: Option<(String, String)>,
    /// What to send instead of logging in.
    pub(super) token: Option<String>,
    pub(super) request_bytes_max: usize,
    pub(super) response_bytes_max: usize,
}

impl Settings {
    /// Reads the flags, asks for a password if one is missing, and reads the files about TLS.
    /// `is_given` tells whether a flag is on the command line.
    pub(crate) fn new(global: &Global, is_given: impl Fn(&str) -> bool) -> Outcome<Self> {
        let mut endpoints = Vec::new();
        if !global.discovery_srv.is_empty() {
            endpoints = discovered(global)?;
        }
        if endpoints.is_empty() {
            endpoints = listed(&global.endpoints);
        }
        let files = [("cert", &global.cert), ("key", &global.key), ("cacert", &global.cacert)];
        for (flag, value) in files {
            if value.is_empty() && is_given(flag) {
                let message = format!("empty string is passed to --{flag} option");
                return Err(Failure::bad_arguments(message));
            }
        }
        let credentials = credentials(global)?;
        let has_files = files.iter().any(|(_, value)| !value.is_empty());
        let tls = if has_files || !global.insecure_transport {
            let files = Files {
                cert: &global.cert,
                key: &global.key,
                cacert: &global.cacert,
                is_unverified: global.insecure_skip_tls_verify,
            };
            Some(tls::configure(&files).map_err(Failure::bad_arguments)?)
        } else {
            None
        };
        let limit = |value: i64, default| match usize::try_from(value) {
            Ok(0) | Err(_) => default,
            Ok(limit) => limit,
        };
        Ok(Self {
            endpoints: endpoints.iter().map(|text| Endpoint::parse(text)).collect(),
            tells_connections: global.debug,
            dial_timeout: global.dial_timeout,
            keepalive_time: global.keepalive_time,
            keepalive_timeout: global.keepalive_timeout,
            tls,
            is_unverified: global.insecure_skip_tls_verify,
            // Names that were found by DNS are trusted only as far as the domain's own is.
            server_name: Some(global.discovery_srv.clone())
                .filter(|domain| !domain.is_empty() && !global.insecure_discovery),
            credentials,
            token: Some(global.auth_jwt_token.clone()).filter(|token| !token.is_empty()),
            request_bytes_max: limit(global.max_request_bytes, REQUEST_BYTES),
            response_bytes_max: limit(global.max_recv_bytes, RESPONSE_BYTES),
        })
    }

    /// The same for other endpoints.
    pub(crate) fn with_endpoints<'a>(&self, endpoints: impl IntoIterator<Item = &'a str>) -> Self {
        let endpoints = endpoints.into_iter().map(Endpoint::parse).collect();
        Self { endpoints, ..self.clone() }
    }

    /// The same for somebody who doesn't log in.
    pub(crate) fn without_user(&self) -> Self {
        Self { credentials: None, token: None, ..self.clone() }
    }
}

/// The members of lists that are separated by commas.
fn listed(lists: &[String]) -> Vec<String> {
    let members = lists.iter().flat_map(|list| list.split(','));
    members.map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

/// What DNS says. Endpoints without TLS have to be allowed.
fn discovered(global: &Global) -> Outcome<Vec<String>> {
    let mut found = discovery::endpoints(&global.discovery_srv, &global.discovery_srv_name)
        .map_err(Failure::error)?;
    if !global.insecure_discovery {
        found.retain(|url| {
            let is_secure = !url.starts_with("http://");
            if !is_secure {
                eprintln!("ignoring discovered insecure endpoint {}", quote(url.as_bytes()));
            }
            is_secure
        });
    }
    Ok(found)
}

/// Name and password. A client whose password is empty doesn't log in.
fn credentials(global: &Global) -> Outcome<Option<(String, String)>> {
    if global.user.is_empty() {
        return Ok(None);
    }
    let (name, password) = if !global.password.is_empty() {
        (global.user.clone(), global.password.clone())
    } else if let Some((name, password)) = global.user.split_once(':') {
        (name.to_owned(), password.to_owned())
    } else {
        (global.user.clone(), terminal::ask_secretly("Password: ")?)
    };
    let is_usable = !name.is_empty() && !password.is_empty();
    Ok(is_usable.then_some((name, password)))
}
