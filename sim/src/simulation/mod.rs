//! A run: events in the order of virtual time, each handled by whom it concerns.
//!
//! 1. There is trouble for a while: clients ask, members answer, faults come and go.
//! 2. The faults stop. After a moment every member must answer everything that it is asked.
//! 3. Clients stop. All members must come to the same state, and watches must have told it.

mod asking;
mod ending;
mod members;
mod membership;
mod snapshots;
mod trouble;

use crate::WorkDone;
use crate::judge::Judge;
use crate::network::{Network, Place};
use crate::node::{End, Node};
use crate::plan::Plan;
use crate::request::{ALL_KEYS, Keys, LEASED_KEYS, key};
use crate::schedule::Schedule;
use crate::trace::Trace;
use crate::watches::Watch;
use asking::Clients;
use retcd_api::raftpb;
use retcd_raft_glue::SnapshotOrder;
use retcd_testkit::random::Random;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// From the end of the faults until every member has to answer.
const RECOVERY: Duration = Duration::from_secs(2);

/// How long clients go on after that.
const LAST_REQUESTS: Duration = Duration::from_millis(500);

/// From the end of the requests until everything has to be quiet.
const QUIET_LIMIT: Duration = Duration::from_secs(12);

/// How often it is looked at whether everything is quiet.
const LOOK: Duration = Duration::from_millis(50);

/// Something that happens at its time. Of members, by their places; of one of its lives.
pub(super) enum Event {
    Start {
        place: Place,
    },
    Tick {
        place: Place,
        life: u64,
    },
    Deliver {
        place: Place,
        message: Box<raftpb::Message>,
    },
    Unreachable {
        place: Place,
        life: u64,
        peer: u64,
    },
    GroupDurable {
        place: Place,
        life: u64,
    },
    Apply {
        place: Place,
        life: u64,
    },
    Maintain {
        place: Place,
        life: u64,
    },
    /// A client may ask.
    Client {
        client: usize,
    },
    /// A dropped read is asked again.
    AskAgain {
        id: u64,
    },
    /// A client doesn't wait any longer.
    TimeOut {
        id: u64,
    },
    Watch {
        watch: usize,
    },
    Trouble,
    /// A fault that lasts is over.
    Relief(Relief),
    Calm,
    /// A snapshot is made, and arrives.
    Snapshot {
        place: Place,
        life: u64,
        order: Box<SnapshotOrder>,
    },
    /// Somebody resets a machine.
    Reset {
        place: Place,
        life: u64,
    },
    /// A member that was removed ends.
    Leave {
        place: Place,
        life: u64,
    },
    /// Every member is asked something.
    Probe,
    LastRequest,
    Look,
}

/// What a fault that lasts leaves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relief {
    Network,
    Weather,
    Clock(Place),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Trouble,
    Calm,
    /// Everything that is asked must be answered.
    Answering,
    /// Nobody asks any more.
    Quiet,
    Over,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Differs between runs that weren't the same.
    pub fingerprint: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests of which nobody knows what became of them.
    pub unanswered: u64,
    /// Entries that were executed.
    pub entries: u64,
    /// Revisions that watches have told.
    pub watched: u64,
    /// Starts of members, the first ones included.
    pub starts: u64,
    /// Terms with a leader.
    pub leaders: u64,
    /// Snapshots that became the state.
    pub snapshots: u64,
    /// Members that joined, and members that left.
    pub joined_and_left: (u64, u64),
    /// What members did in the background.
    pub work: WorkDone,
    /// Keys whose histories were too entangled to be judged.
    pub undecided: u64,
}

impl Report {
    /// Both together.
    pub fn plus(&self, other: &Report) -> Report {
        Report {
            fingerprint: self.fingerprint ^ other.fingerprint,
            answered: self.answered + other.answered,
            unanswered: self.unanswered + other.unanswered,
            entries: self.entries + other.entries,
            watched: self.watched + other.watched,
            starts: self.starts + other.starts,
            leaders: self.leaders + other.leaders,
            snapshots: self.snapshots + other.snapshots,
            joined_and_left: (
                self.joined_and_left.0 + other.joined_and_left.0,
                self.joined_and_left.1 + other.joined_and_left.1,
            ),
            work: self.work.plus(&other.work),
            undecided: self.undecided + other.undecided,
        }
    }
}

/// A cluster, its clients and its fate.
pub(crate) struct Simulation {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) schedule: Schedule<Event>,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    clients: Clients,
    pub(super) watches: Vec<Watch>,
    pub(super) judge: Judge,
    pub(super) phase: Phase,
    /// Until when everything has to be quiet.
    pub(super) quiet_limit: Duration,
    /// Keys whose histories were too entangled to be judged.
    pub(super) undecided: u64,
    /// Snapshots that became the state.
    pub(super) snapshots: u64,
    /// What lives that are over did in the background.
    pub(super) work: WorkDone,
    trace: Rc<RefCell<Trace>>,
}

