//! A member without data finds those with whom it founds a cluster, if its flags say where to look
//! instead of naming them.

use crate::flags::{ClusterState, Config, Discovery, InitialCluster, Url, member_names};
use crate::lifecycle::{self, Signals};
use crate::run::End;
use crossbeam_channel::{RecvError, bounded, select};
use retcd_discovery::peers::{self, PeerUrl, Search};
use retcd_discovery::registry::{Candidate, Error};
use retcd_discovery::srv::Dns;
use retcd_discovery::{v2, v3};
use retcd_mvcc::membership::member_id;
use std::fmt;
use std::io;

/// Why nobody was found.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The registry says why.
    Registry(Error),
    /// Something else, in etcd's words.
    Other(String),
    /// The program was told to end.
    Signal(i32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Registry(error) => write!(f, "failed to join discovery cluster ({error})"),
            Failure::Other(text) => f.write_str(text),
            Failure::Signal(signal) => {
                write!(f, "ended by {} while looking for members", lifecycle::name(*signal))
            }
        }
    }
}

impl Failure {
    /// Logs what etcd logs, and tells how the program ends.
    pub(crate) fn tell(&self, config: &Config) -> End {
        let token = config.discovery.as_ref().and_then(Discovery::token).unwrap_or_default();
        match self {
            Failure::Signal(signal) => return End::Signal(*signal),
            Failure::Other(error) => {
                let error = error.as_str();
                crate::log_fatal!(error, "discovery failed");
            }
            Failure::Registry(error @ Error::DuplicateId) => {
                tracing::warn!(
                    name = config.name.as_str(),
                    "discovery-token" = token,
                    %error,
                    "member has been registered with discovery service"
                );
                tracing::warn!(
                    "data-dir" = %config.data_dir.display(),
                    "but could not find valid cluster configuration"
                );
                tracing::warn!("check data dir if previous bootstrap succeeded");
                tracing::warn!("or use a new discovery token if previous bootstrap failed");
            }
            Failure::Registry(error @ Error::DuplicateName) => {
                tracing::warn!(
                    "discovery-token" = token,
                    %error,
                    "member with duplicated name has already been registered"
                );
                tracing::warn!("cURL the discovery token URL for details");
                tell_used_up();
            }
            Failure::Registry(_) => {
                tracing::warn!(
                    "discovery-token" = token,
                    error = %self,
                    "failed to bootstrap; discovery token was already used"
                );
                tell_used_up();
            }
        }
        End::Failed
    }
}

fn tell_used_up() {
    tracing::warn!("do not reuse discovery token; generate a new one to bootstrap a cluster");
}

/// Says that a member with data doesn't look for others.
pub(crate) fn tell_ignored(config: &Config) {
    if config.discovery.as_ref().is_some_and(|discovery| discovery.token().is_some()) {
        tracing::warn!(
            "wal-dir" = %config.log_dir().display(),
            "discovery token is ignored since cluster already initialized; valid logs are found"
        );
    }
}

/// The founders: those that the flags name, or those that are found.
pub(crate) fn initial_cluster(
    config: &Config,
    signals: &Signals,
) -> Result<InitialCluster, Failure> {
    let flags = &config.initial_cluster;
    let members = match &config.discovery {
        None => flags.members.clone(),
        Some(Discovery::Dns { domain, service_name }) => {
            let members = until_signal(signals, || find_by_dns(config, domain, service_name))?;
            members.map_err(|what| {
                Failure::Other(format!("error setting up initial cluster: {what}"))
            })?
        }
        Some(registry) => {
            if flags.state == ClusterState::Existing {
                return Err(Failure::Other(
                    "discovery URL should not be set when joining existing initial cluster"
                        .to_owned(),
                ));
            }
            until_signal(signals, || join(config, registry))?.map_err(Failure::Registry)?
        }
    };
    Ok(InitialCluster { members, ..flags.clone() })
}

async fn join(config: &Config, registry: &Discovery) -> Result<String, Error> {
    let urls: Vec<String> = config.urls.advertise_peer.iter().map(Url::to_string).collect();
    let named: Vec<String> = urls.iter().map(|url| format!("{}={url}", config.name)).collect();
    let count_members = |text: &str| member_names(text).ok().map(|names| names.len());
    let candidate = Candidate {
        member_id: member_id(&urls, &config.initial_cluster.token, None),
        contents: &named.join(","),
        count_members: &count_members,
    };
    match registry {
        Discovery::V2(settings) => v2::join(settings, candidate).await,
        Discovery::V3(settings) => v3::join(settings, candidate).await,
        Discovery::Dns { .. } => Err(Error::BadEndpoint),
    }
}

async fn find_by_dns(config: &Config, domain: &str, suffix: &str) -> Result<String, String> {
    let advertised: Vec<PeerUrl> = config.urls.advertise_peer.iter().map(peer_url).collect();
    let name = config.name.as_str();
    let search = Search { domain, suffix, name, advertised: &advertised };
    let members = peers::find(&Dns::of_system(), search).await.map_err(|error| {
        tracing::warn!(%error, "failed to resolve during SRV discovery");
        error.to_string()
    })?;
    for member in &members {
        tracing::info!(node = member.as_str(), "got bootstrap from DNS for etcd-server");
    }
    let members = members.join(",");
    match member_names(&members)?.contains(name) {
        true => Ok(members),
        false => Err(format!("cannot find local etcd member {name:?} in SRV records")),
    }
}

fn peer_url(url: &Url) -> PeerUrl {
    PeerUrl { scheme: url.scheme.as_str().to_owned(), host_port: url.host_port().to_owned() }
}

/// Does the work on a thread of its own, and gives it up when a signal comes.
fn until_signal<T: Send, F: Future<Output = T>>(
    signals: &Signals,
    work: impl FnOnce() -> F + Send,
) -> Result<T, Failure> {
    let failure = |error: io::Error| Failure::Other(format!("looking for members: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failure)?;
    let (done, is_done) = bounded(1);
    let (give_up, given_up) = tokio::sync::oneshot::channel::<()>();
    let run = move || {
        let result = runtime.block_on(async {
            tokio::select! {
                result = work() => Some(result),
                _ = given_up => None,
            }
        });
        // The system's resolver can't be interrupted, and isn't waited for.
        runtime.shutdown_background();
        // Nobody listens any more if a signal came first.
        let _ = done.send(result);
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("discovery".to_owned());
        thread.spawn_scoped(scope, run).map_err(failure)?;
        select! {
            recv(is_done) -> result => match result {
                Ok(Some(result)) => Ok(result),
                Ok(None) | Err(RecvError) => {
                    Err(Failure::Other("looking for members failed".to_owned()))
                }
            },
            recv(signals.received()) -> signal => {
                drop(give_up);
                let signal = signal.unwrap_or(lifecycle::SIGTERM);
                tracing::info!(signal = lifecycle::name(signal), "received signal; shutting down");
                Err(Failure::Signal(signal))
            }
        }
    })
}
