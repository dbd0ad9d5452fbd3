//! The program from its flags to its end.
//!
//! 1. Listen on every address, so that one in use is found before the data directory is touched.
//! 2. Open or create the data directory.
//! 3. Start the network threads and the member's threads.
//! 4. Tell the cluster this member's name and client URLs, which needs a leader: then it is ready.
//! 5. Wait for a signal or a failure; stop in the opposite order.

use crate::compactor::Retention;
use crate::flags::{AutoCompaction, Config, EngineKind, Url};
use crate::lifecycle::{self, Signals};
use crate::member::{
    self, Batching, Carries, Failure, Grouping, Inboxes, Limits, Member, MemberOptions,
    RunningMember, ScrubPace,
};
use crate::metrics::{Facts, Metrics};
use crate::net::{ConnectionOptions, NetworkThreads, Served, bind};
use crate::peers::{Local, PeerSite, Peers};
use crate::rpc::Rpc;
use crate::site::{ClientSite, PagesSite};
use crate::{cluster_version, compaction_hash, corruption, storage, tasks};
use crossbeam_channel::{Receiver, unbounded};
use prost::Message;
use retcd_api::membershippb::{Attributes, ClusterMemberAttrSetRequest};
use retcd_engine::Engine;
use retcd_raft_glue::{Parts, StoodAlone};
use retcd_wal::Identity;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an unanswered ping may stay so if the flag says for ever.
const PING_TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// How long to wait before this member is published again.
const PUBLISH_RETRY: Duration = Duration::from_millis(500);

/// Why the program ended.
pub(crate) enum End {
    /// This signal came, and everything was closed.
    Signal(i32),
    /// The member was removed from the cluster.
    Removed,
    /// It couldn't start or go on; the reason was logged.
    Failed,
}

struct Listeners {
    client: Vec<TcpListener>,
    client_http: Vec<TcpListener>,
    metrics: Vec<TcpListener>,
    peer: Vec<TcpListener>,
}

/// Runs the member until a signal or a failure.
pub(crate) fn run(config: &Config, signals: Signals) -> End {
    match try_run(config, signals) {
        Ok(end) => end,
        Err(failure) => match failure.downcast_ref() {
            Some(storage::Error::Discovery(failure)) => failure.tell(config),
            _ => {
                crate::log_fatal!(error = %failure, "discovery failed");
                End::Failed
            }
        },
    }
}

