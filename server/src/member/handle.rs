//! What services hold of the running member: proposals, read permission, state to read.

use super::background::Background;
use super::entry::{self, Carries};
use super::mailbox::Room;
use super::outgoing::Outgoing;
use super::pending::{Answer, Inboxes, Pending};
use super::read_gate::ReadGate;
use super::snapshots::Snapshots;
use super::status::Status;
use super::{Failure, admission};
use crate::metrics::Metrics;
use crossbeam_channel::Sender;
use prost::Message;
use retcd_api::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmType, LeaseCheckpoint, LeaseCheckpointRequest, ResponseHeader,
    alarm_request::AlarmAction,
};
use retcd_api::{Code, Error, Result, raftpb};
use retcd_engine::Engine;
use retcd_mvcc::{Response, Store};
use retcd_raft_glue::{Input, Member as Consensus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Committed entries that may wait to be applied before proposals are refused. etcd's number.
const UNAPPLIED_MAX: u64 = 5000;

/// What is said of a proposal that found no leader. etcd's text, which no client sees.
pub(super) const DROPPED: &str = "raft proposal dropped";

/// How long to wait before such a proposal is made again.
const PROPOSE_RETRY: Duration = Duration::from_millis(10);

/// What the raft thread is told.
pub(crate) enum Event {
    /// An input for the consensus.
    Input(Input),
    /// A peer's message, and the room that it takes until it is stepped.
    Peer(Box<raftpb::Message>, Room),
    /// A peer says that this member was removed from the cluster.
    Removed,
    /// Shows the consensus to somebody.
    Inspect(Box<dyn FnOnce(&Consensus) + Send>),
    /// Stop.
    Stop,
}

/// Limits that requests meet at the door.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Largest entry, in bytes.
    pub(crate) request_bytes_max: usize,
    /// Most operations in a transaction.
    pub(crate) txn_ops_max: usize,
    /// How long a proposal or a linearizable read may wait.
    pub(crate) request_timeout: Duration,
    /// Whether changes of the membership that endanger the quorum are refused.
    pub(crate) strict_reconfig: bool,
}

/// The running member, as its services see it.
pub(crate) struct Member {
    /// The replicated state.
    pub(crate) store: Arc<Store>,
    /// What it is stored in.
    pub(crate) engine: Arc<dyn Engine>,
    /// Cluster and member id.
    pub(crate) identity: retcd_wal::Identity,
    /// Raft's numbers.
    pub(crate) status: Arc<Status>,
    /// Limits at the door.
    pub(crate) limits: Limits,
    /// When the member's clock started: lease times count from here.
    pub(crate) started: Instant,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
    /// Where snapshots for clients are made.
    pub(crate) outgoing: Outgoing,
    /// Snapshots to other members, and from them.
    pub(crate) snapshots: Snapshots,
    /// Reads that wait for raft.
    pub(super) reads: ReadGate,
    pub(super) background: Background,
    pub(super) events: Sender<Event>,
    pub(super) inboxes: Inboxes,
    pub(super) is_leader: AtomicBool,
    pub(super) election_timeout: Duration,
    pub(super) failures: Sender<Failure>,
}

