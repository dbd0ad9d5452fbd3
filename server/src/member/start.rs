//! Starting the member's threads, and stopping them in order.

use super::apply::{Apply, Batching};
use super::background::{Maintenance, background};
use super::gathering::{Gathering, Grouping};
use super::handle::{Event, Limits, Member};
use super::log::{self, Writer};
use super::log_stall::LogStall;
use super::mailbox::{Events, Mailbox};
use super::outgoing::Outgoing;
use super::raft_loop::RaftLoop;
use super::read_gate::ReadGate;
use super::scrub::{ScrubLoop, ScrubPace};
use super::segments::segments;
use super::snapshots::Snapshots;
use super::stage::Stage;
use super::status::Status;
use super::{Failure, Inboxes};
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::random::random;
use crossbeam_channel::{Sender, bounded};
use retcd_raft_glue::{DataDir, Parts};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the apply thread wakes for nothing: it has nothing to look after.
const APPLY_IDLE: Duration = Duration::from_secs(60);

/// How the member runs.
pub(crate) struct MemberOptions {
    /// Length of a raft tick.
    pub(crate) tick: Duration,
    /// After this long without a leader there is an election.
    pub(crate) election_timeout: Duration,
    /// Limits at the door.
    pub(crate) limits: Limits,
    /// How log groups are made.
    pub(crate) grouping: Grouping,
    /// The storage engine's name: snapshots are of one.
    pub(crate) engine: &'static str,
    /// When applied entries are published.
    pub(crate) batching: Batching,
    /// For an engine whose commits have a longest distance: that.
    pub(crate) commit_interval: Option<Duration>,
    /// Applying an entry longer than this is logged.
    pub(crate) slow_apply: Duration,
    /// Log segments to keep for members that lag; 0 for no limit.
    pub(crate) segments_max: usize,
    /// Threads for flushes and merges.
    pub(crate) maintenance_threads: usize,
    /// How the engine's files are scrubbed; `None` for not at all.
    pub(crate) scrub: Option<ScrubPace>,
}

/// A member whose threads run.
pub(crate) struct RunningMember {
    /// What services hold.
    pub(crate) member: Arc<Member>,
    raft: JoinHandle<()>,
    log: JoinHandle<()>,
    segments: JoinHandle<()>,
    apply: JoinHandle<()>,
    maintenance: Vec<JoinHandle<()>>,
    scrub: Option<ScrubThread>,
    /// Keeps other processes out until all threads are gone.
    data_dir: DataDir,
}

