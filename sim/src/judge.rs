//! What must hold whatever happens: checked as it happens, against the model.
//!
//! * An index has one entry, the same on all members in all their lives; each is executed in turn,
//!   and gives the answer of the model. So nothing that was acknowledged is lost.
//! * What is executed is on the disks of a majority.
//! * A request is executed at most once, and never if it was said to be dropped.
//! * A term has one leader, a member votes for one candidate in a term, and when it starts again it
//!   knows whom it voted for, and in which term it has spoken last.
//! * A member's revision is that of the last entry that it executed, so it never goes back.
//! * At equal revisions members have equal hashes.
//! * An answer with a revision comes from after everything that was answered before it was asked:
//!   with the model's states this is strict serializability of all requests, over all keys.

use crate::cluster::Cluster;
use crate::model::Model;
use crate::request::{ALL_KEYS, Answer, Keys, LEASED_KEYS, Request, read};
use bytes::Bytes;
use prost::Message as _;
use retcd_api::etcdserverpb::InternalRaftRequest;
use retcd_api::raftpb::{self, ConfChange, Message};
use retcd_mvcc::membership::MemberChange;
use retcd_mvcc::{Outcome, Store};
use retcd_raft_glue::KIND_NORMAL;
use retcd_wal::{HardState, LogEntry};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An entry that some member has executed.
struct Executed {
    entry: LogEntry,
    /// What the model says to it; `None` for what isn't a client's.
    answer: Option<Answer>,
    /// The model's revision after it.
    revision: i64,
}

/// A lease as clients know it.
struct Lease {
    ttl: Duration,
    /// When its holder learned of it, or let it go.
    known: Option<Duration>,
    given_up: bool,
}

/// The whole truth.
pub(crate) struct Judge {
    pub(crate) model: Model,
    pub(crate) cluster: Cluster,
    /// By index, from 1.
    executed: Vec<Executed>,
    /// What was ever asked, by its id.
    asked: BTreeMap<u64, Request>,
    dropped: BTreeSet<u64>,
    /// Index of the entry in which a request was executed.
    places: BTreeMap<u64, u64>,
    acknowledged: BTreeSet<u64>,
    leaders: BTreeMap<u64, u64>,
    /// By member and term, whom it voted for.
    votes: BTreeMap<(u64, u64), u64>,
    /// The highest term in which a member has spoken.
    terms: BTreeMap<u64, u64>,
    /// By revision and compacted revision, who had which hash.
    hashes: BTreeMap<(i64, i64), (u32, String)>,
    /// The same of everything that is replicated, by applied index.
    states: BTreeMap<u64, (u32, String)>,
    leases: BTreeMap<i64, Lease>,
    /// The highest revision in an answer so far.
    floor: i64,
}

impl Judge {
    pub(crate) fn new() -> Judge {
        Judge {
            model: Model::new(),
            cluster: Cluster::default(),
            executed: Vec::new(),
            asked: BTreeMap::new(),
            dropped: BTreeSet::new(),
            places: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            leaders: BTreeMap::new(),
            votes: BTreeMap::new(),
            terms: BTreeMap::new(),
            hashes: BTreeMap::new(),
            states: BTreeMap::new(),
            leases: BTreeMap::new(),
            floor: 0,
        }
    }

    /// A request is about to be proposed.
    pub(crate) fn asks(&mut self, id: u64, request: &Request) {
        if let Request::Grant { lease, ttl } = request {
            let ttl = Duration::from_secs(ttl.unsigned_abs());
            self.leases.insert(*lease, Lease { ttl, known: None, given_up: false });
        }
        if let Request::Revoke { lease } = request
            && let Some(lease) = self.leases.get_mut(lease)
        {
            lease.given_up = true;
        }
        self.asked.insert(id, request.clone());
    }

    /// A member said that a request didn't enter the log.
    pub(crate) fn was_dropped(&mut self, id: u64) {
        assert!(!self.places.contains_key(&id), "request {id} was executed and then dropped");
        self.dropped.insert(id);
    }

    /// The highest revision that anybody was told of.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// Index of the last entry that some member has executed.
    pub(crate) fn last_index(&self) -> u64 {
        self.executed.len() as u64
    }

