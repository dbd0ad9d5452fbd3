//! Clients: each asks one thing at a time, waits for the answer or gives up, thinks, and goes on.
//!
//! Who gave up doesn't know whether it happened, and asks the next thing as somebody new.

use super::{Event, Phase, Simulation};
use crate::Defect;
use crate::network::Place;
use crate::request::{ALL_KEYS, Answer, Keys, LEASED_KEYS, Request, key, leased_key, read, value};
use bytes::Bytes;
use retcd_raft_glue::Input;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long clients wait.
const TIMEOUT: Duration = Duration::from_millis(1_000);

/// One read in so many waits as long as its member lives: it must be answered in the end, whatever
/// was lost on its way.
const PATIENT_EVERY: u64 = 4;

/// How long a read that raft dropped waits before it is asked again.
const READ_PAUSE: Duration = Duration::from_millis(20);

/// Longest life of a lease, in seconds.
const TTL_MAX: u64 = 2;

/// A request under way.
struct Pending {
    client: usize,
    request: Request,
    place: Place,
    life: u64,
    asked: Duration,
    /// Its moment in the history.
    invoked: u64,
    /// The highest revision that anybody was told of when it was asked.
    floor: i64,
    /// Whether there is no excuse for not answering.
    must_be_answered: bool,
}

/// What a client did.
pub(super) struct Record {
    pub(super) request: Request,
    /// `None` for a request of which nobody knows what became of it.
    pub(super) answer: Option<Answer>,
    pub(super) invoked: u64,
    pub(super) returned: Option<u64>,
}

/// All clients, and what they saw.
pub(super) struct Clients {
    clients: usize,
    pending: BTreeMap<u64, Pending>,
    /// Reads by the contexts under which raft knows them.
    contexts: BTreeMap<u64, u64>,
    last_id: u64,
    moments: u64,
    leases: Vec<i64>,
    pub(super) records: Vec<Record>,
}

impl Clients {
    pub(super) fn new(clients: usize) -> Clients {
        Clients {
            clients,
            pending: BTreeMap::new(),
            contexts: BTreeMap::new(),
            last_id: 0,
            moments: 0,
            leases: Vec::new(),
            records: Vec::new(),
        }
    }

    /// What waits for an answer.
    pub(super) fn waiting(&self) -> Vec<u64> {
        self.pending.keys().copied().collect()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }
}

impl Simulation {
    /// A client's thinking is over.
    pub(super) fn ask_something(&mut self, client: usize) {
        if self.phase >= Phase::Quiet {
            return;
        }
        let Some(place) = self.some_member() else {
            return self.think(client);
        };
        let request = self.some_request();
        let is_serializable = request.is_read() && self.random.one_in(5);
        match is_serializable {
            true => self.look_up(place, client, &request),
            false => self.ask(client, place, request),
        }
    }

    fn think(&mut self, client: usize) {
        // Who asks for a member's sake alone asks once.
        if client < self.clients.clients {
            let pause = self.micros(self.plan.pause.as_micros() as u64);
            self.schedule.after(pause, Event::Client { client });
        }
    }

    fn some_request(&mut self) -> Request {
        let one = key(self.random.below(self.plan.keys));
        let value = value(self.clients.last_id + 1);
        match self.random.below(100) {
            0..25 => Request::Get { keys: Keys::One(one) },
            25..35 => Request::Get { keys: Keys::Prefix(ALL_KEYS.into()) },
            35..38 => Request::Get { keys: Keys::Prefix(LEASED_KEYS.into()) },
            38..62 => Request::Put { key: one, value, lease: 0 },
            62..70 => Request::Delete { keys: Keys::One(one) },
            70..71 => Request::Delete { keys: Keys::Prefix(ALL_KEYS.into()) },
            71..84 => Request::Swap { expected: self.guess(&one), key: one, value },
            84..90 => self.some_move(one, value),
            90..92 => Request::Compact { revision: self.some_revision() },
            92..95 => Request::Grant {
                lease: (self.clients.last_id + 1).cast_signed(),
                ttl: (1 + self.random.below(TTL_MAX)).cast_signed(),
            },
            95..99 => match self.some_lease() {
                Some(lease) => {
                    Request::Put { key: leased_key(lease.unsigned_abs() % 5), value, lease }
                }
                None => Request::Put { key: one, value, lease: 0 },
            },
            _ => match self.some_lease() {
                Some(lease) => Request::Revoke { lease },
                None => Request::Delete { keys: Keys::One(one) },
            },
        }
    }

    /// What the key may have as its value.
    fn guess(&mut self, one: &Bytes) -> Option<Bytes> {
        let model = &self.judge.model;
        let newest = model.pairs_at(&Keys::One(one.clone()), model.revision());
        newest.first().map(|pair| pair.value.clone()).filter(|_| !self.random.one_in(5))
    }

    fn some_move(&mut self, from: Bytes, value: Bytes) -> Request {
        let to = key(self.random.below(self.plan.keys));
        match from == to {
            true => Request::Put { key: to, value, lease: 0 },
            false => Request::Move { from, to, value },
        }
    }

    fn some_revision(&mut self) -> i64 {
        let current = self.judge.model.revision();
        (current - self.random.below(60).cast_signed()).max(1)
    }

    fn some_lease(&mut self) -> Option<i64> {
        let leases = &self.clients.leases;
        let number = leases.len().checked_sub(1 + self.random.below(4) as usize)?;
        leases.get(number).copied()
    }