impl Simulation {
    pub(crate) fn new(plan: &Plan, trace: Rc<RefCell<Trace>>) -> Simulation {
        let watch = |number: usize| {
            let keys = match number {
                0 => Keys::Prefix(ALL_KEYS.into()),
                1 => Keys::Prefix(LEASED_KEYS.into()),
                _ => Keys::One(key(0)),
            };
            Watch::new(format!("watch {number}"), keys, plan.defect)
        };
        let mut simulation = Simulation {
            random: Random::new(!plan.seed),
            schedule: Schedule::new(),
            nodes: (0..plan.members.len()).map(|place| Node::new(plan, place)).collect(),
            network: Network::new(),
            clients: Clients::new(plan.clients),
            watches: (0..plan.watches).map(watch).collect(),
            judge: Judge::new(),
            phase: Phase::Trouble,
            quiet_limit: Duration::MAX,
            undecided: 0,
            snapshots: 0,
            work: WorkDone::default(),
            plan: plan.clone(),
            trace,
        };
        simulation.begin();
        simulation
    }

    /// Runs to the end, or panics.
    pub(crate) fn run(mut self) -> Report {
        while self.phase != Phase::Over {
            let event = self.schedule.next().expect("somebody looks for the end");
            self.handle(event);
        }
        self.report()
    }

    fn begin(&mut self) {
        for place in 0..self.nodes.len() {
            self.start(place);
        }
        for client in 0..self.plan.clients {
            self.schedule.after(Duration::from_millis(100), Event::Client { client });
        }
        for watch in 0..self.watches.len() {
            self.schedule.after(Duration::from_millis(50), Event::Watch { watch });
        }
        self.schedule.after(Duration::from_millis(300), Event::Trouble);
        self.schedule.after(self.plan.trouble, Event::Calm);
    }

    fn handle(&mut self, event: Event) {
        let Some(event) = self.put_off(event) else {
            return;
        };
        match event {
            Event::Start { place } => self.start(place),
            Event::Tick { place, .. } => self.tick(place),
            Event::Deliver { place, message } => self.deliver(place, message),
            Event::Unreachable { place, peer, .. } => self.unreachable(place, peer),
            Event::GroupDurable { place, .. } => self.group_durable(place),
            Event::Apply { place, .. } => self.apply(place),
            Event::Maintain { place, .. } => self.maintain(place),
            Event::Leave { place, .. } => self.leave(place),
            Event::Snapshot { place, order, .. } => self.send_snapshot(place, *order),
            Event::Reset { place, .. } => self.end(place, End::Crash),
            Event::Client { client } => self.ask_something(client),
            Event::AskAgain { id } => self.ask_again(id),
            Event::TimeOut { id } => self.time_out(id),
            Event::Watch { watch } => self.watch(watch),
            Event::Trouble => self.trouble(),
            Event::Relief(relief) => self.relieve(relief),
            Event::Calm => self.calm(),
            Event::Probe => self.probe(),
            Event::LastRequest => self.stop_asking(),
            Event::Look => self.look(),
        }
    }

    /// Drops what was for an earlier life, and keeps for later what a paused member doesn't do.
    fn put_off(&mut self, event: Event) -> Option<Event> {
        let (place, of_life) = match event {
            Event::Tick { place, life }
            | Event::Unreachable { place, life, .. }
            | Event::GroupDurable { place, life }
            | Event::Apply { place, life }
            | Event::Leave { place, life }
            | Event::Reset { place, life }
            | Event::Snapshot { place, life, .. }
            | Event::Maintain { place, life } => (place, Some(life)),
            Event::Deliver { place, .. } => (place, None),
            _ => return Some(event),
        };
        let node = &self.nodes[place];
        if node.driver.is_none() || of_life.is_some_and(|life| life != node.life) {
            return None;
        }
        let is_on_disk = matches!(event, Event::GroupDurable { .. } | Event::Maintain { .. });
        let stalled_until = if is_on_disk { node.stalled_until } else { Duration::ZERO };
        let until = node.paused_until.max(stalled_until);
        if until > self.schedule.now() {
            self.schedule.at(until, event);
            return None;
        }
        Some(event)
    }

    pub(super) fn note(&self, what: &str) {
        self.trace.borrow_mut().note(self.schedule.now(), what);
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.trace.borrow().fingerprint()
    }

    /// Up to so many microseconds.
    pub(super) fn micros(&mut self, limit: u64) -> Duration {
        Duration::from_micros(1 + self.random.below(limit))
    }

    /// A member that runs and isn't paused, if the one that was drawn is one.
    pub(super) fn some_member(&mut self) -> Option<Place> {
        let place = self.random.below(self.nodes.len() as u64) as usize;
        let node = &self.nodes[place];
        let is_up = node.driver.is_some() && node.paused_until <= self.schedule.now();
        is_up.then_some(place)
    }

    fn watch(&mut self, number: usize) {
        if self.watches[number].place().is_none()
            && let Some(place) = self.some_member()
            && let Some(driver) = &self.nodes[place].driver
        {
            self.watches[number].connect(place, driver.store());
        }
        if let Some(place) = self.watches[number].place() {
            let polled = self.watches[number].poll(&self.judge.model, &mut self.random);
            if let Err(error) = polled {
                self.fails(place, &error);
            } else if self.random.one_in(60) {
                self.watches[number].disconnect();
            }
        }
        let pause = self.micros(20_000);
        self.schedule.after(pause, Event::Watch { watch: number });
    }
}
