//! Small histories whose verdict is known, and random ones beside trying all orders.

use super::register::{Call, Register};
use super::*;
use crate::random::Random;

type Calls = Vec<Operation<Call<u64>>>;

const STEPS_MAX: usize = 100_000;

fn operation(invoked: u64, returned: u64, call: Call<u64>) -> Operation<Call<u64>> {
    Operation { call, invoked, returned: Some(returned) }
}

fn read(found: u64) -> Call<u64> {
    Call::Read { found: (found != 0).then_some(found) }
}

fn write(value: u64) -> Call<u64> {
    Call::Write { value: Some(value), existed: None }
}

fn swap(expected: u64, value: u64, succeeded: bool) -> Call<u64> {
    let expected = (expected != 0).then_some(expected);
    Call::CompareAndSet { expected, value: Some(value), succeeded: Some(succeeded) }
}

fn verdict(history: &Calls) -> Verdict<Register<u64>> {
    check(Register::default(), history, STEPS_MAX)
}

fn is_linearizable(history: Calls) -> bool {
    match verdict(&history) {
        Verdict::Linearizable => true,
        Verdict::Refuted(_) => false,
        Verdict::Undecided => panic!("{} calls are too many", history.len()),
    }
}

#[test]
fn a_read_after_a_write_sees_it() {
    assert!(is_linearizable(vec![operation(1, 2, write(7)), operation(3, 4, read(7))]));
    assert!(!is_linearizable(vec![operation(1, 2, write(7)), operation(3, 4, read(0))]));
}

#[test]
fn what_overlaps_may_have_any_order() {
    for seen in [0, 7] {
        assert!(is_linearizable(vec![operation(1, 4, write(7)), operation(2, 3, read(seen))]));
    }
    // But only one: who saw the new value isn't followed by one who sees the old.
    let back = [operation(1, 8, write(7)), operation(2, 3, read(7)), operation(4, 5, read(0))];
    assert!(!is_linearizable(back.to_vec()));
}

#[test]
fn two_cannot_replace_the_same_value() {
    let both = [
        operation(1, 2, write(1)),
        operation(3, 6, swap(1, 2, true)),
        operation(4, 5, swap(1, 3, true)),
    ];
    assert!(!is_linearizable(both.to_vec()));
    let mut one = both.to_vec();
    one[1].call = swap(1, 2, false);
    assert!(is_linearizable(one));
}

#[test]
fn what_was_not_answered_may_happen_late_or_never() {
    let unanswered = Operation { call: write(7), invoked: 1, returned: None };
    let reads = |found: [u64; 3]| {
        let mut history = vec![unanswered.clone()];
        for (found, at) in found.into_iter().zip([10, 20, 30]) {
            history.push(operation(at, at + 1, read(found)));
        }
        history
    };
    assert!(is_linearizable(reads([0, 0, 0])));
    assert!(is_linearizable(reads([0, 7, 7])));
    assert!(!is_linearizable(reads([0, 7, 0])), "it happens once");
}

#[test]
fn a_refusal_says_how_far_it_got() {
    let history = vec![
        operation(1, 2, write(7)),
        operation(3, 4, write(8)),
        operation(5, 7, read(7)),
        operation(6, 8, read(8)),
    ];
    let Verdict::Refuted(stuck) = verdict(&history) else {
        panic!("7 was gone");
    };
    assert_eq!(stuck.order, [0, 1, 3]);
    assert_eq!(stuck.state.value, Some(8));
    assert_eq!(stuck.next, [2]);
}

#[test]
fn a_search_ends() {
    let write = |value| Operation { call: write(value), invoked: value, returned: None };
    let mut history: Calls = (1..=40).map(write).collect();
    history.push(operation(100, 101, read(41)));
    assert_eq!(verdict(&history), Verdict::Undecided);
}

/// Calls that really happened, one after the other at random moments within their time.
fn happened(random: &mut Random, calls: usize) -> Calls {
    let mut moments: Vec<u64> = (0..3 * calls as u64).collect();
    for at in (1..moments.len()).rev() {
        moments.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut times: Vec<[u64; 3]> =
        moments.chunks_exact(3).map(|three| [three[0], three[1], three[2]]).collect();
    times.iter_mut().for_each(|three| three.sort_unstable());
    times.sort_unstable_by_key(|three| three[1]);
    let mut register = Register::default();
    let mut history: Calls = Vec::new();
    for [invoked, _, returned] in times {
        let value = 1 + random.below(4);
        let call = match random.below(4) {
            0 => write(value),
            1 => {
                let existed = Some(register.value.is_some());
                Call::Write { value: None, existed }
            }
            2 => {
                let expected = (!random.one_in(3)).then(|| 1 + random.below(4));
                let succeeded = Some(register.value == expected);
                Call::CompareAndSet { expected, value: Some(value), succeeded }
            }
            _ => Call::Read { found: register.value },
        };
        register = register.after(&call).expect("it is the true answer");
        let returned = (!random.one_in(5) || matches!(call, Call::Read { .. })).then_some(returned);
        history.push(Operation { call, invoked, returned });
    }
    history.sort_by_key(|operation| operation.invoked);
    history
}

/// Tries all orders.
fn has_an_order(register: &Register<u64>, rest: &Calls) -> bool {
    let first_return = rest.iter().filter_map(|operation| operation.returned).min();
    let Some(first_return) = first_return else {
        return true;
    };
    rest.iter().enumerate().filter(|(_, next)| next.invoked < first_return).any(|(place, next)| {
        let mut others = rest.clone();
        others.remove(place);
        register.after(&next.call).is_some_and(|after| has_an_order(&after, &others))
    })
}

#[test]
fn what_happened_is_linearizable_and_what_is_not_is_refused() {
    let mut refused = 0;
    for seed in 0..2_000 {
        let mut random = Random::new(seed);
        let mut history = happened(&mut random, 7);
        assert!(is_linearizable(history.clone()), "seed {seed}: {history:?}");
        // Another answer, which may be wrong.
        for operation in &mut history {
            if let Call::Read { found } = &mut operation.call {
                *found = (!random.one_in(4)).then(|| 1 + random.below(4));
                break;
            }
        }
        let expected = has_an_order(&Register::default(), &history);
        refused += u32::from(!expected);
        assert_eq!(is_linearizable(history.clone()), expected, "seed {seed}: {history:?}");
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn long_histories_of_few_callers_take_few_steps() {
    let mut register = Register::default();
    let mut random = Random::new(1);
    let mut history: Calls = Vec::new();
    for number in 0..5_000 {
        let call = match random.one_in(2) {
            true => Call::Read { found: register.value },
            false => write(number),
        };
        register = register.after(&call).expect("it is the true answer");
        let invoked = 10 * number;
        history.push(operation(invoked, invoked + 25 + random.below(3), call));
    }
    // All moments differ.
    for (place, operation) in history.iter_mut().enumerate() {
        operation.returned = operation.returned.map(|at| at * 8_192 + place as u64);
        operation.invoked = operation.invoked * 8_192 + place as u64;
    }
    assert_eq!(verdict(&history), Verdict::Linearizable);
}
