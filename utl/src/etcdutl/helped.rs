//! An engine whose flushes and merges are another thread's, so that who fills it goes on meanwhile.
//!
//! 1. A commit that leaves a memtable to be flushed wakes the thread, which steps the engine until
//!    nothing is due.
//! 2. [`Engine::step`] does nothing itself: it waits until the thread has done a step. So who
//!    holds back by calling it, as an import does, sleeps until there is room.
//! 3. What the thread fails with is what the next step fails with.

use parking_lot::{Condvar, Mutex};
use retcd_engine::{Applied, Engine, Keyspace, Record, Result, Stats, Step, View};
use std::sync::Arc;
use std::thread::JoinHandle;

/// See the module's text.
pub(super) struct Helped {
    engine: Arc<dyn Engine>,
    desk: Arc<Desk>,
    helper: Option<JoinHandle<()>>,
}

/// Where the two threads meet.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether there may be something to do.
    is_asked: bool,
    /// Whether nobody will ask any more.
    is_closed: bool,
    /// Steps of the thread so far, those included that found nothing to do.
    steps: u64,
    /// What the last of them did.
    last: Option<Result<Step>>,
    /// Whether the thread is at its end.
    is_over: bool,
}

impl Helped {
    /// Hands an engine's work to a thread, which ends with the value.
    pub(super) fn new(engine: Arc<dyn Engine>) -> Helped {
        let desk = Arc::new(Desk::default());
        let (own_engine, own_desk) = (engine.clone(), desk.clone());
        let helper = std::thread::spawn(move || help(&*own_engine, &own_desk));
        Helped { engine, desk, helper: Some(helper) }
    }

    fn ask(&self) {
        self.desk.state.lock().is_asked = true;
        self.desk.changed.notify_all();
    }
}

impl Drop for Helped {
    fn drop(&mut self) {
        self.desk.state.lock().is_closed = true;
        self.desk.changed.notify_all();
        if let Some(helper) = self.helper.take() {
            // If it panicked, that was told; what it was asked for isn't waited for any more.
            let _ = helper.join();
        }
    }
}

/// Does what is due, whenever it is asked to.
fn help(engine: &dyn Engine, desk: &Desk) {
    let _over = Over(desk);
    loop {
        let mut state = desk.state.lock();
        while !state.is_asked && !state.is_closed {
            desk.changed.wait(&mut state);
        }
        if state.is_closed {
            return;
        }
        // Who asks while the step goes on may ask for what it doesn't see.
        state.is_asked = false;
        drop(state);
        let step = engine.step();
        let (goes_on, has_failed) = (matches!(step, Ok(Step::Worked)), step.is_err());
        let mut state = desk.state.lock();
        state.is_asked |= goes_on;
        state.steps += 1;
        state.last = Some(step);
        desk.changed.notify_all();
        if has_failed {
            return;
        }
    }
}

/// Lets nobody wait for a thread that has ended, however it did.
struct Over<'a>(&'a Desk);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.state.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl Engine for Helped {
    fn write(&self, keyspace: Keyspace, records: &mut Vec<Record>) -> Result<()> {
        self.engine.write(keyspace, records)
    }

    fn commit(&self, applied: Applied) -> Result<()> {
        self.engine.commit(applied)?;
        if self.engine.stats().frozen_memtables > 0 {
            self.ask();
        }
        Ok(())
    }

    fn view(&self) -> Box<dyn View> {
        self.engine.view()
    }

    fn applied(&self) -> Applied {
        self.engine.applied()
    }

    fn flushed(&self) -> Applied {
        self.engine.flushed()
    }

    fn request_flush(&self) -> Result<()> {
        self.engine.request_flush()
    }

    fn request_merge(&self) -> Result<()> {
        self.engine.request_merge()
    }

    fn step(&self) -> Result<Step> {
        let mut state = self.desk.state.lock();
        let before = state.steps;
        state.is_asked = true;
        self.desk.changed.notify_all();
        while state.steps == before && !state.is_over {
            self.desk.changed.wait(&mut state);
        }
        match state.last.take() {
            Some(step) => step,
            // An engine that has failed says so again.
            None => {
                drop(state);
                self.engine.step()
            }
        }
    }

    fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_engine::lsm::{Lsm, Options};
    use retcd_engine::{Header, Version};
    use retcd_vfs::{CrashVfs, Fault, MemVfs, Vfs};
    use std::path::Path;

    fn lsm(vfs: &(impl Vfs + Clone)) -> Arc<dyn Engine> {
        let options = Options { memtable_bytes: 4096, ..Options::default() };
        let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
        Arc::new(Lsm::open(vfs, Path::new("db"), options).expect("an empty folder"))
    }

    fn write(engine: &Helped, main: u64) -> Result<()> {
        let record = Record {
            key: main.to_be_bytes().to_vec().into(),
            version: Version { main, sub: 0 },
            tombstone: false,
            header: Header::default(),
            value: vec![7; 500].into(),
            keys_added: Some(1),
        };
        engine.write(Keyspace::Kv, &mut vec![record])?;
        engine.commit(Applied { index: main, ..Applied::default() })
    }

    #[test]
    fn what_is_due_is_done_by_another_thread() {
        let vfs = MemVfs::new();
        let engine = Helped::new(lsm(&vfs));
        for main in 1..200 {
            write(&engine, main).expect("memory");
            while engine.stats().frozen_memtables > 1 {
                engine.step().expect("memory");
            }
        }
        engine.request_flush().expect("memory");
        while engine.flushed().index < 199 {
            engine.step().expect("memory");
        }
        assert!(engine.stats().flushes > 10);
        drop(engine);
        assert_eq!(lsm(&vfs).flushed().index, 199);
    }

    #[test]
    fn few_runs_are_left_alone_until_somebody_asks() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let options = Options { unmerged_runs: 8, ..Options::default() };
        let lsm = Lsm::open(vfs, Path::new("db"), options).expect("an empty folder");
        let engine = Helped::new(Arc::new(lsm));
        let flush = |main| {
            write(&engine, main).expect("memory");
            engine.request_flush().expect("memory");
            while engine.flushed().index < main {
                engine.step().expect("memory");
            }
        };
        (1..8).for_each(flush);
        let stats = engine.stats();
        assert_eq!((stats.level_zero_runs, stats.merges), (7, 0));
        engine.request_merge().expect("memory");
        while engine.stats().level_zero_runs > 0 {
            engine.step().expect("memory");
        }
        (8..16).for_each(flush);
        // Eight are merged without being asked for.
        while engine.stats().level_zero_runs >= 8 {
            engine.step().expect("memory");
        }
    }

    #[test]
    fn what_it_fails_with_is_told() {
        let vfs = CrashVfs::new();
        let engine = Helped::new(lsm(&vfs));
        vfs.fail_at(vfs.operations() + 3, Fault::Io);
        write(&engine, 1).expect("memory takes it");
        engine.request_flush().expect("memory");
        let failed = loop {
            if let Err(error) = engine.step() {
                break error;
            }
        };
        assert!(matches!(failed, retcd_engine::Error::Io { .. }), "{failed}");
        let again = engine.step().expect_err("it is poisoned");
        assert!(matches!(again, retcd_engine::Error::Poisoned), "{again:?}");
    }
}
