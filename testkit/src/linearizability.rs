//! Whether a history of calls to one object could have happened one after the other.
//!
//! A history is linearizable if each call can be given a moment between its invocation and its
//! return, so that the object, asked in the order of these moments, gives just the answers that
//! were given. A call without an answer may have had its effect at any later time, or never.
//!
//! The search is that of Wing and Gong ("Testing and verifying concurrent objects", 1993):
//!
//! 1. Of the calls that aren't placed yet, one that was invoked before the first of them returned
//!    may be next. One of these is tried, those with an answer first.
//! 2. If the object couldn't have given its answer, another one is tried; if there is none, the
//!    call before is taken back.
//! 3. The same calls placed in another order, with the object in the same state, lead nowhere that
//!    wasn't seen (Lowe, "Testing for linearizability", 2017), so each pair of both is tried once.
//!
//! The time that this takes grows fast with the calls that overlap, above all those without an
//! answer, and little with those that don't: a history is to be cut into objects that are as small
//! as possible, such as one key each ([`register`]).

pub mod register;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::Hash;

/// What one caller did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<C> {
    /// What was asked and answered.
    pub call: C,
    /// When it was asked. All moments of a history differ.
    pub invoked: u64,
    /// When the answer came; `None` if none did.
    pub returned: Option<u64>,
}

/// An object that is asked by one caller at a time.
pub trait Object: Clone + Eq + Hash {
    /// A request and, if there was one, its answer.
    type Call;

    /// The object after a call; `None` if it wouldn't have given this answer.
    fn after(&self, call: &Self::Call) -> Option<Self>;
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<S> {
    /// It could have happened one after the other.
    Linearizable,
    /// It couldn't.
    Refuted(Stuck<S>),
    /// The search was given up.
    Undecided,
}

/// As far as a history could be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck<S> {
    /// Places in the history of the longest order that was found.
    pub order: Vec<usize>,
    /// The object after these.
    pub state: S,
    /// Of the calls that could be next, those with an answer: it gives none of theirs.
    pub next: Vec<usize>,
}

/// Looks for an order in which `object` would have given all answers of `history`, which is sorted
/// by invocation. Gives up after placing calls `steps_max` times.
pub fn check<S: Object>(object: S, history: &[Operation<S::Call>], steps_max: usize) -> Verdict<S> {
    assert!(history.is_sorted_by_key(|operation| operation.invoked), "a history is sorted");
    let answered = history.iter().filter(|operation| operation.returned.is_some()).count();
    let mut search = Search { history, seen: HashSet::new() };
    let mut path = vec![search.place(object, Placed::none(history.len()), None)];
    let mut best: Option<Stuck<S>> = None;
    for _ in 0..steps_max {
        let Some(step) = path.last_mut() else {
            let stuck = best.expect("the empty order is one");
            return Verdict::Refuted(stuck);
        };
        if step.placed.answered == answered {
            return Verdict::Linearizable;
        }
        let Some(place) = step.untried.pop() else {
            let length = path.len() - 1;
            if best.as_ref().is_none_or(|best| best.order.len() < length) {
                best = Some(search.stuck(&path));
            }
            path.pop();
            continue;
        };
        let operation = &history[place];
        let Some(state) = step.state.after(&operation.call) else {
            continue;
        };
        let placed = step.placed.with(place, operation.returned.is_some());
        if search.seen.insert((placed.bits.clone(), state.clone())) {
            path.push(search.place(state, placed, Some(place)));
        }
    }
    Verdict::Undecided
}

/// Which calls have their place in the order.
#[derive(Clone)]
struct Placed {
    bits: Vec<u64>,
    /// How many of them have an answer.
    answered: usize,
    /// All calls before this one are placed.
    first_open: usize,
}

impl Placed {
    fn none(calls: usize) -> Placed {
        Placed { bits: vec![0; calls.div_ceil(64)], answered: 0, first_open: 0 }
    }

    fn has(&self, place: usize) -> bool {
        self.bits.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    fn with(&self, place: usize, is_answered: bool) -> Placed {
        let mut placed = self.clone();
        placed.bits[place / 64] |= 1 << (place % 64);
        placed.answered += usize::from(is_answered);
        while placed.has(placed.first_open) {
            placed.first_open += 1;
        }
        placed
    }
}

/// One more call in the order.
struct Step<S> {
    call: Option<usize>,
    state: S,
    placed: Placed,
    /// What may be next, the best guess last.
    untried: Vec<usize>,
}

struct Search<'a, C, S> {
    history: &'a [Operation<C>],
    seen: HashSet<(Vec<u64>, S)>,
}

impl<C, S: Object<Call = C>> Search<'_, C, S> {
    fn place(&self, state: S, placed: Placed, call: Option<usize>) -> Step<S> {
        let mut untried = self.candidates(&placed);
        // Without an answer a call rather has no effect than a wrong one.
        untried.sort_by_key(|&place| self.history[place].returned.map_or(0, |at| u64::MAX - at));
        Step { call, state, placed, untried }
    }

    /// The calls that no other one must come before.
    fn candidates(&self, placed: &Placed) -> Vec<usize> {
        let mut candidates = Vec::new();
        let mut first_return = u64::MAX;
        for (place, operation) in self.history.iter().enumerate().skip(placed.first_open) {
            if operation.invoked > first_return {
                break;
            }
            if !placed.has(place) {
                candidates.push(place);
                first_return = first_return.min(operation.returned.unwrap_or(u64::MAX));
            }
        }
        candidates
    }

    fn stuck(&self, path: &[Step<S>]) -> Stuck<S> {
        let last = path.last().expect("it has a beginning");
        let is_answered = |&place: &usize| self.history[place].returned.is_some();
        Stuck {
            order: path.iter().filter_map(|step| step.call).collect(),
            state: last.state.clone(),
            next: self.candidates(&last.placed).into_iter().filter(is_answered).collect(),
        }
    }
}
