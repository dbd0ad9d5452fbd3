//! The settings about discovery: where a new member finds those with whom it founds a cluster, if
//! `--initial-cluster` doesn't say it.
//!
//! There are three ways, of which one may be chosen: a registry of the second version, one of the
//! third, and DNS. Without TLS in this program's clients, registries are spoken to by plain HTTP.

use std::time::Duration;

use retcd_discovery::{v2, v3};

use super::go::quote;
use super::resolve::{Source, duration};
use super::settings::Settings;

/// Where the founders are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// `--discovery`.
    V2(v2::Settings),
    /// `--discovery-endpoints` and `--discovery-token`.
    V3(v3::Settings),
    /// `--discovery-srv`.
    Dns {
        /// The domain.
        domain: String,
        /// `--discovery-srv-name`, or empty.
        service_name: String,
    },
}

impl Discovery {
    /// What takes the place of `--initial-cluster-token`: members that found each other by a token
    /// have no other in common.
    pub fn token(&self) -> Option<&str> {
        match self {
            Discovery::V2(settings) => Some(&settings.url),
            Discovery::V3(settings) => Some(&settings.token),
            Discovery::Dns { .. } => None,
        }
    }
}

/// What only the third version has.
const V3_TEXTS: [&str; 6] = [
    "discovery-token",
    "discovery-cert",
    "discovery-key",
    "discovery-cacert",
    "discovery-user",
    "discovery-password",
];

fn has_text(settings: &Settings, name: &str) -> bool {
    !settings.text(name).is_empty()
}

/// Endpoints of the third version. An empty flag has none.
fn endpoints(settings: &Settings) -> Vec<String> {
    let endpoints = settings.list("discovery-endpoints");
    if endpoints == [""] { Vec::new() } else { endpoints }
}

/// Whether the default of `--initial-cluster` steps back.
pub(super) fn is_given(settings: &Settings) -> bool {
    let names = ["discovery", "discovery-srv", "discovery-srv-name"];
    names.iter().any(|name| has_text(settings, name)) || !endpoints(settings).is_empty()
}

/// etcd's checks, in its order and words. The file of etcd 3.5 shows the fallback to a proxy as an
/// example, so there it is let pass.
pub(super) fn check_as_etcd(settings: &Settings, source: Source) -> Result<(), String> {
    let endpoints = endpoints(settings);
    let cluster = match settings.is_set("initial-cluster") {
        true => has_text(settings, "initial-cluster"),
        false => !is_given(settings),
    };
    let (v2, dns) = (has_text(settings, "discovery"), has_text(settings, "discovery-srv"));
    let v3 = !endpoints.is_empty();
    if source == Source::CommandLine && settings.text("discovery-fallback") == "proxy" {
        let text = "v2 proxy is deprecated, and --discovery-fallback can't be configured as";
        return Err(format!("{text} \"proxy\""));
    }
    if [v2, v3, dns, cluster].into_iter().filter(|set| *set).count() > 1 {
        // 3.5 doesn't know of the third version.
        let names = match v3 {
            true => "\"initial-cluster\", \"discovery\", \"discovery-endpoints\" or",
            false => "\"initial-cluster\", \"discovery\" or",
        };
        return Err(format!(
            "multiple discovery or bootstrap flags are set. Choose one of {names} \
             \"discovery-srv\""
        ));
    }
    let any_v3 = v3 || V3_TEXTS.iter().any(|name| has_text(settings, name));
    if any_v3 && has_text(settings, "discovery-proxy") {
        return Err("both v2 discovery settings (discovery, discovery-proxy) and v3 discovery \
                    settings (discovery-token, discovery-endpoints, discovery-cert, \
                    discovery-key, discovery-cacert, discovery-user, discovery-password) are set"
            .to_owned());
    }
    if v3 != has_text(settings, "discovery-token") {
        return Err("both --discovery-token and --discovery-endpoints must be set".to_owned());
    }
    if endpoints.iter().any(|endpoint| endpoint.trim().is_empty()) {
        return Err("--discovery-endpoints must not contain empty endpoints".to_owned());
    }
    Ok(())
}

/// Where to look, if anywhere.
pub(super) fn of(settings: &Settings) -> Result<Option<Discovery>, String> {
    let (url, domain) = (settings.text("discovery"), settings.text("discovery-srv"));
    let endpoints = endpoints(settings);
    if !endpoints.is_empty() {
        return Ok(Some(Discovery::V3(v3_settings(settings, endpoints)?)));
    }
    if !url.is_empty() {
        refuse_other_schemes("discovery", &url)?;
        let proxy = Some(settings.text("discovery-proxy")).filter(|proxy| !proxy.is_empty());
        if let Some(proxy) = proxy.as_ref().filter(|proxy| proxy.contains("://")) {
            refuse_other_schemes("discovery-proxy", proxy)?;
        }
        return Ok(Some(Discovery::V2(v2::Settings { url, proxy })));
    }
    let service_name = settings.text("discovery-srv-name");
    Ok((!domain.is_empty()).then_some(Discovery::Dns { domain, service_name }))
}

fn v3_settings(settings: &Settings, endpoints: Vec<String>) -> Result<v3::Settings, String> {
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.contains("://")) {
        refuse_other_schemes("discovery-endpoints", endpoint)?;
    }
    let limit = |name: &str| match duration(settings, name)? {
        Duration::ZERO => Err(format!("--{name} must be greater than 0")),
        limit => Ok(limit),
    };
    Ok(v3::Settings {
        endpoints: endpoints.iter().map(|endpoint| endpoint.trim().to_owned()).collect(),
        token: settings.text("discovery-token"),
        dial_timeout: limit("discovery-dial-timeout")?,
        request_timeout: limit("discovery-request-timeout")?,
        keepalive_time: duration(settings, "discovery-keepalive-time")?,
        keepalive_timeout: duration(settings, "discovery-keepalive-timeout")?,
        user: user(settings)?,
    })
}

