//! URLs of members, under etcd's rules: http and https with host and port and nothing else; unix
//! and unixs with a path.
//!
//! Parsing and its errors follow Go's `net/url` as far as these URLs can differ from one another.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::go::quote;

/// How one speaks at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS over TCP.
    Https,
    /// A socket in the file system.
    Unix,
    /// TLS over a socket in the file system.
    Unixs,
}

impl Scheme {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Unix => "unix",
            Scheme::Unixs => "unixs",
        }
    }
}

/// A URL to listen on or to advertise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Its scheme.
    pub scheme: Scheme,
    /// What follows `//`: `host:port`, or anything for sockets in the file system.
    pub authority: String,
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

impl Url {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// etcd's text.
    pub fn parse(text: &str) -> Result<Url, String> {
        parse(text)
    }

    /// Host without the brackets of IPv6; empty if there is none.
    pub fn host(&self) -> &str {
        split_host_port(&self.authority).map_or("", |(host, _)| host)
    }

    /// Port; empty if there is none.
    pub fn port(&self) -> &str {
        split_host_port(&self.authority).map_or("", |(_, port)| port)
    }

    /// `host:port` as it was written, for whoever resolves and binds it.
    pub fn host_port(&self) -> &str {
        &self.authority
    }

    /// The address to bind. `localhost` is 127.0.0.1, an empty port any free one.
    ///
    /// # Errors
    ///
    /// etcd's text, unless the host is an IP address or `localhost`.
    pub fn bind_address(&self) -> Result<SocketAddr, String> {
        let ip = match self.host() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().map_err(|_| format!("expected IP in URL for binding ({self})"))?,
        };
        let port = match self.port() {
            "" => 0,
            port => {
                port.parse().map_err(|_| format!("listen tcp: address {port}: invalid port"))?
            }
        };
        Ok(SocketAddr::new(ip, port))
    }
}

/// Reads URLs separated by commas and sorts them, as etcd does.
///
/// # Errors
///
/// etcd's text.
pub fn parse_list(text: &str) -> Result<Vec<Url>, String> {
    let mut urls = text.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    urls.sort_by_key(Url::to_string);
    Ok(urls)
}

/// Writes URLs separated by commas.
pub fn join(urls: &[Url]) -> String {
    let texts: Vec<String> = urls.iter().map(Url::to_string).collect();
    texts.join(",")
}

fn parse(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let failure = |what: &str| Err(format!("parse {}: {what}", quote(text.as_bytes())));
    if text.chars().any(|c| c.is_ascii_control()) {
        return failure("net/url: invalid control character in URL");
    }
    let (scheme, rest) = match split_scheme(text) {
        Ok(parts) => parts,
        Err(what) => return failure(what),
    };
    let first_segment = rest.split('/').next().unwrap_or_default();
    if scheme.is_empty() && first_segment.contains(':') {
        return failure("first path segment in URL cannot contain colon");
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        None => ("", rest),
    };
    if let Err(what) = check_authority(authority) {
        return failure(&what);
    }
    let scheme = match scheme.as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "unix" => Scheme::Unix,
        "unixs" => Scheme::Unixs,
        _ => {
            return Err(format!("URL scheme must be http, https, unix, or unixs: {text}"));
        }
    };
    if matches!(scheme, Scheme::Unix | Scheme::Unixs) {
        let authority = format!("{authority}{path}");
        return Ok(Url { scheme, authority });
    }
    if split_host_port(authority).is_none() {
        return Err(format!("URL address does not have the form \"host:port\": {text}"));
    }
    if !path.is_empty() {
        return Err(format!("URL must not contain a path: {text}"));
    }
    let authority = authority.to_owned();
    Ok(Url { scheme, authority })
}

/// The scheme in lower case, empty if there is none, and what follows its colon.
fn split_scheme(text: &str) -> Result<(String, &str), &'static str> {
    for (index, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if index > 0 => {}
            ':' if index == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((text[..index].to_ascii_lowercase(), &text[index + 1..])),
            _ => break,
        }
    }
    Ok((String::new(), text))
}

/// Whether what follows the host can be a port, and the host has no character that Go refuses.
fn check_authority(authority: &str) -> Result<(), String> {
    let after_host = match authority.strip_prefix('[') {
        Some(rest) => match rest.rfind(']') {
            Some(end) => &rest[end + 1..],
            None => return Err("missing ']' in host".to_owned()),
        },
        None => &authority[authority.rfind(':').unwrap_or(authority.len())..],
    };
    let is_port = match after_host.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => after_host.is_empty(),
    };
    if !is_port {
        let port = quote(after_host.as_bytes());
        return Err(format!("invalid port {port} after host"));
    }
    match authority.chars().find(|c| " \"<>^`{|}\\%".contains(*c)) {
        Some(c) => {
            let character = quote(c.encode_utf8(&mut [0; 4]).as_bytes());
            Err(format!("invalid character {character} in host name"))
        }
        None => Ok(()),
    }
}

/// Splits `host:port` as Go does: IPv6 needs brackets, the colon must be there.
fn split_host_port(authority: &str) -> Option<(&str, &str)> {
    let (host, port) = authority.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let stray = host.contains(['[', ']']) || port.contains(['[', ']']);
    (!stray).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).expect_err("refused")
    }

    #[test]
    fn errors_read_as_in_etcd() {
        assert_eq!(error("foo"), "URL scheme must be http, https, unix, or unixs: foo");
        assert_eq!(error(""), "URL scheme must be http, https, unix, or unixs: ");
        assert_eq!(
            error("localhost:2379"),
            "URL scheme must be http, https, unix, or unixs: localhost:2379"
        );
        assert_eq!(
            error("127.0.0.1:2379"),
            "parse \"127.0.0.1:2379\": first path segment in URL cannot contain colon"
        );
        assert_eq!(error(":://x"), "parse \":://x\": missing protocol scheme");
        assert_eq!(
            error("http://foo"),
            "URL address does not have the form \"host:port\": http://foo"
        );
        assert_eq!(error("http://foo:1/a"), "URL must not contain a path: http://foo:1/a");
        assert_eq!(error("http://foo:x"), "parse \"http://foo:x\": invalid port \":x\" after host");
        assert_eq!(
            error("http://a b:1"),
            "parse \"http://a b:1\": invalid character \" \" in host name"
        );
        assert_eq!(error("http://[::1:1"), "parse \"http://[::1:1\": missing ']' in host");
    }

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let url = parse("http://[::1]:2379").expect("valid");
        assert_eq!((url.host(), url.port()), ("::1", "2379"));
        assert_eq!(url.to_string(), "http://[::1]:2379");
        let url = parse(" HTTPS://foo:1 ").expect("valid");
        assert_eq!(url.to_string(), "https://foo:1");
        let url = parse("unix://a/b:1").expect("valid");
        assert_eq!(url.to_string(), "unix://a/b:1");
    }

    #[test]
    fn only_addresses_and_localhost_can_be_bound() {
        let bind = |text| parse(text).expect("valid").bind_address();
        assert_eq!(
            bind("http://localhost:2379").map(|address| address.to_string()),
            Ok("127.0.0.1:2379".to_owned())
        );
        assert_eq!(
            bind("http://bad.host:1"),
            Err("expected IP in URL for binding (http://bad.host:1)".to_owned())
        );
        assert!(bind("http://0.0.0.0:99999").is_err());
        assert_eq!(bind("http://[::]:0").map(|address| address.port()), Ok(0));
    }
}
