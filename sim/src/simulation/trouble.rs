//! Faults: which one comes next, and what it does.

use super::{Event, Phase, RECOVERY, Relief, Simulation};
use crate::network::{Place, Weather};
use crate::node::{End, Node};
use crate::plan::{Fault, TICK};
use retcd_raft_glue::Input;
use std::time::Duration;

/// Operations on a disk after which a planned failure comes, at most.
const OPERATIONS_MAX: u64 = 400;

/// How far a clock jumps, at most.
const JUMP_TICKS_MAX: u64 = 25;

/// How long a leader is cut off at least with who still follows it: others are elected meanwhile.
const LEADER_ALONE: Duration = Duration::from_millis(300);

impl Simulation {
    pub(super) fn trouble(&mut self) {
        if self.phase != Phase::Trouble {
            return;
        }
        let kinds = self.plan.faults.len() as u64;
        if kinds > 0 {
            let fault = self.plan.faults[self.random.below(kinds) as usize];
            let place = self.some_place();
            self.note(&format!("{fault:?}, if it matters at m{}", place + 1));
            self.strike(fault, place);
        }
        let rest = self.micros(self.plan.rest.as_micros() as u64);
        self.schedule.after(rest, Event::Trouble);
    }

    /// Where the next fault is; rather at the leader than elsewhere.
    fn some_place(&mut self) -> Place {
        let drawn = self.random.below(self.nodes.len() as u64) as usize;
        let leader = self.leader().filter(|_| self.random.one_in(3));
        leader.unwrap_or(drawn)
    }

    /// A member that takes itself for the leader.
    fn leader(&self) -> Option<Place> {
        let leads = |node: &Node| node.driver.as_ref().is_some_and(|driver| driver.leads());
        self.nodes.iter().position(leads)
    }

    fn strike(&mut self, fault: Fault, place: Place) {
        let now = self.schedule.now();
        let duration = self.micros(600_000);
        match fault {
            Fault::Crash => self.end_if_up(place, End::Crash),
            Fault::Kill => self.end_if_up(place, End::Kill),
            Fault::PowerFailure => {
                (0..self.nodes.len()).for_each(|place| self.end_if_up(place, End::Crash));
            }
            Fault::CrashInOperation => {
                let operations = 1 + self.random.below(OPERATIONS_MAX);
                self.nodes[place].plan_failure(operations, None);
            }
            Fault::DiskError => self.plan_disk_error(place),
            Fault::DiskStall => {
                let node = &mut self.nodes[place];
                node.stalled_until = now + duration;
                let life = node.life;
                // What hangs is often ended by hand.
                if self.random.one_in(2) {
                    let pause = self.micros(duration.as_micros() as u64);
                    self.schedule.after(pause, Event::Reset { place, life });
                }
            }
            Fault::Pause => self.nodes[place].paused_until = now + duration,
            Fault::SlowApply => self.nodes[place].slow_until = now + duration,
            Fault::Partition => self.partition(place, duration),
            Fault::Weather => {
                self.network.weather = Weather {
                    loss: self.random.below(200),
                    repetition: self.random.below(200),
                    delay: Duration::from_millis(1 + self.random.below(20)),
                    laggards: self.random.below(50),
                };
                self.schedule.after(duration, Event::Relief(Relief::Weather));
            }
            Fault::Drift => {
                self.nodes[place].tick = TICK * (5 + self.random.below(15) as u32) / 10;
                self.schedule.after(duration, Event::Relief(Relief::Clock(place)));
            }
            Fault::Transfer => {
                let to = self.random.below(self.nodes.len() as u64) as usize;
                let to = self.nodes[to].id;
                if let Some(leader) = self.leader() {
                    self.drive(leader, |driver| driver.step(Input::TransferLeader { to }));
                }
            }
            Fault::ClockJump => self.jump(),
            Fault::ConfChange => self.change_address(place),
            Fault::Membership => self.change_membership(place),
        }
    }

    /// The clocks of some members jump, so that several may campaign at once.
    fn jump(&mut self) {
        for place in 0..self.nodes.len() {
            let ticks = self.random.below(JUMP_TICKS_MAX);
            let jumps =
                !self.random.one_in(3) && self.nodes[place].paused_until <= self.schedule.now();
            for _ in 0..if jumps { ticks } else { 0 } {
                self.drive(place, |driver| driver.step(Input::Tick));
            }
        }
    }

    fn end_if_up(&mut self, place: Place, end: End) {
        if self.nodes[place].driver.is_some() {
            self.end(place, end);
        }
    }

    fn plan_disk_error(&mut self, place: Place) {
        use retcd_vfs::Fault::{Io, NoSpace, ShortWrite};
        let error = [Io, NoSpace, ShortWrite][self.random.below(3) as usize];
        let operations = 1 + self.random.below(OPERATIONS_MAX);
        self.nodes[place].plan_failure(operations, Some(error));
    }

    /// One of: a member alone, a member that isn't heard or hears nothing, two halves, one way
    /// between two members; where five are, rather a leader and another one without the rest, for
    /// longer, and with a slow clock, so that it notices late.
    fn partition(&mut self, mut place: Place, mut duration: Duration) {
        let all = 0..self.nodes.len();
        let mut shape = self.random.below(5);
        if all.len() >= 5 && !self.random.one_in(4) {
            shape = 5;
            if let Some(leader) = self.leader() {
                place = leader;
                duration += LEADER_ALONE;
                self.nodes[leader].tick = 2 * TICK;
                self.schedule.after(duration, Event::Relief(Relief::Clock(leader)));
            }
        }
        self.schedule.after(duration, Event::Relief(Relief::Network));
        let half = self.random.number();
        let other = self.random.below(self.nodes.len() as u64) as usize;
        let is_of_two = |member: Place| member == place || member == other;
        for (from, to) in all.clone().flat_map(|from| all.clone().map(move |to| (from, to))) {
            let is_cut = match shape {
                0 => (from == place) != (to == place),
                1 => from == place,
                2 => to == place,
                3 => (half >> from & 1) != (half >> to & 1),
                4 => from == place && to == other,
                _ => is_of_two(from) != is_of_two(to),
            };
            if is_cut && from != to {
                self.network.cut(from, to);
            }
        }
    }

    pub(super) fn relieve(&mut self, relief: Relief) {
        match relief {
            Relief::Network => self.network.heal(),
            Relief::Weather => self.network.weather = Weather::FAIR,
            Relief::Clock(place) => self.nodes[place].tick = TICK,
        }
        self.note(&format!("relief: {relief:?}"));
    }

    /// All faults are over. Members that are down start again by themselves.
    pub(super) fn calm(&mut self) {
        self.note("all faults are over");
        self.phase = Phase::Calm;
        self.network.heal();
        self.network.weather = Weather::FAIR;
        let now = self.schedule.now();
        for node in &mut self.nodes {
            // A machine that has stopped at an operation is yet to find out.
            if node.planned_end().is_none() {
                node.clear_plan();
            }
            node.tick = TICK;
            node.paused_until = now;
            node.stalled_until = now;
            node.slow_until = now;
        }
        self.schedule.after(RECOVERY, Event::Probe);
    }
}
