//! What members do: what a server's threads would, one piece at a time.

use super::{Event, Phase, Simulation};
use crate::Defect;
use crate::driver::{Driver, Told};
use crate::judge::describe;
use crate::network::Place;
use crate::node::End;
use crate::plan::STALL_MAX;
use crate::request::Answer;
use bytes::Bytes;
use prost::Message;
use retcd_api::etcdserverpb::{InternalRaftRequest, LeaseRevokeRequest};
use retcd_api::raftpb;
use retcd_raft_glue::{Error, Input, KIND_NORMAL, Role};
use std::time::Duration;

/// Entries that are executed as one batch at most.
const BATCH_MAX: u64 = 8;

/// One batch in so many is followed by a comparison of hashes.
const HASHED_EVERY: u64 = 24;

/// How much too early a leader revokes leases, if that is the defect.
const TOO_EARLY: Duration = Duration::from_millis(700);

/// Leases that are revoked at a time.
const EXPIRED_MAX: usize = 100;

impl Simulation {
    /// Starts a member, on whatever its disk has.
    pub(super) fn start(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        if node.driver.is_some() || self.judge.cluster.was_removed(node.id) {
            return;
        }
        if let Err(error) = node.start(&self.plan, place) {
            self.fails(place, &error.to_string());
            return;
        }
        let Some(driver) = &node.driver else { return };
        let (id, life, applied) = (node.id, node.life, node.applied);
        self.judge.publishes(&node.name, applied, driver.store());
        self.judge.starts(&node.name, id, driver.logged());
        self.note(&format!("m{} starts its life {life} after entry {applied}", place + 1));
        self.network.reconnect(id);
        let first_tick = self.micros(10_000);
        self.schedule.after(first_tick, Event::Tick { place, life });
        self.schedule.after(first_tick, Event::Maintain { place, life });
        self.settle(place);
    }

    /// A call into a member failed: that ends it. Only a fault of its disk excuses it.
    pub(super) fn fails(&mut self, place: Place, error: &str) {
        let node = &self.nodes[place];
        let Some(end) = node.planned_end() else {
            panic!("{} fails with a sound disk: {error}", node.name);
        };
        self.note(&format!("{} fails: {error}", node.name));
        self.end(place, end);
    }

    /// Ends a member, and lets it start again after a while.
    pub(super) fn end(&mut self, place: Place, end: End) {
        let seed = self.random.number();
        let node = &mut self.nodes[place];
        if let Some(driver) = &node.driver {
            node.flushed = node.flushed.max(driver.flushed());
            self.work = self.work.plus(&driver.work_done());
        }
        node.end(end, seed);
        let life = node.life;
        self.note(&format!("m{} ends its life {life}: {end:?}", place + 1));
        for watch in &mut self.watches {
            if watch.place() == Some(place) {
                watch.disconnect();
            }
        }
        self.break_connections(place);
        let limit = if self.random.one_in(3) { 5_000 } else { 500_000 };
        let pause = self.micros(limit);
        self.schedule.after(pause, Event::Start { place });
    }

    /// Gives a member something to do, then does what follows.
    pub(super) fn drive(
        &mut self,
        place: Place,
        work: impl FnOnce(&mut Driver) -> Result<(), Error>,
    ) {
        let Some(driver) = &mut self.nodes[place].driver else { return };
        match work(driver) {
            Ok(()) => self.settle(place),
            Err(error) => self.fails(place, &error.to_string()),
        }
    }

    /// Does what follows at once: outputs are taken, groups go to the log.
    fn settle(&mut self, place: Place) {
        let now = self.schedule.now();
        loop {
            let node = &mut self.nodes[place];
            let Some(driver) = &mut node.driver else { return };
            if let Err(error) = driver.consult() {
                return self.fails(place, &error.to_string());
            }
            if !driver.has_group() {
                break;
            }
            if self.plan.defect == Some(Defect::LoseLastGroup) {
                node.remember_disk(self.random.number());
            }
            let Some(driver) = &mut node.driver else { return };
            if let Err(error) = driver.begin_group(now) {
                return self.fails(place, &error.to_string());
            }
            let life = node.life;
            let delay = Duration::from_micros(150) + self.micros(1_500);
            self.schedule.after(delay, Event::GroupDurable { place, life });
        }
        let node = &mut self.nodes[place];
        node.forget_harmless_error();
        let Some(driver) = &mut node.driver else { return };
        let told = driver.told();
        let is_due = driver.has_committed() && !node.apply_is_scheduled;
        self.hear(place, told);
        if is_due {
            self.schedule_apply(place);
        }
    }

