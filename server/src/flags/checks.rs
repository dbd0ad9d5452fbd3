//! etcd's checks of the settings as a whole, in etcd's order and words.

use super::config::Urls;
use super::gates::Gates;
use super::resolve::Source;
use super::settings::Settings;
use super::{discovery, go};
use retcd_api::url::{self, Scheme, Url};

/// Longest election timeout, in milliseconds.
const ELECTION_MS_MAX: u64 = 50_000;

/// Runs all of them; the first that fails is told.
pub(super) fn check_as_etcd(
    settings: &Settings,
    urls: &Urls,
    gates: &Gates,
    source: Source,
) -> Result<(), String> {
    for listen in
        [&urls.listen_peer, &urls.listen_client, &urls.listen_client_http, &urls.listen_metrics]
    {
        check_bind(listen)?;
    }
    check_hosts("initial-advertise-peer-urls", &urls.advertise_peer)?;
    check_hosts("advertise-client-urls", &urls.advertise_client)?;
    discovery::check_as_etcd(settings, source)?;
    check_ticks(settings.uint("heartbeat-interval"), settings.uint("election-timeout"))?;
    let listen_only =
        settings.is_set("listen-client-urls") && !settings.is_set("advertise-client-urls");
    if source == Source::CommandLine && listen_only {
        return Err(
            "--advertise-client-urls is required when --listen-client-urls is set explicitly"
                .to_owned(),
        );
    }
    let mode = settings.text("auto-compaction-mode");
    if !["", "revision", "periodic"].contains(&mode.as_str()) {
        let mode = go::quote(&mode);
        return Err(format!("unknown auto-compaction-mode {mode}"));
    }
    if gates.is_on("LeaseCheckpointPersist") && !gates.is_on("LeaseCheckpoint") {
        return Err("setting experimental-enable-lease-checkpoint-persist requires \
                    experimental-enable-lease-checkpoint"
            .to_owned());
    }
    let hash_check = settings.nanos("compact-hash-check-time");
    if hash_check <= 0 {
        let time = go::format_duration(hash_check);
        return Err(format!("--experimental-compact-hash-check-time must be >0 (set to {time})"));
    }
    check_tls(settings)
}

/// Only plain HTTP can be listened on so far; what is advertised may lead through a TLS proxy.
pub(super) fn refuse_other_schemes(urls: &Urls) -> Result<(), String> {
    for (name, listen) in [
        ("listen-peer-urls", &urls.listen_peer),
        ("listen-client-urls", &urls.listen_client),
        ("listen-client-http-urls", &urls.listen_client_http),
        ("listen-metrics-urls", &urls.listen_metrics),
    ] {
        for url in listen {
            let what = match url.scheme {
                Scheme::Http => continue,
                Scheme::Https => "TLS is",
                Scheme::Unix | Scheme::Unixs => "sockets in the file system are",
            };
            return Err(format!("--{name}={url}: {what} not available in this version yet"));
        }
        for url in listen {
            url.bind_address()?;
        }
    }
    Ok(())
}

fn check_bind(urls: &[Url]) -> Result<(), String> {
    for url in urls {
        let named = url.host() != "localhost" && url.host().parse::<std::net::IpAddr>().is_err();
        if matches!(url.scheme, Scheme::Http | Scheme::Https) && named {
            return Err(format!("expected IP in URL for binding ({url})"));
        }
    }
    Ok(())
}

fn check_hosts(name: &str, urls: &[Url]) -> Result<(), String> {
    for url in urls {
        let what = match url.scheme {
            Scheme::Http | Scheme::Https if url.host().is_empty() => {
                format!("unexpected empty host ({url})")
            }
            Scheme::Http | Scheme::Https => continue,
            Scheme::Unix | Scheme::Unixs => {
                format!("address {}: missing port in address", url.authority)
            }
        };
        let urls = go::quote(&url::join(urls));
        return Err(format!("--{name} {urls} must be \"host:port\" ({what})"));
    }
    Ok(())
}

fn check_ticks(tick: u64, election: u64) -> Result<(), String> {
    if tick == 0 {
        return Err("--heartbeat-interval must be >0 (set to 0ms)".to_owned());
    }
    if election == 0 {
        return Err("--election-timeout must be >0 (set to 0ms)".to_owned());
    }
    if tick.checked_mul(5).is_none_or(|ticks| ticks > election) {
        return Err(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as \
             --heartbeat-interval[{tick}ms]"
        ));
    }
    if election > ELECTION_MS_MAX {
        return Err(format!(
            "--election-timeout[{election}ms] is too long, and should be set less than \
             {ELECTION_MS_MAX}ms"
        ));
    }
    Ok(())
}

fn check_tls(settings: &Settings) -> Result<(), String> {
    let version = |name: &str| {
        let text = settings.text(name);
        match text.as_str() {
            "" => Ok(None),
            "TLS1.2" => Ok(Some(2)),
            "TLS1.3" => Ok(Some(3)),
            _ => {
                let text = go::quote(&text);
                Err(format!("unexpected TLS version {text} (must be one of: TLS1.2, TLS1.3)"))
            }
        }
    };
    let (min, max) = (version("tls-min-version")?, version("tls-max-version")?);
    if max.is_some() && min > max {
        let (min, max) = (settings.text("tls-min-version"), settings.text("tls-max-version"));
        return Err(format!("min version ({min}) is greater than max version ({max})"));
    }
    if min == Some(3) && !settings.list("cipher-suites").is_empty() {
        return Err("cipher suites cannot be configured when only TLS1.3 is enabled".to_owned());
    }
    Ok(())
}
