//! Options change how records lie on the disk and when they get there, and nothing else: a random
//! history under options that are drawn at random, and drawn again at every restart, after crashes
//! and in checkpoints that are gone on with, shows what the oracle shows. So any two draws, and any
//! two engines, show the same.

use proptest::prelude::*;

use crate::drawn::{Drawn, drawn};
use crate::play::{Action, ENGINES, Pair, action};

#[derive(Clone, Debug)]
enum Event {
    Happens(Action),
    Reopen(Drawn),
    Crash(u64, Drawn),
    MoveToCheckpoint(Drawn),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        40 => action().prop_map(Event::Happens),
        2 => drawn().prop_map(Event::Reopen),
        2 => (any::<u64>(), drawn()).prop_map(|(seed, drawn)| Event::Crash(seed, drawn)),
        1 => drawn().prop_map(Event::MoveToCheckpoint),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_options_show_the_same(
        first in drawn(),
        events in proptest::collection::vec(event(), 1..200),
        last in drawn(),
    ) {
        for engine in ENGINES {
            let mut pair = Pair::new(engine, first.clone());
            for event in &events {
                match event {
                    Event::Happens(action) => pair.take_all(std::slice::from_ref(action)),
                    Event::Reopen(drawn) => pair.reopen(drawn),
                    Event::Crash(seed, drawn) => pair.crash(*seed, drawn),
                    Event::MoveToCheckpoint(drawn) => pair.move_to_checkpoint(drawn),
                }
            }
            pair.end(&last);
        }
    }
}
