//! A history of the log, then damage to the files it left, then a start.
//!
//! Undamaged, also after a crash, the log must come back with everything acknowledged. Damaged, it
//! must be what it was behind one of its writes, or refused; refused whenever the bytes that are
//! left prove that something durable is gone, or that it is below what the engine has flushed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_fuzz::input::Input;
use retcd_fuzz::wal::damage::damage;
use retcd_fuzz::wal::history::History;
use retcd_fuzz::wal::judge::judge;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut history = History::new(&mut input);
    history.run(&mut input);
    let (before, needed) = history.end(&mut input);
    let mut after = before.clone();
    let times = input.up_to(4);
    for _ in 0..times {
        damage(&mut after, &history.kept, &mut input);
    }
    judge(&mut history, &before, &after, needed);
});