    fn schedule_apply(&mut self, place: Place) {
        let is_slow = self.nodes[place].slow_until > self.schedule.now();
        let delay = self.micros(if is_slow { 100_000 } else { 1_000 });
        let node = &mut self.nodes[place];
        node.apply_is_scheduled = true;
        let life = node.life;
        self.schedule.after(delay, Event::Apply { place, life });
    }

    pub(super) fn tick(&mut self, place: Place) {
        let node = &self.nodes[place];
        let (life, tick) = (node.life, node.tick);
        self.schedule.after(tick, Event::Tick { place, life });
        let now = self.schedule.now();
        self.drive(place, |driver| driver.tick(now, STALL_MAX));
        if self.random.one_in(20) {
            self.end_leases(place);
        }
    }

    /// A leader revokes what has expired.
    fn end_leases(&mut self, place: Place) {
        let now = match self.plan.defect {
            Some(Defect::NeverRevoke) => return,
            Some(Defect::RevokeEarly) => self.schedule.now() + TOO_EARLY,
            _ => self.schedule.now(),
        };
        let Some(driver) = self.nodes[place].driver.as_ref().filter(|driver| driver.leads()) else {
            return;
        };
        let term = driver.status().term;
        for id in driver.store().expired_leases(now, EXPIRED_MAX) {
            let revoke = LeaseRevokeRequest { id };
            let request = InternalRaftRequest { lease_revoke: Some(revoke), ..Default::default() };
            let data: Bytes = request.encode_to_vec().into();
            self.note(&format!("m{} revokes lease {id}", place + 1));
            self.drive(place, |driver| driver.step(Input::ProposeAsLeader { term, data }));
        }
    }

    pub(super) fn deliver(&mut self, place: Place, message: Box<raftpb::Message>) {
        self.drive(place, |driver| driver.hear(message));
    }

    pub(super) fn unreachable(&mut self, place: Place, peer: u64) {
        self.drive(place, |driver| driver.step(Input::Unreachable { peer }));
    }

    pub(super) fn group_durable(&mut self, place: Place) {
        self.nodes[place].forget_disk();
        self.drive(place, Driver::end_group);
    }

    pub(super) fn apply(&mut self, place: Place) {
        let now = self.schedule.now();
        let count = 1 + self.random.below(BATCH_MAX) as usize;
        let node = &mut self.nodes[place];
        node.apply_is_scheduled = false;
        let Some(driver) = &mut node.driver else { return };
        match driver.apply(count, now, &mut self.random) {
            Ok(()) => self.settle(place),
            Err(error) => self.fails(place, &error.to_string()),
        }
    }

    pub(super) fn maintain(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        if let Some(driver) = &node.driver {
            node.flushed = driver.flushed();
        }
        let life = node.life;
        let flushed = self.nodes.iter().map(|node| node.flushed).min().unwrap_or(0);
        let replicated = if self.plan.keeps_logs() { 0 } else { flushed };
        let segments_max = self.plan.segments_max();
        self.drive(place, |driver| driver.maintain(replicated, segments_max));
        let pause = self.micros(10_000);
        self.schedule.after(pause, Event::Maintain { place, life });
    }

