//! The end of a run: every member answers, everything comes to rest, everything is compared.

use super::asking::Record;
use super::{Event, LAST_REQUESTS, LOOK, Phase, QUIET_LIMIT, Report, Simulation};
use crate::WorkDone;
use crate::network::Place;
use crate::request::{Answer, Keys, Pair, Request, key};
use bytes::Bytes;
use retcd_testkit::linearizability::register::{Call, Register};
use retcd_testkit::linearizability::{Operation, Verdict, check};

/// Calls that are placed before a key's history is given up as too entangled.
const STEPS_MAX: usize = 20_000;

type Calls = Vec<Operation<Call<Bytes>>>;

impl Simulation {
    /// Every member is asked to write and to read, and must answer.
    pub(super) fn probe(&mut self) {
        self.phase = Phase::Answering;
        let (members, others): (Vec<Place>, Vec<Place>) =
            (0..self.nodes.len()).partition(|place| self.is_member(*place));
        others.into_iter().for_each(|place| self.leave(place));
        for place in members {
            assert!(self.nodes[place].driver.is_some(), "{}", self.describe_members());
            let client = self.plan.clients + place;
            let value = format!("from m{}", place + 1).into();
            self.ask(client, place, Request::Put { key: key(0), value, lease: 0 });
            self.ask(client, place, Request::Get { keys: Keys::One(key(0)) });
        }
        self.schedule.after(LAST_REQUESTS, Event::LastRequest);
    }

    pub(super) fn stop_asking(&mut self) {
        self.note("clients stop");
        self.phase = Phase::Quiet;
        self.quiet_limit = self.schedule.now() + QUIET_LIMIT;
        self.schedule.after(LOOK, Event::Look);
    }

    /// Ends the run if everything is quiet.
    pub(super) fn look(&mut self) {
        let model = &self.judge.model;
        let is_quiet = self.clients.waiting().is_empty()
            && model.leases().next().is_none()
            && self.watches.iter().all(|watch| watch.is_up_to_date(model))
            && self.members_are_quiet();
        if is_quiet {
            return self.finish();
        }
        if self.schedule.now() >= self.quiet_limit {
            self.judge.ends();
            for watch in &self.watches {
                watch.assert_up_to_date(model);
            }
            let waiting = self.clients.waiting();
            assert!(waiting.is_empty(), "{waiting:?} wait; {}", self.describe_members());
            panic!("not everything comes to rest: {}", self.describe_members());
        }
        self.schedule.after(LOOK, Event::Look);
    }

    fn finish(&mut self) {
        self.note("everything is quiet");
        self.judge.ends();
        for place in self.members().collect::<Vec<_>>() {
            let node = &self.nodes[place];
            let driver = node.driver.as_ref().expect("it is quiet");
            self.judge.ends_with(&node.name, driver.store());
            self.judge.hashes(&node.name, driver.store());
        }
        for number in 0..self.plan.keys {
            self.judge_key(&key(number));
        }
        self.phase = Phase::Over;
    }

    /// Whether what clients saw of a key could have happened one after the other, whatever members
    /// say about revisions.
    fn judge_key(&mut self, key: &Bytes) {
        let mut history: Calls = Vec::new();
        for record in &self.clients.records {
            history.extend(calls(record, key).into_iter().map(|call| Operation {
                call,
                invoked: record.invoked,
                returned: record.returned,
            }));
        }
        history.sort_by_key(|operation| operation.invoked);
        match check(Register::default(), &history, STEPS_MAX) {
            Verdict::Linearizable => {}
            Verdict::Undecided => self.undecided += 1,
            Verdict::Refuted(stuck) => {
                let last: Vec<_> =
                    stuck.order.iter().rev().take(5).map(|&place| &history[place]).collect();
                let next: Vec<_> = stuck.next.iter().map(|&place| &history[place]).collect();
                panic!("{key:?} isn't linearizable: after {last:#?} nothing of {next:#?} fits");
            }
        }
    }

    fn work_done(&self) -> WorkDone {
        let drivers = self.nodes.iter().filter_map(|node| node.driver.as_ref());
        drivers.fold(self.work, |sum, driver| sum.plus(&driver.work_done()))
    }

    pub(super) fn report(&self) -> Report {
        let records = &self.clients.records;
        let answered = records.iter().filter(|record| record.returned.is_some()).count() as u64;
        Report {
            fingerprint: self.fingerprint(),
            answered,
            unanswered: records.len() as u64 - answered,
            entries: self.judge.last_index(),
            watched: self.watches.iter().map(|watch| watch.seen()).sum(),
            starts: self.nodes.iter().map(|node| node.life).sum(),
            joined_and_left: self.judge.cluster.joined_and_left(self.plan.founders()),
            work: self.work_done(),
            snapshots: self.snapshots,
            leaders: self.judge.terms_with_leader(),
            undecided: self.undecided,
        }
    }
}

/// What a request asked of one key, and what the answer said about it.
fn calls(record: &Record, key: &Bytes) -> Option<Call<Bytes>> {
    let pairs = match &record.answer {
        Some(Answer::Done { succeeded, pairs, .. }) => Some((*succeeded, pairs)),
        // What is refused had no effect.
        Some(Answer::Refused(_)) => return None,
        None => None,
    };
    let value_in = |pairs: &Vec<Pair>| {
        pairs.iter().find(|pair| pair.key == *key).map(|pair| pair.value.clone())
    };
    let existed = pairs.map(|(_, pairs)| value_in(pairs).is_some());
    match &record.request {
        Request::Get { keys } if keys.contains(key) => {
            let (_, pairs) = pairs?;
            Some(Call::Read { found: value_in(pairs) })
        }
        Request::Put { key: put, value, .. } if put == key => {
            Some(Call::Write { value: Some(value.clone()), existed })
        }
        Request::Delete { keys } if keys.contains(key) => {
            Some(Call::Write { value: None, existed })
        }
        Request::Swap { key: swapped, expected, value } if swapped == key => {
            Some(Call::CompareAndSet {
                expected: expected.clone(),
                value: Some(value.clone()),
                succeeded: pairs.map(|(succeeded, _)| succeeded),
            })
        }
        Request::Move { from, .. } if from == key => Some(match pairs {
            Some((false, _)) => Call::Read { found: None },
            _ => Call::Write { value: None, existed },
        }),
        Request::Move { to, value, .. } if to == key => Some(match pairs {
            Some((false, pairs)) => Call::Read { found: value_in(pairs) },
            _ => Call::Write { value: Some(value.clone()), existed },
        }),
        _ => None,
    }
}