    pub(crate) fn leads(&mut self, name: &str, id: u64, term: u64) {
        let leader = *self.leaders.entry(term).or_insert(id);
        assert_eq!(leader, id, "term {term} has a second leader, {name}");
    }

    /// A member sends a message.
    pub(crate) fn speaks(&mut self, name: &str, message: &Message) {
        use raftpb::MessageType::{MsgPreVote, MsgPreVoteResp, MsgVote, MsgVoteResp};
        let Message { from, to, term, .. } = *message;
        let candidate = match message.r#type() {
            // They are about terms to come.
            MsgPreVote | MsgPreVoteResp => return,
            // Who asks for votes has its own.
            MsgVote => Some(from),
            MsgVoteResp if !message.reject => Some(to),
            _ => None,
        };
        if let Some(candidate) = candidate {
            let before = *self.votes.entry((from, term)).or_insert(candidate);
            assert_eq!(before, candidate, "{name} votes for another candidate in term {term}");
        }
        let known = self.terms.entry(from).or_default();
        *known = term.max(*known);
    }

    /// A member has started.
    pub(crate) fn starts(&self, name: &str, id: u64, found: HardState) {
        let HardState { term, vote, .. } = found;
        let known = self.terms.get(&id).copied().unwrap_or(0);
        assert!(term >= known, "{name} starts in term {term}, and has spoken in term {known}");
        let known = self.votes.get(&(id, term));
        assert!(known.is_none_or(|known| *known == vote), "{name} forgot its vote in {term}");
    }

    /// A member has executed the entry after `before`.
    pub(crate) fn executes(
        &mut self,
        name: &str,
        before: u64,
        entry: &LogEntry,
        outcome: &Outcome,
    ) {
        let index = entry.index;
        assert_eq!(index, before + 1, "{name} executed {index} after {before}");
        let known = &self.executed[index as usize - 1];
        assert_eq!(*entry, known.entry, "{name} executed another entry {index} than others");
        if let Some(expected) = &known.answer {
            let answer = Answer::of(&outcome.result);
            assert_eq!(answer, *expected, "{name}'s answer to {}", describe(entry));
        }
    }

    /// An entry is executed for the first time; so many logs hold it.
    pub(crate) fn commits(&mut self, entry: &LogEntry, copies: usize, now: Duration) {
        assert_eq!(entry.index, self.last_index() + 1, "an entry was passed over");
        // Whoever committed it may not have known of the last change of the membership.
        let needed = self.cluster.voters().saturating_sub(1) / 2 + 1;
        let what = describe(entry);
        assert!(copies >= needed, "{what} is on {copies} disks, and {needed} are needed");
        let answer = match entry.kind == KIND_NORMAL && !entry.data.is_empty() {
            true => Some(self.execute(entry, now)),
            false => None,
        };
        if entry.kind != KIND_NORMAL {
            let change = ConfChange::decode(entry.data.clone()).expect("somebody encoded it");
            self.cluster.execute(MemberChange::of(&change).expect("somebody asked for it"));
        }
        let revision = self.model.revision();
        self.executed.push(Executed { entry: entry.clone(), answer, revision });
    }

    fn execute(&mut self, entry: &LogEntry, now: Duration) -> Answer {
        let request = InternalRaftRequest::decode(entry.data.clone());
        let request = request.expect("somebody encoded it");
        let id = request.header.map_or(0, |header| header.id);
        if id == 0 {
            let lease = request.lease_revoke.expect("nothing else is proposed unasked").id;
            self.may_expire(lease, now);
            return self.model.execute(&Request::Revoke { lease });
        }
        let asked = self.asked.get(&id).unwrap_or_else(|| panic!("nobody asked for {id}"));
        assert!(!self.dropped.contains(&id), "request {id} was dropped and then executed");
        let before = self.places.insert(id, entry.index);
        assert_eq!(before, None, "request {id} was executed twice");
        assert_eq!(asked.encode(id), entry.data, "request {id} isn't what was asked");
        self.model.execute(asked)
    }

    /// The leader ends a lease. That it exists was known to its holder from some time on.
    fn may_expire(&self, lease: i64, now: Duration) {
        let of = self.leases.get(&lease).expect("somebody asked for it");
        if let Some(known) = of.known.filter(|_| !of.given_up) {
            assert!(
                now >= known + of.ttl,
                "lease {lease} of {:?} was given at {known:?} and ended at {now:?}",
                of.ttl,
            );
        }
    }

    /// A client is answered. `floor` is what [`Judge::floor`] was when it asked.
    pub(crate) fn answers(&mut self, id: u64, request: &Request, floor: i64, answer: &Answer) {
        if !request.is_read() {
            self.acknowledged.insert(id);
        }
        let Answer::Done { revision, .. } = *answer else { return };
        assert!(
            revision >= floor,
            "{request:?} was answered at revision {revision}, asked after {floor} was told"
        );
        self.floor = self.floor.max(revision);
    }

    /// A client is told that a write is done, and nothing else.
    pub(crate) fn acknowledges(&mut self, id: u64) {
        self.acknowledged.insert(id);
    }

    /// How many terms had a leader.
    pub(crate) fn terms_with_leader(&self) -> u64 {
        self.leaders.len() as u64
    }

    /// The holder of a lease learns that it has it. It counts from the moment when it asked.
    pub(crate) fn holds(&mut self, lease: i64, asked: Duration) {
        self.leases.get_mut(&lease).expect("it was asked for").known = Some(asked);
    }

    /// What a read gave is the state at its revision.
    pub(crate) fn reads(&self, name: &str, request: &Request, answer: &Answer) {
        let (Request::Get { keys }, Answer::Done { revision, pairs, .. }) = (request, answer)
        else {
            panic!("{name} answered {request:?} by {answer:?}");
        };
        assert!(*revision <= self.model.revision(), "{name} reads a revision that nobody wrote");
        let expected = self.model.pairs_at(keys, *revision);
        assert_eq!(*pairs, expected, "{name}'s pairs at revision {revision}");
    }

    /// A member shows the state after `applied`.
    pub(crate) fn publishes(&self, name: &str, applied: u64, store: &Store) {
        assert!(applied <= self.last_index(), "{name} starts behind what anybody has executed");
        let place = applied.checked_sub(1).map(|place| place as usize);
        let expected = place.map_or(1, |place| self.executed[place].revision);
        assert_eq!(store.revision(), expected, "{name}'s revision after entry {applied}");
    }

    /// Compares a member's hashes with those of members that were at the same place.
    pub(crate) fn hashes(&mut self, name: &str, store: &Store) {
        let hash = store.hash_kv(0).expect("the disk is well");
        let at = (hash.hash_revision, hash.compact_revision);
        let (known, who) = self.hashes.entry(at).or_insert_with(|| (hash.hash, name.to_owned()));
        assert_eq!(hash.hash, *known, "HashKV at {at:?}: {name} and {who} differ");
        let applied = store.applied_index();
        let hash = store.hash().expect("the disk is well");
        let (known, who) = self.states.entry(applied).or_insert_with(|| (hash, name.to_owned()));
        assert_eq!(hash, *known, "hash of all after entry {applied}: {name} and {who} differ");
    }

    /// Everything is quiet, and a member shows all that was executed.
    pub(crate) fn ends_with(&self, name: &str, store: &Store) {
        self.cluster.assert_known(name, store.members());
        for keys in [ALL_KEYS, LEASED_KEYS] {
            let request = Request::Get { keys: Keys::Prefix(keys.into()) };
            let answer = read(store, &request).expect("the disk is well again");
            self.reads(name, &request, &answer);
        }
    }

    /// Everything is quiet. Every answer that was given stands.
    pub(crate) fn ends(&self) {
        for id in &self.acknowledged {
            assert!(self.places.contains_key(id), "request {id} was acknowledged and is lost");
        }
        let left: Vec<_> = self.model.leases().collect();
        assert!(left.is_empty(), "leases {left:?} weren't ended");
    }
}

/// An entry in one line.
pub(crate) fn describe(entry: &LogEntry) -> String {
    let LogEntry { index, term, kind, ref data } = *entry;
    let what = match (kind, InternalRaftRequest::decode(Bytes::clone(data))) {
        (KIND_NORMAL, Ok(request)) if !data.is_empty() => {
            let id = request.header.map_or(0, |header| header.id);
            format!("request {id}")
        }
        (KIND_NORMAL, _) => "nothing".to_owned(),
        _ => "a membership change".to_owned(),
    };
    format!("entry {index} of term {term}, {what}")
}