/// Raises the limit of open files as far as it may be, as Go's runtime does for etcd: a file that
/// can't be opened ends the member.
fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        if let Err(error) = raised {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

fn try_run(config: &Config, signals: Signals) -> Result<End, Box<dyn std::error::Error>> {
    raise_open_files_limit();
    let listeners = listen(config)?;
    let parts = storage::open(config, &signals)?;
    let log_io = storage::log_io(parts.log.mode());
    tell_opened(config, &parts);
    if config.corrupt_checks.initially {
        let Identity { cluster, member } = parts.identity;
        corruption::check_initially(&parts.store, cluster, member)?;
    }
    let metrics = Arc::new(Metrics::new(&Facts {
        member_id: parts.identity.member,
        quota_bytes: config.quota_bytes,
        log_io: log_io.to_owned(),
        log_depth: parts.log.depth(),
        detail: config.metrics,
    }));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let inboxes = Inboxes::new(threads);
    let network = start_network(threads, &inboxes, parts.identity.member)?;
    let (failures, failed) = unbounded();
    let mailbox = member::mailbox();
    let local = Local {
        cluster: parts.identity.cluster,
        member: parts.identity.member,
        peer_urls: config.urls.advertise_peer.clone(),
    };
    let runtimes = (0..threads).map(|number| network.handle(number).clone()).collect();
    let peers = Peers::new(local, mailbox.0.clone(), metrics.clone(), runtimes, network.closing());
    let options = member_options(config);
    let running =
        member::start(parts, options, metrics.clone(), inboxes, mailbox, peers.clone(), failures)?;
    serve(config, listeners, &network, &running, &peers, &metrics)?;
    start_tasks(config, &network, &running.member);
    let end = wait(&signals, &failed);
    if let Ok(failure) = &end {
        tracing::error!(error = %failure, "the member stops serving");
    }
    if end.is_err() {
        network.handle(0).block_on(hand_over(&running.member, &peers));
    }
    network.stop();
    running.stop();
    tracing::info!(name = config.name.as_str(), "closed etcd server");
    Ok(match end {
        Ok(Failure::Removed) => End::Removed,
        Ok(_) => End::Failed,
        Err(signal) => End::Signal(signal),
    })
}

/// Says what was found in the data directory, and what was done with it.
fn tell_opened(config: &Config, parts: &Parts) {
    let id = format!("{:x}", parts.identity.member);
    tracing::info!(
        "data-dir" = %config.data_dir.display(),
        "local-member-id" = %id,
        "cluster-id" = %format_args!("{:x}", parts.identity.cluster),
        found = storage::opened(&parts.opened).as_str(),
        "applied-index" = parts.engine.applied().index,
        "opened the data directory"
    );
    tracing::info!(
        "wal-io" = storage::log_io(parts.log.mode()),
        "wal-depth" = parts.log.depth(),
        because = storage::log_io_reason(config, &parts.log).as_str(),
        "chose how the log writes"
    );
    if let Some(StoodAlone { kept, dropped, removed }) = &parts.stood_alone {
        let removed: Vec<String> = removed.iter().map(|id| format!("{id:x}")).collect();
        tracing::warn!(
            "local-member-id" = %id,
            "commit-index" = kept,
            "number-of-discarded-entries" = dropped,
            "removed-member-ids" = removed.join(", "),
            "forcing restart member"
        );
    }
}

/// Hands leadership to the voter that has been connected longest, if there is one: then the others
/// needn't wait for an election.
async fn hand_over(member: &Member, peers: &Peers) {
    if !member.is_leader() {
        return;
    }
    let voters: Vec<u64> =
        member.store.with_members(|members| members.voters().map(|voter| voter.id).collect());
    let longest = voters.into_iter().filter_map(|id| Some((peers.active_for(id)?, id))).max();
    let Some((_, to)) = longest else { return };
    let to_text = format!("{to:x}");
    match member.transfer_leadership(to).await {
        Ok(()) => tracing::info!("transferee-id" = %to_text, "leadership transfer finished"),
        Err(error) => {
            let error = error.message();
            tracing::warn!("transferee-id" = %to_text, error, "leadership transfer failed");
        }
    }
}

/// Waits for what ends the program: a failure, or the number of a signal.
fn wait(signals: &Signals, failed: &Receiver<Failure>) -> Result<Failure, i32> {
    crossbeam_channel::select! {
        recv(failed) -> failure => Ok(failure.unwrap_or(Failure::Stopped)),
        recv(signals.received()) -> signal => {
            let signal = signal.unwrap_or(lifecycle::SIGTERM);
            tracing::info!(signal = lifecycle::name(signal), "received signal; shutting down");
            Err(signal)
        }
    }
}

fn listen(config: &Config) -> Result<Listeners, crate::net::BindError> {
    let all = |urls: &[Url]| -> Result<Vec<_>, _> {
        urls.iter().map(|url| bind(url.host_port())).collect()
    };
    let peer = all(&config.urls.listen_peer)?;
    let client = all(&config.urls.listen_client)?;
    let client_http = all(&config.urls.listen_client_http)?;
    let metrics = all(&config.urls.listen_metrics)?;
    Ok(Listeners { client, client_http, metrics, peer })
}

fn start_network(threads: usize, inboxes: &Inboxes, id: u64) -> std::io::Result<NetworkThreads> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let enter = inboxes.clone();
    let network =
        NetworkThreads::start(threads, move |number| enter.enter(number, id, since_epoch))?;
    for number in 0..inboxes.len() {
        network.handle(number).spawn(inboxes.clone().deliver(number));
    }
    Ok(network)
}

fn member_options(config: &Config) -> MemberOptions {
    MemberOptions {
        tick: config.raft.tick,
        election_timeout: config.raft.election_timeout(),
        limits: Limits {
            request_bytes_max: config.requests.request_bytes_max as usize,
            txn_ops_max: config.requests.txn_ops_max as usize,
            request_timeout: config.request_timeout(),
            strict_reconfig: config.raft.strict_reconfig,
        },
        grouping: Grouping {
            bytes_max: config.storage.group_bytes as usize,
            delay: config.storage.group_delay,
        },
        engine: match config.storage.engine {
            EngineKind::Lsm => "lsm",
            EngineKind::Btree => "btree",
        },
        batching: Batching {
            limit: config.batch.operations_max as usize,
            interval: config.batch.interval,
        },
        commit_interval: match config.storage.engine {
            EngineKind::Lsm => None,
            EngineKind::Btree => Some(config.batch.interval),
        },
        slow_apply: config.warning_apply_duration,
        segments_max: config.storage.segments_max.map_or(0, |max| max as usize),
        maintenance_threads: config.storage.compaction_threads as usize,
        scrub: config.storage.scrub_interval.map(|interval| ScrubPace {
            interval,
            bytes_per_second: config.storage.scrub_bytes_per_second,
        }),
    }
}