    /// Takes in what a member says.
    fn hear(&mut self, place: Place, told: Told) {
        let name = self.nodes[place].name.clone();
        if let Some(change) = told.role {
            self.note(&format!("{name} is {:?} in term {}", change.role, change.term));
            if change.role == Role::Leader {
                self.judge.leads(&name, self.nodes[place].id, change.term);
            }
        }
        for dropped in told.dropped {
            self.is_dropped(dropped.token);
        }
        for context in told.reads_dropped {
            self.read_is_dropped(context);
        }
        for id in told.acknowledged {
            self.acknowledge(id, place);
        }
        self.send(place, told.messages);
        for order in told.snapshots {
            let (life, delay) = (self.nodes[place].life, self.micros(50_000));
            let order = Box::new(order);
            self.schedule.after(delay, Event::Snapshot { place, life, order });
        }
        if let Some(index) = told.installed {
            self.is_installed(place, index);
        }
        if told.removed {
            self.is_removed(place);
        }
        let has_executed = !told.executed.is_empty();
        let now = self.schedule.now();
        for (entry, outcome) in told.executed {
            self.note(&format!("{name} executes {}", describe(&entry)));
            let before = std::mem::replace(&mut self.nodes[place].applied, entry.index);
            if entry.index > self.judge.last_index() {
                let copies = self.nodes.iter().filter(|node| node.durable() >= entry.index);
                self.judge.commits(&entry, copies.count(), now);
            }
            self.judge.executes(&name, before, &entry, &outcome);
            if entry.kind != KIND_NORMAL {
                self.follow_membership();
            }
            if outcome.request_id != 0 {
                self.is_answered(outcome.request_id, place, Answer::of(&outcome.result));
            }
        }
        if has_executed {
            self.look_at(place);
        }
        for context in told.reads {
            self.read_is_confirmed(context, place);
        }
    }

    /// What readers of a member see is what it has executed.
    fn look_at(&mut self, place: Place) {
        let hashes = self.random.one_in(HASHED_EVERY);
        let node = &self.nodes[place];
        let Some(driver) = &node.driver else { return };
        self.judge.publishes(&node.name, node.applied, driver.store());
        if hashes && node.is_well() {
            self.judge.hashes(&node.name, driver.store());
        }
    }

    fn send(&mut self, from: Place, messages: Vec<raftpb::Message>) {
        for message in messages {
            self.judge.speaks(&self.nodes[from].name, &message);
            let to = self.nodes.iter().position(|node| node.id == message.to);
            let to = to.expect("only members are written to");
            let delays = self.network.delays(message.r#type(), &mut self.random);
            let is_lost = self.network.is_cut(from, to) || delays.is_empty();
            let is_down = self.nodes[to].driver.is_none();
            if (is_lost || is_down) && self.random.one_in(4) {
                let (life, peer) = (self.nodes[from].life, message.to);
                self.schedule.after(
                    Duration::from_millis(1),
                    Event::Unreachable { place: from, life, peer },
                );
            }
            if is_lost {
                continue;
            }
            let message = self.network.travel(message);
            self.note_message(from, to, &message);
            for delay in delays {
                let message = Box::new(message.clone());
                self.schedule.after(delay, Event::Deliver { place: to, message });
            }
        }
    }

    fn note_message(&self, from: Place, to: Place, message: &raftpb::Message) {
        use raftpb::MessageType::{MsgHeartbeat, MsgHeartbeatResp};
        let kind = message.r#type();
        if matches!(kind, MsgHeartbeat | MsgHeartbeatResp) {
            return;
        }
        let raftpb::Message { term, index, log_term, commit, .. } = *message;
        let rejects = if message.reject { ", rejects" } else { "" };
        let (from, to, entries) = (from + 1, to + 1, message.entries.len());
        self.note(&format!(
            "m{from} to m{to}: {} of term {term}, index {index} of term {log_term}, \
             {entries} entries, commit {commit}{rejects}",
            kind.as_str_name(),
        ));
    }

    /// Whether every member has executed everything and nothing is left to do.
    pub(super) fn members_are_quiet(&self) -> bool {
        let last = self.judge.last_index();
        let is_quiet = |driver: &Driver| driver.is_idle() && driver.status().committed == last;
        self.members().all(|place| {
            let node = &self.nodes[place];
            node.applied == last && node.driver.as_ref().is_some_and(is_quiet)
        })
    }

    /// Where members stand, for a failing run.
    pub(super) fn describe_members(&self) -> String {
        let describe = |driver: &Driver| format!("{:?}", driver.status());
        let of = |place: Place| {
            let node = &self.nodes[place];
            let status = node.driver.as_ref().map_or("down".to_owned(), describe);
            format!("{} executed {}, {status}", node.name, node.applied)
        };
        let all: Vec<_> = (0..self.nodes.len()).map(of).collect();
        let phase: Phase = self.phase;
        format!("{phase:?}, {} executed by some; {}", self.judge.last_index(), all.join("; "))
    }
}