/// The password stands in a flag of its own, or behind the user's name and a colon.
fn user(settings: &Settings) -> Result<Option<v3::User>, String> {
    let (name, password) = (settings.text("discovery-user"), settings.text("discovery-password"));
    if name.is_empty() && password.is_empty() {
        return Ok(None);
    }
    let (name, password) = match name.split_once(':') {
        Some((name, password)) if !password.is_empty() => (name.to_owned(), password.to_owned()),
        _ => (name, password),
    };
    if name.is_empty() || password.is_empty() {
        return Err("--discovery-user and --discovery-password must be set together, or \
                    --discovery-user as user:password"
            .to_owned());
    }
    Ok(Some(v3::User { name, password }))
}

fn refuse_other_schemes(name: &str, url: &str) -> Result<(), String> {
    let scheme = url.trim().split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http") => Ok(()),
        Some("https") => Err(format!("--{name}={url}: TLS is not available in this version yet")),
        Some(_) | None => {
            let url = quote(url);
            Err(format!("--{name}={url} must be a URL with http"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table;

    fn settings(flags: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, text) in flags {
            let flag = table::find(name).expect("a flag");
            settings.set(flag, flag.parse(text).expect("a value"));
        }
        settings
    }

    fn checked(flags: &[(&str, &str)]) -> Result<Option<Discovery>, String> {
        let settings = settings(flags);
        check_as_etcd(&settings, Source::CommandLine).and_then(|()| of(&settings))
    }

    fn refused(flags: &[(&str, &str)]) -> String {
        checked(flags).expect_err("refused")
    }

    const ENDPOINTS: (&str, &str) = ("discovery-endpoints", "b:2,a:1,b:2");
    const TOKEN: (&str, &str) = ("discovery-token", "t");

    #[test]
    fn each_way_is_recognized() {
        assert_eq!(checked(&[]), Ok(None));
        let url = "http://host:1/v2/keys/t".to_owned();
        let found = checked(&[("discovery", &url), ("discovery-proxy", "p:1")]);
        let settings = v2::Settings { url: url.clone(), proxy: Some("p:1".to_owned()) };
        assert_eq!(found, Ok(Some(Discovery::V2(settings))));
        let found = checked(&[("discovery-srv", "example.com"), ("discovery-srv-name", "blue")]);
        let (domain, service_name) = ("example.com".to_owned(), "blue".to_owned());
        assert_eq!(found, Ok(Some(Discovery::Dns { domain, service_name })));
        let found = checked(&[ENDPOINTS, TOKEN, ("discovery-user", "root:secret")]);
        let Ok(Some(discovery @ Discovery::V3(_))) = found else { panic!("{found:?}") };
        assert_eq!(discovery.token(), Some("t"));
        assert!(!format!("{discovery:?}").contains("secret"));
        let Discovery::V3(settings) = discovery else { panic!("just matched") };
        assert_eq!(settings.endpoints, ["a:1", "b:2"]);
        assert_eq!(settings.request_timeout, Duration::from_secs(5));
        let user = settings.user.expect("a user");
        assert_eq!((user.name.as_str(), user.password.as_str()), ("root", "secret"));
    }

    #[test]
    fn what_does_not_go_together_is_refused_in_etcds_words() {
        let url = ("discovery", "http://host/t");
        let srv = ("discovery-srv", "example.com");
        let cluster = ("initial-cluster", "a=http://host:1");
        let of_35 = "multiple discovery or bootstrap flags are set. Choose one of \
                     \"initial-cluster\", \"discovery\" or \"discovery-srv\"";
        for flags in [[url, srv], [url, cluster], [srv, cluster]] {
            assert_eq!(refused(&flags), of_35);
        }
        let of_36 = "multiple discovery or bootstrap flags are set. Choose one of \
                     \"initial-cluster\", \"discovery\", \"discovery-endpoints\" or \
                     \"discovery-srv\"";
        assert_eq!(refused(&[ENDPOINTS, TOKEN, srv]), of_36);
        let both = "both --discovery-token and --discovery-endpoints must be set";
        assert_eq!(refused(&[ENDPOINTS]), both);
        assert_eq!(refused(&[TOKEN]), both);
        assert!(
            refused(&[TOKEN, ENDPOINTS, ("discovery-proxy", "p")])
                .starts_with("both v2 discovery settings (discovery, discovery-proxy) and v3")
        );
        assert_eq!(
            refused(&[("discovery-endpoints", "a:1,"), TOKEN]),
            "--discovery-endpoints must not contain empty endpoints"
        );
        assert_eq!(
            refused(&[("discovery-fallback", "proxy")]),
            "v2 proxy is deprecated, and --discovery-fallback can't be configured as \"proxy\""
        );
    }

    #[test]
    fn what_needs_tls_is_refused() {
        for (name, url) in [("discovery", "https://h/t"), ("discovery-endpoints", "HTTPS://h:1")] {
            let flags = [(name, url), TOKEN];
            let flags = if name == "discovery" { &flags[..1] } else { &flags[..] };
            let text = format!("--{name}={url}: TLS is not available in this version yet");
            assert_eq!(refused(flags), text);
        }
        assert_eq!(
            refused(&[("discovery", "host/t")]),
            "--discovery=\"host/t\" must be a URL with http"
        );
        assert!(refused(&[ENDPOINTS, TOKEN, ("discovery-user", "a")]).contains("set together"));
        assert_eq!(
            refused(&[ENDPOINTS, TOKEN, ("discovery-dial-timeout", "0s")]),
            "--discovery-dial-timeout must be greater than 0"
        );
    }
}
