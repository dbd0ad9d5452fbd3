//! The proof that the simulator finds bugs: each of a list of bugs, put in on purpose, is found
//! within its number of seeds, counted from 0.

use retcd_sim::{Defect, Plan, run};
use std::panic;
use std::sync::Mutex;
use std::thread;

/// Says by which seed a defect is found, if it is.
fn find(defect: Defect, seeds: u64) -> Option<String> {
    (0..seeds).find_map(|seed| {
        let plan = Plan::of(seed, Some(defect));
        if !plan.may_show_defect() {
            return None;
        }
        let failure = run(&plan).err()?;
        let what = failure.what.lines().next().unwrap_or_default();
        Some(format!("{defect:?} is found by seed {seed}: {what:.100}"))
    })
}

#[test]
fn each_defect_is_found() {
    // Here failures are what is wanted.
    panic::set_hook(Box::new(|_| {}));
    let defects = Mutex::new(Defect::ALL.into_iter());
    let missed = Mutex::new(Vec::new());
    let look_for_some = || {
        loop {
            let next = defects.lock().expect("nothing panics with it").next();
            let Some((defect, seeds)) = next else { return };
            match find(defect, seeds) {
                Some(found) => println!("{found}"),
                None => missed.lock().expect("nothing panics with it").push(defect),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(look_for_some);
        }
    });
    let _ = panic::take_hook();
    let missed = missed.into_inner().expect("nothing panics with it");
    assert!(missed.is_empty(), "not found: {missed:?}");
}