/// The scrub thread, which ends when its sender is dropped.
struct ScrubThread {
    running: Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts the threads. What ends the member early is sent to `failures`.
pub(crate) fn start(
    parts: Parts,
    options: MemberOptions,
    metrics: Arc<Metrics>,
    inboxes: Inboxes,
    (Mailbox { events, .. }, Events(event_queue)): (Mailbox, Events),
    peers: Arc<Peers>,
    failures: Sender<Failure>,
) -> io::Result<RunningMember> {
    let (background, maintenance) = background(parts.engine.clone(), options.commit_interval);
    let member = Arc::new(Member {
        store: parts.store,
        engine: parts.engine.clone(),
        snapshots: Snapshots::open(&parts.data_dir, &parts.engine, options.engine, &metrics)?,
        identity: parts.identity,
        status: Arc::<Status>::default(),
        limits: options.limits,
        started: Instant::now(),
        metrics,
        reads: ReadGate::new(first_context(parts.identity.member)?, inboxes.clone()),
        outgoing: Outgoing::open(parts.data_dir.vfs().clone(), parts.data_dir.outgoing())?,
        background,
        events: events.clone(),
        inboxes,
        is_leader: AtomicBool::new(false),
        election_timeout: options.election_timeout,
        failures,
    });
    let retcd_raft_glue::Status { applied, last, .. } = parts.consensus.status();
    member.status.set_applied(applied);
    member.membership_applied(&peers);
    let (log_depth, log_overlaps) = (parts.log.depth(), parts.log.overlaps());
    let (segments, segment_loop) = segments();
    let log = Arc::new(Stage::new(Writer {
        log: parts.log,
        raft: events.clone(),
        member: member.clone(),
        gathering: Gathering::new(options.grouping.clone()),
        under_way: VecDeque::with_capacity(log_depth),
        segments_max: options.segments_max,
        segments,
        groups_since_look: 0,
    }));
    let apply = Arc::new(Stage::new(Apply {
        applier: parts.applier,
        raft: events,
        member: member.clone(),
        peers: peers.clone(),
        engine: parts.engine,
        batching: options.batching,
        slow: options.slow_apply,
        unanswered: last,
        publications: 0,
    }));
    let raft = RaftLoop {
        consensus: parts.consensus,
        events: event_queue,
        log: log.clone(),
        apply: apply.clone(),
        member: member.clone(),
        peers,
        tick: options.tick,
        groups_wait: !options.grouping.delay.is_zero(),
        log_overlaps,
        applied,
        lone_leader_from: 0,
        log_stall: LogStall::default(),
        stops_at: None,
    };
    Ok(RunningMember {
        raft: spawn("raft", &member, move || raft.run())?,
        log: spawn("log", &member, move || log.run(log::IDLE))?,
        segments: spawn("segments", &member, move || segment_loop.run())?,
        apply: spawn("apply", &member, move || apply.run(APPLY_IDLE))?,
        maintenance: start_maintenance(maintenance, options.maintenance_threads, &member)?,
        scrub: options.scrub.map(|pace| start_scrub(pace, &member)).transpose()?,
        data_dir: parts.data_dir,
        member,
    })
}

/// Where a member's contexts of reads begin: they travel to the leader, so they must differ from
/// other members', and from those of this one's lives before, whose answers may still come. Random,
/// because clocks go back.
fn first_context(member: u64) -> io::Result<u64> {
    const OWN_BITS: u32 = 48;
    // The top one of its own bits is left for counting.
    Ok((member << OWN_BITS) | (random()? >> (u64::BITS - OWN_BITS + 1)))
}

fn start_maintenance(
    first: Maintenance,
    threads: usize,
    member: &Arc<Member>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let helpers: Vec<Maintenance> = (1..threads).map(|_| first.helper()).collect();
    let start = |maintenance: Maintenance| {
        let of = member.clone();
        spawn("maintenance", member, move || maintenance.run(&of))
    };
    std::iter::once(first).chain(helpers).map(start).collect()
}

fn start_scrub(pace: ScrubPace, member: &Arc<Member>) -> io::Result<ScrubThread> {
    let (running, stop) = bounded(0);
    let thread = spawn("scrub", member, {
        let member = member.clone();
        move || ScrubLoop { pace, stop }.run(&member)
    })?;
    Ok(ScrubThread { running, thread })
}

/// Runs a part of the member on a thread of its own. However it fails, the member stops serving.
fn spawn(
    name: &'static str,
    member: &Arc<Member>,
    run: impl FnOnce() -> Result<(), Failure> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let member = member.clone();
    std::thread::Builder::new().name(name.into()).spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        match result {
            Ok(Ok(())) | Ok(Err(Failure::Stopped)) => {}
            Ok(Err(failure)) => member.fail(failure),
            Err(_) => member.fail(Failure::Panicked(name)),
        }
    })
}

impl RunningMember {
    /// Stops the threads in the order in which work passes through them. Whoever still waits for an
    /// answer is told that the server stopped.
    pub(crate) fn stop(self) {
        self.member.status.stop();
        // The raft thread may have failed already.
        let _ = self.member.events.send(Event::Stop);
        let join = |thread: JoinHandle<()>| {
            // A panic was reported when it happened.
            let _ = thread.join();
        };
        if let Some(ScrubThread { running, thread }) = self.scrub {
            drop(running);
            join(thread);
        }
        join(self.raft);
        self.member.snapshots.sender.stop();
        join(self.log);
        join(self.segments);
        join(self.apply);
        self.member.background.doorbell.stop();
        self.maintenance.into_iter().for_each(join);
        self.member.inboxes.close();
        self.member.reads.close();
        drop(self.data_dir);
    }
}
