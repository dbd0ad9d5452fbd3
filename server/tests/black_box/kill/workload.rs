//! Concurrent writers that record each request and its outcome until the server is killed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use etcd_client::{
    Client, CompactionOptions, Compare, CompareOp, DeleteOptions, Error, LeaseGrantOptions,
    PutOptions, ResponseHeader, Txn, TxnOp,
};
use retcd_testkit::Server;
use retcd_testkit::random::Random;
use tokio::sync::Notify;

use super::history::{Change, History, State};
use crate::common::{connect, soon};

const WRITERS: u64 = 8;
const KEYS: u64 = 60;
/// The kill comes after a number of answers in this range.
const ANSWERS: Range<u64> = 20..1500;
/// No lease expires by itself during a run.
const TTL_SECONDS: i64 = 1_000_000;

/// A request that changes something.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Put {
        key: String,
        value: String,
        lease: i64,
    },
    DeleteRange {
        keys: Range<String>,
    },
    /// Applies only while `guard`'s key has that mod revision (0: is absent).
    Txn {
        guard: (String, i64),
        puts: Vec<(String, String)>,
        delete: String,
    },
    Grant {
        lease: i64,
    },
    Revoke {
        lease: i64,
    },
    Compact {
        revision: i64,
    },
}

/// What is known about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Acknowledged, with its effect at this revision.
    AppliedAt(i64),
    /// Acknowledged; the answer doesn't tell a revision of its own.
    Done,
    /// Acknowledged or refused without an effect on keys.
    NoEffect,
    /// Under way when the server died.
    Unknown,
}

/// A request and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) request: Request,
    pub(crate) outcome: Outcome,
}

impl Request {
    /// The changes that the request makes when it is applied to `state`.
    pub(crate) fn effects(&self, state: &State) -> Vec<Change> {
        let delete = |key: &String| Change::Delete { key: key.clone() };
        let put = |key: &String, value: &String, lease: i64| Change::Put {
            key: key.clone(),
            value: value.clone(),
            lease,
        };
        match self {
            Self::Put { key, value, lease } => vec![put(key, value, *lease)],
            Self::DeleteRange { keys } => {
                state.range(keys.clone()).map(|(key, _)| delete(key)).collect()
            }
            Self::Txn { guard: (key, revision), puts, delete: gone } => {
                if state.get(key).map_or(0, |record| record.mod_revision) != *revision {
                    return Vec::new();
                }
                let puts = puts.iter().map(|(key, value)| put(key, value, 0));
                let deletes = state.contains_key(gone).then(|| delete(gone));
                puts.chain(deletes).collect()
            }
            Self::Revoke { lease } => state
                .iter()
                .filter(|(_, record)| record.lease == *lease)
                .map(|(key, _)| delete(key))
                .collect(),
            Self::Grant { .. } | Self::Compact { .. } => Vec::new(),
        }
    }
}

/// Lets workers write to the server, kills it at a random moment and returns what they tried.
pub(crate) async fn until_killed(
    server: Server,
    history: &History,
    random: &mut Random,
) -> Vec<Attempt> {
    let shared = Arc::new(Shared::default());
    let mut workers = Vec::new();
    for number in 0..WRITERS {
        let worker = Worker {
            client: connect(&server).await,
            random: Random::new(random.number()),
            shared: Arc::clone(&shared),
            attempts: Vec::new(),
            name: format!("{}.{number}", history.last_revision),
            lease_base: (history.last_revision << 16) | ((number as i64) << 12),
        };
        workers.push(tokio::spawn(worker.write()));
    }
    let compactor = Worker {
        client: connect(&server).await,
        random: Random::new(random.number()),
        shared: Arc::clone(&shared),
        attempts: Vec::new(),
        name: String::new(),
        lease_base: 0,
    };
    let compactions = history.compacted_revision.max(0) + 1..history.last_revision + 1;
    workers.push(tokio::spawn(compactor.compact(compactions)));

    let answers = ANSWERS.start + random.below(ANSWERS.end - ANSWERS.start);
    soon(shared.wait_for_answers(answers)).await;
    server.kill().expect("the server lives until it is killed");
    let mut attempts = Vec::new();
    for worker in workers {
        attempts.extend(soon(worker).await.expect("a worker ends by itself"));
    }
    attempts
}

/// Counts the answers of all workers.
#[derive(Default)]
struct Shared {
    answers: AtomicU64,
    answered: Notify,
}

impl Shared {
    async fn wait_for_answers(&self, count: u64) {
        while self.answers.load(Ordering::Relaxed) < count {
            self.answered.notified().await;
        }
    }
}

/// One client, one request at a time.
struct Worker {
    client: Client,
    random: Random,
    shared: Arc<Shared>,
    attempts: Vec<Attempt>,
    /// Makes the values of all workers and rounds distinct.
    name: String,
    lease_base: i64,
}

impl Worker {
    async fn write(mut self) -> Vec<Attempt> {
        let mut leases = Vec::new();
        loop {
            let request = self.choose(&mut leases).await;
            let granted = match &request {
                Request::Grant { lease } => Some(*lease),
                _ => None,
            };
            if self.attempt(request).await == Outcome::Unknown {
                return self.attempts;
            }
            leases.extend(granted);
        }
    }