fn serve(
    config: &Config,
    listeners: Listeners,
    network: &NetworkThreads,
    running: &RunningMember,
    peers: &Arc<Peers>,
    metrics: &Arc<Metrics>,
) -> std::io::Result<()> {
    let options = ConnectionOptions {
        streams_max: config.requests.concurrent_streams_max,
        ping_interval: config.keepalive.interval,
        ping_timeout: config.keepalive.timeout.unwrap_or(PING_TIMEOUT_MAX),
        grace: config.request_timeout(),
    };
    let rpc = Arc::new(Rpc {
        member: running.member.clone(),
        peers: peers.clone(),
        metrics: metrics.clone(),
        progress_interval: config.watch_progress_interval,
        closing: network.closing(),
    });
    let pages = crate::pages::pages(config, &running.member, metrics);
    let beside_grpc = match listeners.client_http.is_empty() {
        true => pages.clone(),
        false => pages.for_grpc_alone(),
    };
    for listener in listeners.client {
        let address = listener.local_addr()?;
        let text = "serving client traffic insecurely; this is strongly discouraged!";
        tracing::info!(%address, "{text}");
        let answerer = ClientSite { rpc: Arc::clone(&rpc), pages: beside_grpc.clone() };
        network.serve(Served { listener, answerer, options: options.clone() })?;
    }
    for listener in listeners.client_http {
        let answerer = PagesSite { pages: pages.clone() };
        network.serve(Served { listener, answerer, options: options.clone() })?;
    }
    for listener in listeners.metrics {
        let answerer = PagesSite { pages: pages.for_metrics() };
        network.serve(Served { listener, answerer, options: options.clone() })?;
    }
    for listener in listeners.peer {
        tracing::info!(address = %listener.local_addr()?, "serving peer traffic");
        let answerer = PeerSite {
            member: running.member.clone(),
            peers: peers.clone(),
            pages: pages.for_peers(),
        };
        network.serve(Served { listener, answerer, options: options.clone() })?;
    }
    Ok(())
}

fn start_tasks(config: &Config, network: &NetworkThreads, member: &Arc<Member>) {
    let attributes = Attributes {
        name: config.name.clone(),
        client_urls: config.urls.advertise_client.iter().map(Url::to_string).collect(),
    };
    network.handle(0).spawn(publish(member.clone(), attributes));
    network.handle(0).spawn(cluster_version::keep(member.clone(), network.closing()));
    network.handle(0).spawn(tasks::end_leases(member.clone()));
    if let Some(period) = config.corrupt_checks.period {
        let watch = corruption::watch(member.clone(), period, network.closing());
        network.handle(0).spawn(watch);
    }
    if let Some(period) = config.corrupt_checks.compactions {
        let watch = compaction_hash::watch(member.clone(), period, network.closing());
        network.handle(0).spawn(watch);
    }
    let retention = match config.auto_compaction {
        AutoCompaction::Off => return,
        AutoCompaction::Periodic(time) => Retention::Time(time),
        AutoCompaction::Revision(kept) => Retention::Revisions(kept as i64),
    };
    network.handle(0).spawn(tasks::compact(member.clone(), retention));
}

/// Tells the cluster who this member is, as often as it takes; then the member is ready.
async fn publish(member: Arc<Member>, attributes: Attributes) {
    let name = attributes.name.clone();
    let request = ClusterMemberAttrSetRequest {
        member_id: member.identity.member,
        member_attributes: Some(attributes),
    };
    let request = request.encode_to_vec();
    loop {
        // Without a leader there is nothing to try.
        if !member.status.wait_until(|status| status.leader() != 0).await {
            return;
        }
        let Err(error) = member.propose(Carries::ClusterMemberAttrSet, &request).await else {
            break;
        };
        if member.status.is_stopped() {
            return;
        }
        let error = error.message();
        tracing::warn!(error, "failed to publish local member to cluster through raft");
        tokio::time::sleep(PUBLISH_RETRY).await;
    }
    tracing::info!(name = name.as_str(), "published local member to cluster through raft");
    tracing::info!("ready to serve client requests");
    lifecycle::notify_ready();
}
