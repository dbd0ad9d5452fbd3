//! A queue of ids by time, in which an id has at most one entry.
//!
//! Putting an id off is common (every renewal of a lease does it) and doesn't touch the queue: its
//! owner notices, when the entry comes up, that the time isn't due, and adds the id again. What was
//! removed stays as a dead entry until it comes up or the queue is mostly dead.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

/// Ids waiting for their time.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    heap: BinaryHeap<Reverse<(Duration, i64)>>,
    /// The time of each id's only valid entry.
    times: HashMap<i64, Duration>,
}

impl Schedule {
    /// Dead entries that are never worth sweeping out.
    const DEAD_ENTRIES_MIN: usize = 64;

    /// Sets the time of `id`, in place of any earlier setting.
    pub(super) fn set(&mut self, id: i64, time: Duration) {
        self.times.insert(id, time);
        self.heap.push(Reverse((time, id)));
        self.sweep();
    }

    /// Forgets `id`.
    pub(super) fn remove(&mut self, id: i64) {
        self.times.remove(&id);
        self.sweep();
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        self.times.clear();
    }

    /// Takes out the first id whose time has come.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<i64> {
        while let Some(&Reverse((time, id))) = self.heap.peek() {
            let is_valid = self.times.get(&id) == Some(&time);
            if is_valid && time > now {
                return None;
            }
            self.heap.pop();
            if is_valid {
                self.times.remove(&id);
                return Some(id);
            }
        }
        None
    }

    /// Rebuilds the heap when most of it is dead: constant time for each entry ever added.
    fn sweep(&mut self) {
        if self.heap.len() > 2 * self.times.len() + Schedule::DEAD_ENTRIES_MIN {
            self.heap = self.times.iter().map(|(&id, &time)| Reverse((time, id))).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn ids_come_up_in_order_and_once() {
        let mut schedule = Schedule::default();
        schedule.set(1, at(10));
        schedule.set(2, at(5));
        schedule.set(3, at(7));
        schedule.set(1, at(6));
        schedule.remove(3);
        assert_eq!(schedule.pop_due(at(4)), None);
        assert_eq!(schedule.pop_due(at(5)), Some(2));
        assert_eq!(schedule.pop_due(at(20)), Some(1));
        assert_eq!(schedule.pop_due(at(20)), None);
    }

    #[test]
    fn dead_entries_do_not_pile_up() {
        let mut schedule = Schedule::default();
        for round in 0..10_000 {
            schedule.set(7, at(1_000_000 + round));
            schedule.set(-1, at(1));
            schedule.remove(-1);
        }
        assert!(schedule.heap.len() <= 2 + Schedule::DEAD_ENTRIES_MIN + 2);
        assert_eq!(schedule.pop_due(at(2_000_000)), Some(7));
    }
}