    /// Sends a request to a member.
    pub(super) fn ask(&mut self, client: usize, place: Place, request: Request) {
        let id = self.clients.next_id();
        let is_patient = request.is_read() && self.random.one_in(PATIENT_EVERY);
        let node = &self.nodes[place];
        let pending = Pending {
            client,
            request: request.clone(),
            place,
            life: node.life,
            asked: self.schedule.now(),
            invoked: self.clients.moment(),
            floor: self.judge.floor(),
            must_be_answered: self.phase >= Phase::Answering,
        };
        self.note(&format!("client {client} asks m{} for {id}: {request:?}", place + 1));
        self.clients.pending.insert(id, pending);
        if !is_patient {
            self.schedule.after(TIMEOUT, Event::TimeOut { id });
        }
        if request.is_read() {
            return self.ask_read(id, place);
        }
        self.judge.asks(id, &request);
        let data = request.encode(id);
        if self.plan.defect == Some(Defect::ProposeAgain) {
            self.schedule.after(TIMEOUT / 4, Event::AskAgain { id });
        }
        self.drive(place, |driver| driver.step(Input::Propose { token: id, data }));
    }

    fn ask_read(&mut self, id: u64, place: Place) {
        let context = self.clients.next_id();
        self.clients.contexts.insert(context, id);
        self.drive(place, |driver| driver.ask_read(context));
    }

    /// Reads what a member has, whether it is the newest or not.
    fn look_up(&mut self, place: Place, client: usize, request: &Request) {
        if let Some(answer) = self.read(place, request) {
            self.note(&format!("client {client} looks at m{}: {answer:?}", place + 1));
        }
        self.think(client);
    }

    fn read(&mut self, place: Place, request: &Request) -> Option<Answer> {
        let node = &self.nodes[place];
        match read(node.driver.as_ref()?.store(), request) {
            Ok(answer) => {
                self.judge.reads(&node.name, request, &answer);
                Some(answer)
            }
            Err(error) => {
                self.fails(place, &error.to_string());
                None
            }
        }
    }

    /// Raft lost a read: its leader went. It is asked again after a moment.
    pub(super) fn read_is_dropped(&mut self, context: u64) {
        if let Some(id) = self.clients.contexts.remove(&context) {
            self.schedule.after(READ_PAUSE, Event::AskAgain { id });
        }
    }

    pub(super) fn ask_again(&mut self, id: u64) {
        let Some(pending) = self.clients.pending.get(&id) else { return };
        let place = pending.place;
        if pending.request.is_read() {
            return self.ask_read(id, place);
        }
        let data = pending.request.encode(id);
        self.drive(place, |driver| driver.step(Input::Propose { token: id, data }));
    }

    /// A read may be served: it sees everything that was answered before it was asked.
    pub(super) fn read_is_confirmed(&mut self, context: u64, place: Place) {
        let Some(id) = self.clients.contexts.remove(&context) else { return };
        let Some(pending) = self.clients.pending.get(&id) else { return };
        let request = pending.request.clone();
        if let Some(answer) = self.read(place, &request) {
            self.is_answered(id, place, answer);
        }
    }

    /// A member answers a request, if it is the one that was asked and hasn't forgotten it.
    pub(super) fn is_answered(&mut self, id: u64, place: Place, answer: Answer) {
        let life = self.nodes[place].life;
        let asked_here = |pending: &Pending| pending.place == place && pending.life == life;
        if !self.clients.pending.get(&id).is_some_and(asked_here) {
            return;
        }
        let Some(pending) = self.clients.pending.remove(&id) else { return };
        let Pending { client, request, asked, invoked, floor, .. } = pending;
        self.note(&format!("m{} answers {id}: {answer:?}", place + 1));
        self.judge.answers(id, &request, floor, &answer);
        if let (Request::Grant { lease, .. }, Answer::Done { .. }) = (&request, &answer) {
            self.judge.holds(*lease, asked);
            self.clients.leases.push(*lease);
        }
        let returned = Some(self.clients.moment());
        self.clients.records.push(Record { request, answer: Some(answer), invoked, returned });
        self.think(client);
    }

    /// A member says that a write is done, and nothing else.
    pub(super) fn acknowledge(&mut self, id: u64, place: Place) {
        if !self.clients.pending.contains_key(&id) {
            return;
        }
        let Some(pending) = self.clients.pending.remove(&id) else { return };
        let Pending { client, request, invoked, .. } = pending;
        self.note(&format!("m{} acknowledges {id}", place + 1));
        self.judge.acknowledges(id);
        let returned = Some(self.clients.moment());
        self.clients.records.push(Record { request, answer: None, invoked, returned });
        self.think(client);
    }

    /// A member says that a request didn't happen.
    pub(super) fn is_dropped(&mut self, id: u64) {
        // What members propose by themselves has no number.
        if id == 0 {
            return;
        }
        self.judge.was_dropped(id);
        let Some(pending) = self.clients.pending.remove(&id) else { return };
        assert!(!pending.must_be_answered, "request {id} was dropped without an excuse");
        self.note(&format!("m{} drops {id}", pending.place + 1));
        self.think(pending.client);
    }

    /// A client gives up.
    pub(super) fn time_out(&mut self, id: u64) {
        let Some(pending) = self.clients.pending.remove(&id) else { return };
        let Pending { client, request, place, invoked, must_be_answered, .. } = pending;
        assert!(
            !must_be_answered,
            "m{} has no answer to {id}, {request:?}; {}",
            place + 1,
            self.describe_members()
        );
        self.note(&format!("client {client} gives {id} up"));
        if !request.is_read() {
            self.clients.records.push(Record { request, answer: None, invoked, returned: None });
        }
        self.think(client);
    }

    /// Whoever waits for an answer of this member gives up.
    pub(super) fn break_connections(&mut self, place: Place) {
        let pending = self.clients.pending.iter();
        let here = pending.filter(|(_, pending)| pending.place == place);
        let ids: Vec<u64> = here.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.time_out(id));
    }
}