    async fn compact(mut self, mut revisions: Range<i64>) -> Vec<Attempt> {
        while !revisions.is_empty() {
            // Spread over the round: one compaction for every so many answers of the writers.
            let pause = self.shared.answers.load(Ordering::Relaxed) + 20 + self.random.below(200);
            let pause = self.shared.wait_for_answers(pause);
            if tokio::time::timeout(std::time::Duration::from_secs(5), pause).await.is_err() {
                break;
            }
            let span = (revisions.end - revisions.start) as u64;
            let revision = revisions.start + self.random.below(span.min(300)) as i64;
            revisions.start = revision + 1;
            if self.attempt(Request::Compact { revision }).await == Outcome::Unknown {
                break;
            }
        }
        self.attempts
    }

    async fn choose(&mut self, leases: &mut Vec<i64>) -> Request {
        let sequence = self.attempts.len();
        match self.random.below(20) {
            0..10 => {
                let lease = match leases.last() {
                    Some(lease) if self.random.one_in(3) => *lease,
                    _ => 0,
                };
                Request::Put { key: self.key(), value: self.value(), lease }
            }
            10..12 => {
                let start = self.random.below(KEYS);
                let end = start + 1 + self.random.below(3);
                Request::DeleteRange { keys: key(start)..key(end) }
            }
            12..17 => {
                let [guard, first, second, gone] = [(); 4].map(|()| self.random.below(KEYS / 4));
                // Four disjoint quarters: a transaction must not name a key twice.
                let [guard, first, second, gone] =
                    [guard, first + KEYS / 4, second + KEYS / 2, gone + 3 * KEYS / 4].map(key);
                let expected = self.mod_revision(&guard).await;
                let puts = vec![(first, self.value()), (second, self.value())];
                Request::Txn { guard: (guard, expected), puts, delete: gone }
            }
            17 | 18 => match leases.pop() {
                Some(lease) if self.random.one_in(2) => Request::Revoke { lease },
                _ => Request::Grant { lease: self.lease_base | (sequence as i64 & 0xfff) },
            },
            _ => Request::Put { key: self.key(), value: self.value(), lease: 0 },
        }
    }

    /// As a client would look before it writes; 0 also when nobody answers any more.
    async fn mod_revision(&mut self, key: &str) -> i64 {
        let answer = self.client.get(key, None).await;
        answer.ok().and_then(|got| got.kvs().first().map(|kv| kv.mod_revision())).unwrap_or(0)
    }

    fn key(&mut self) -> String {
        key(self.random.below(KEYS))
    }

    /// Never the same twice; sometimes large.
    fn value(&mut self) -> String {
        let number = self.random.number();
        let padding = if self.random.one_in(10) { self.random.below(20_000) } else { 100 };
        format!("{} {number} {}", self.name, "x".repeat(padding as usize))
    }

    async fn attempt(&mut self, request: Request) -> Outcome {
        let outcome = match self.send(&request).await {
            Ok(outcome) => outcome,
            Err(Error::GRpcStatus(status)) if is_refusal(status.message()) => Outcome::NoEffect,
            Err(_) => Outcome::Unknown,
        };
        self.attempts.push(Attempt { request, outcome });
        if outcome != Outcome::Unknown {
            self.shared.answers.fetch_add(1, Ordering::Relaxed);
            self.shared.answered.notify_waiters();
        }
        outcome
    }

    async fn send(&mut self, request: &Request) -> Result<Outcome, Error> {
        let applied = |header: Option<&ResponseHeader>, has_effect: bool| match header {
            Some(header) if has_effect => Outcome::AppliedAt(header.revision()),
            _ => Outcome::NoEffect,
        };
        Ok(match request.clone() {
            Request::Put { key, value, lease } => {
                let options = PutOptions::new().with_lease(lease);
                let answer = self.client.put(key, value, Some(options)).await?;
                applied(answer.header(), true)
            }
            Request::DeleteRange { keys } => {
                let options = DeleteOptions::new().with_range(keys.end);
                let answer = self.client.delete(keys.start, Some(options)).await?;
                applied(answer.header(), answer.deleted() > 0)
            }
            Request::Txn { guard: (key, revision), puts, delete } => {
                let puts = puts.into_iter().map(|(key, value)| TxnOp::put(key, value, None));
                let operations: Vec<TxnOp> = puts.chain([TxnOp::delete(delete, None)]).collect();
                let guard = Compare::mod_revision(key, CompareOp::Equal, revision);
                let txn = Txn::new().when([guard]).and_then(operations);
                let answer = self.client.txn(txn).await?;
                applied(answer.header(), answer.succeeded())
            }
            Request::Grant { lease } => {
                let options = LeaseGrantOptions::new().with_id(lease);
                self.client.lease_grant(TTL_SECONDS, Some(options)).await?;
                Outcome::Done
            }
            Request::Revoke { lease } => {
                self.client.lease_revoke(lease).await?;
                Outcome::Done
            }
            Request::Compact { revision } => {
                let options = CompactionOptions::new();
                let physical = self.random.one_in(4);
                let options = if physical { options.with_physical() } else { options };
                self.client.compact(revision, Some(options)).await?;
                Outcome::Done
            }
        })
    }
}

fn key(number: u64) -> String {
    format!("key/{number:04}")
}

/// Whether the text is a definite answer about the request, not about the server's state.
fn is_refusal(message: &str) -> bool {
    [
        "etcdserver: requested lease not found",
        "etcdserver: lease already exists",
        "etcdserver: mvcc: required revision has been compacted",
    ]
    .contains(&message)
}