impl Member {
    /// Proposes a request and waits until it is applied.
    ///
    /// # Errors
    ///
    /// etcd's: `request is too large`, `too many requests`, `request timed out`, `server stopped`,
    /// and whatever applying it answers.
    pub(crate) async fn propose(&self, carries: Carries, request: &[u8]) -> Result<Response> {
        if self.status.unapplied() > UNAPPLIED_MAX {
            return Err(Error::RequestTooManyRequests);
        }
        admission::admit(&*self.engine, &self.metrics).await?;
        let under_way = self.metrics.proposal();
        let proposed = self.propose_to_leader(carries, request);
        match tokio::time::timeout(self.limits.request_timeout, proposed).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(under_way.failed(Error::Stopped)),
            Err(_) => Err(under_way.failed(self.why_late())),
        }
    }

    /// Proposes as often as there is no leader to take it, and waits for the answer. `None` if the
    /// member stops.
    async fn propose_to_leader(&self, carries: Carries, request: &[u8]) -> Option<Answer> {
        loop {
            let mut pending = Pending::register();
            // Whoever stops the member says so before it ends the waits: a request that is
            // registered only afterwards would never be told.
            if self.status.is_stopped() {
                return None;
            }
            let entry = entry::encode(carries, request, pending.id);
            if entry.len() > self.limits.request_bytes_max {
                return Some(Err(Error::RequestTooLarge));
            }
            let propose = Input::Propose { token: pending.id, data: entry };
            self.events.send(Event::Input(propose)).ok()?;
            match pending.answer().await? {
                Err(error) if is_dropped(&error) => {}
                answer => return Some(answer),
            }
            // What was dropped never entered a log. While leadership moves, there may be one, which
            // takes nothing.
            tokio::time::sleep(PROPOSE_RETRY).await;
            if !self.status.wait_until(|status| status.leader() != 0).await {
                return None;
            }
        }
    }

    /// What somebody is told whose time is up.
    fn why_late(&self) -> Error {
        match self.status.leader() {
            0 => Error::TimeoutDueToLeaderFail,
            _ => Error::Timeout,
        }
    }

    /// Waits until reading the local state is linearizable.
    ///
    /// A lone voter that leads and has applied an entry of its term needs no round: nobody else can
    /// have committed anything, and whatever was acknowledged is applied here.
    pub(crate) async fn linearizable(&self) -> Result<()> {
        if self.status.reads_are_linearizable() {
            return Ok(());
        }
        let (confirmed, context) = self.reads.join();
        if let Some(context) = context {
            let ask = Event::Input(Input::ReadIndex { context });
            self.events.send(ask).map_err(|_| Error::Stopped)?;
        }
        match tokio::time::timeout(self.limits.request_timeout, confirmed).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => {
                self.metrics.failed_read();
                Err(Error::Stopped)
            }
            Err(_) => {
                self.metrics.slow_read();
                Err(self.why_late())
            }
        }
    }

    /// A response header at `revision`.
    pub(crate) fn header(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.identity.cluster,
            member_id: self.identity.member,
            revision,
            raft_term: self.status.term(),
        }
    }

    /// A response header at the current revision.
    pub(crate) fn current_header(&self) -> ResponseHeader {
        self.header(self.store.revision())
    }

    /// Time on the member's clock.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Hands leadership to another voter and waits until it has it.
    ///
    /// # Errors
    ///
    /// etcd's: `not leader`, `bad leader transferee`, and its text for one that takes too long.
    pub(crate) async fn transfer_leadership(&self, to: u64) -> Result<()> {
        if !self.is_leader() {
            return Err(Error::NotLeader);
        }
        if !self.store.members().iter().any(|member| member.id == to && !member.is_learner) {
            return Err(Error::BadLeaderTransferee);
        }
        let transfer = Event::Input(Input::TransferLeader { to });
        self.events.send(transfer).map_err(|_| Error::Stopped)?;
        let done = self.status.wait_until(|status| status.leader() == to);
        match tokio::time::timeout(self.limits.request_timeout, done).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Stopped),
            Err(_) => {
                let text = "etcdserver: request timed out, leader transfer took too long";
                Err(Error::Other(Code::Unknown, text.into()))
            }
        }
    }

    /// A read's result, as a client may see it. A failure of the storage stops the member.
    pub(crate) fn checked<T>(&self, result: retcd_mvcc::Result<T>) -> Result<T> {
        result.map_err(|error| match error {
            retcd_mvcc::Error::Refused(error) => error,
            error => {
                self.fail(Failure::State(error));
                Error::Stopped
            }
        })
    }

    /// A watch found that the past can't be read.
    pub(crate) fn watch_failed(&self, error: &retcd_mvcc::Error) {
        self.fail(Failure::Watch(error.to_string()));
    }

    /// Stops serving: nothing is answered from now on, and the program ends.
    pub(super) fn fail(&self, failure: Failure) {
        self.status.stop();
        self.inboxes.close();
        self.reads.close();
        // If the program is ending already, it has its reason.
        let _ = self.failures.send(failure);
    }

    /// An id that no request has had.
    pub(crate) fn next_id(&self) -> u64 {
        super::pending::next_id()
    }

    /// Has all space given back that can be, and waits until that is done.
    pub(crate) async fn defragment(&self) -> Result<()> {
        self.engine.request_merge().map_err(|_| Error::Stopped)?;
        self.background.settled().await
    }

    /// Waits until what a compaction made superfluous is gone from the disk, as far as that is
    /// worth the writing.
    pub(crate) async fn compacted_physically(&self) -> Result<()> {
        self.engine.request_compaction().map_err(|_| Error::Stopped)?;
        self.background.settled().await
    }

    /// Wakes the maintenance threads if memtables wait for them.
    pub(super) fn look_after_engine(&self) {
        if self.engine.stats().frozen_memtables > 0 {
            self.background.doorbell.ring();
        }
    }

    /// Delivers answers to the network threads that wait for them.
    pub(super) fn answer(&self, answers: &mut Vec<(u64, Answer)>) {
        self.inboxes.send(answers);
    }

    /// Proposes on the member's own behalf; nobody waits for the answer.
    pub(crate) fn propose_unattended(&self, carries: Carries, request: &impl Message) {
        let data = entry::encode(carries, &request.encode_to_vec(), 0);
        // At shutdown nobody takes it any more, and nobody needs it.
        let _ = self.events.send(Event::Input(Input::Propose { token: 0, data }));
    }

    /// The same, for what only the leader of a term may propose: it goes to nobody else.
    pub(crate) fn propose_as_leader(&self, term: u64, carries: Carries, request: &impl Message) {
        let data = entry::encode(carries, &request.encode_to_vec(), 0);
        let _ = self.events.send(Event::Input(Input::ProposeAsLeader { term, data }));
    }

    /// A renewed lease has its whole time again: what a checkpoint says of it is out of date.
    pub(crate) fn forget_checkpoint(&self, id: i64) {
        let checkpoints = vec![LeaseCheckpoint { id, remaining_ttl: 0 }];
        let request = LeaseCheckpointRequest { checkpoints };
        self.propose_unattended(Carries::LeaseCheckpoint, &request);
    }

    /// An alarm that applying an entry asks for.
    pub(super) fn raise(&self, alarm: AlarmRequest) {
        tracing::warn!(alarm = alarm.alarm().as_str_name(), "alarm raised");
        self.propose_unattended(Carries::Alarm, &alarm);
    }

    /// There is no space left: the whole cluster stops taking what would need more of it.
    pub(crate) fn raise_no_space(&self) {
        self.raise_own(AlarmType::Nospace);
    }

    /// Asks for an alarm about this member, and answers whether that was needed.
    pub(super) fn raise_own(&self, kind: AlarmType) -> bool {
        self.raise_about(self.identity.member, kind)
    }

    /// A member's content isn't what the others have.
    pub(crate) fn raise_corrupt(&self, member_id: u64) {
        self.raise_about(member_id, AlarmType::Corrupt);
    }

    fn raise_about(&self, member_id: u64, kind: AlarmType) -> bool {
        let is_raised = |alarm: &AlarmMember| alarm.member_id == member_id && alarm.alarm() == kind;
        if self.store.alarms().iter().any(is_raised) {
            return false;
        }
        self.raise(AlarmRequest {
            action: AlarmAction::Activate.into(),
            member_id,
            alarm: kind.into(),
        });
        true
    }

    /// Whether this member leads, as far as it knows.
    pub(crate) fn is_leader(&self) -> bool {
        self.is_leader.load(Ordering::Acquire)
    }

    /// Raft says that roles changed.
    pub(super) fn role_changed(&self, leads: bool, leader: u64, term: u64) {
        let led = self.is_leader.swap(leads, Ordering::AcqRel);
        if led && !leads {
            self.store.demote();
        }
        self.metrics.role(leads, leader != 0);
        if let Some(context) = self.reads.leader_changed(leader != 0) {
            // The raft thread itself is calling: it takes the event when it is through with this.
            let _ = self.events.send(Event::Input(Input::ReadIndex { context }));
        }
        let id = format_args!("{:x}", self.identity.member).to_string();
        if leads {
            tracing::info!("local-member-id" = %id, term, "became leader");
        }
        if leader != 0 {
            let leader = format!("{leader:x}");
            tracing::info!("local-member-id" = %id, "leader-id" = %leader, term, "elected leader");
        }
    }

    /// This member applied the first entry of its own leadership: leases count from now.
    pub(super) fn leads(&self) {
        if self.is_leader() {
            self.store.promote(self.now(), self.election_timeout);
        }
    }

    /// Applying an entry took longer than the operator expects.
    pub(super) fn apply_was_slow(&self, index: u64, took: Duration) {
        self.metrics.slow_apply();
        tracing::warn!(index, took = ?took, "apply request took too long");
    }
}

pub(super) fn is_dropped(error: &Error) -> bool {
    matches!(error, Error::Other(Code::Unknown, text) if text == DROPPED)
}
