//! Where a member listens, as users write it.

use std::path::PathBuf;

/// One of `--endpoints`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// As it was written.
    pub(crate) text: String,
    pub(super) address: Address,
    pub(super) security: Security,
}

/// What to connect to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Address {
    /// `host:port`.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Whether the connection uses TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Security {
    /// Never, whatever certificates there are.
    None,
    /// If the flags have anything about TLS.
    AsFlagsSay,
    /// Always.
    Tls,
}

impl Endpoint {
    /// Reads `host:port` or a URL with scheme `http`, `https`, `unix` or `unixs`.
    pub(crate) fn parse(text: &str) -> Self {
        let tcp = |host: &str| Address::Tcp(host.split('/').next().unwrap_or(host).to_owned());
        let unix = |path: &str| Address::Unix(path.strip_prefix("//").unwrap_or(path).into());
        let (address, security) = match text.split_once(':') {
            Some(("http", rest)) if rest.starts_with("//") => (tcp(&rest[2..]), Security::None),
            Some(("https", rest)) if rest.starts_with("//") => (tcp(&rest[2..]), Security::Tls),
            Some(("unix", rest)) => (unix(rest), Security::AsFlagsSay),
            Some(("unixs", rest)) => (unix(rest), Security::Tls),
            _ => (tcp(text), Security::AsFlagsSay),
        };
        Self { text: text.to_owned(), address, security }
    }

    /// The name that a certificate has to be for.
    pub(super) fn host(&self) -> &str {
        match &self.address {
            Address::Tcp(authority) => {
                let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
                host.trim_start_matches('[').trim_end_matches(']')
            }
            Address::Unix(_) => "localhost",
        }
    }

    /// What requests name as their authority.
    pub(super) fn authority(&self) -> &str {
        match &self.address {
            Address::Tcp(authority) => authority,
            Address::Unix(_) => "localhost",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_say_how_to_connect() {
        for (text, host, security) in [
            ("127.0.0.1:2379", "127.0.0.1", Security::AsFlagsSay),
            ("localhost:2379", "localhost", Security::AsFlagsSay),
            ("http://a:1", "a", Security::None),
            ("https://a.example:1/", "a.example", Security::Tls),
            ("https://[::1]:2379", "::1", Security::Tls),
            ("[::1]:2379", "::1", Security::AsFlagsSay),
        ] {
            let endpoint = Endpoint::parse(text);
            assert_eq!((endpoint.host(), endpoint.security), (host, security), "{text}");
        }
        for text in ["unix:///run/etcd", "unix:/run/etcd"] {
            let endpoint = Endpoint::parse(text);
            assert_eq!(endpoint.address, Address::Unix("/run/etcd".into()));
        }
        assert_eq!(Endpoint::parse("unixs:etcd:1").security, Security::Tls);
    }
}
