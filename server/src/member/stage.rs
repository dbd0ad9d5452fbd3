//! A stage of the write path: a queue, a worker, and a thread that works the queue off.
//!
//! Waking a thread costs about as much as a small write. So whoever brings work may do it on the
//! spot: if nothing is queued and the worker is free, [`Stage::bring`] borrows it; otherwise the
//! work is queued for the stage's own thread. One thread alone brings work to a stage, and work
//! leaves the queue only under the worker's lock: so it is done in the order in which it came.
//!
//! Some work is only begun, and goes on without a thread (writes in the kernel). Then the stage's
//! thread sleeps on a [`Waiter`] instead of the queue, without the worker's lock:
//!
//! * whoever begins something while the thread sleeps on the queue calls it over (`calls`), once;
//! * whoever queues work while the thread sleeps on the waiter wakes it, if it would take work.

use super::Failure;
use crossbeam_channel::{Receiver, Select, Sender, bounded, unbounded};
use parking_lot::Mutex;
use retcd_vfs::Waiter;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a stage does.
pub(super) trait Worker: Send {
    /// A piece of work.
    type Work: Send;

    /// Whether whoever brings `work` may do it, as far as the worker is concerned.
    fn is_ready(&self, _work: &Self::Work) -> bool {
        true
    }

    /// Does or begins `first` and what else is worth doing with it of the queue.
    fn work(&mut self, first: Self::Work, queue: &Queue<Self::Work>) -> Result<(), Failure>;

    /// Goes on with what was begun, as far as it has got.
    fn go_on(&mut self, _queue: &Queue<Self::Work>) -> Result<(), Failure> {
        Ok(())
    }

    /// What the stage's thread sleeps on next.
    fn pause(&self) -> Pause {
        Pause::default()
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Nothing came for a while, or so much that it is time to look after things.
    fn idle(&mut self) -> Result<(), Failure>;

    /// Nothing comes any more.
    fn end(self) -> Result<(), Failure>;
}

/// What the stage's thread sleeps on.
#[derive(Default)]
pub(super) struct Pause {
    /// What is under way; the queue if nothing is.
    pub(super) waiter: Option<Arc<dyn Waiter>>,
    /// Whether more work would be taken while that is under way.
    pub(super) takes_work: bool,
    /// When the worker wants to go on in any case.
    pub(super) until: Option<Instant>,
}

/// Why the stage's thread has slept enough.
enum Came {
    /// Something is queued.
    Work,
    /// What is under way has got further, perhaps, or the time has come.
    Progress,
    /// Nothing, for a while.
    Nothing,
}

/// Whether work may be done by whoever brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bring {
    /// Now, if the stage is free.
    Now,
    /// Only on the stage's thread.
    Later,
}

/// Work that waits.
pub(super) struct Queue<T> {
    sender: Sender<Option<T>>,
    receiver: Receiver<Option<T>>,
}

impl<T> Queue<T> {
    /// The next piece of work that is there already. The end stays in the queue.
    pub(super) fn next(&self) -> Option<T> {
        match self.receiver.try_recv() {
            Ok(Some(work)) => Some(work),
            Ok(None) => {
                self.end();
                None
            }
            Err(_) => None,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    fn add(&self, work: T) {
        // The queue owns both ends of its channel: it can't be disconnected.
        let _ = self.sender.send(Some(work));
    }

    fn end(&self) {
        let _ = self.sender.send(None);
    }
}

/// A worker with its queue.
pub(super) struct Stage<W: Worker> {
    queue: Queue<W::Work>,
    slot: Mutex<Slot<W>>,
    /// Calls the stage's thread from the queue to what is under way.
    calls: (Sender<()>, Receiver<()>),
    /// What the stage's thread sleeps on, while work that is queued should wake it.
    bell: Mutex<Option<Arc<dyn Waiter>>>,
}

struct Slot<W> {
    /// `None` after a failure and at the end.
    worker: Option<W>,
    /// Whether the stage's thread comes to what is under way without being called.
    is_attended: bool,
}

impl<W: Worker> Stage<W> {
    /// A stage without work.
    pub(super) fn new(worker: W) -> Stage<W> {
        let (sender, receiver) = unbounded();
        Stage {
            queue: Queue { sender, receiver },
            slot: Mutex::new(Slot { worker: Some(worker), is_attended: false }),
            calls: bounded(1),
            bell: Mutex::new(None),
        }
    }

    /// Does `work` on the spot, or queues it.
    pub(super) fn bring(&self, work: W::Work, bring: Bring) -> Result<(), Failure> {
        if bring == Bring::Now
            && self.queue.is_empty()
            && let Some(mut slot) = self.slot.try_lock()
            // The stage's thread may have taken a piece in between, but it is done with that: the
            // lock is ours.
            && self.queue.is_empty()
            && slot.worker.as_ref().is_none_or(|worker| worker.is_ready(&work))
        {
            self.work(&mut slot, work)?;
            self.call_over(&mut slot);
            return Ok(());
        }
        self.queue.add(work);
        if let Some(bell) = &*self.bell.lock() {
            bell.wake();
        }
        Ok(())
    }

    /// Says that nothing comes any more; what is queued is still done.
    pub(super) fn end(&self) {
        self.queue.end();
        if let Some(bell) = &*self.bell.lock() {
            bell.wake();
        }
    }

    /// Waits until nothing is under way, for a thread that ends and has begun some of it.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        let mut slot = self.slot.lock();
        match slot.worker.is_some() {
            true => self.with(&mut slot, W::settle),
            // It failed, and whoever met the failure has told it.
            false => Ok(()),
        }
    }

    /// Works the queue off until its end. Runs on the stage's own thread.
    pub(super) fn run(&self, idle: Duration) -> Result<(), Failure> {
        let mut pause = Pause::default();
        loop {
            let came = self.sleep(&pause, idle)?;
            let mut slot = self.slot.lock();
            match came {
                Came::Nothing => self.with(&mut slot, W::idle)?,
                Came::Progress => self.with(&mut slot, |worker| worker.go_on(&self.queue))?,
                Came::Work => match self.queue.receiver.try_recv() {
                    Ok(Some(work)) => self.work(&mut slot, work)?,
                    Ok(None) => return slot.worker.take().map_or(Ok(()), W::end),
                    // Somebody who brought work did this piece, too.
                    Err(_) => {}
                },
            }
            pause = slot.worker.as_ref().map(W::pause).unwrap_or_default();
            slot.is_attended = pause.waiter.is_some();
        }
    }

    /// Sleeps on the queue or on what is under way.
    fn sleep(&self, pause: &Pause, idle: Duration) -> Result<Came, Failure> {
        let limit = match pause.until {
            Some(until) => until.saturating_duration_since(Instant::now()).min(idle),
            None => idle,
        };
        let Some(waiter) = &pause.waiter else {
            return Ok(self.sleep_on_queue(limit, pause.until.is_some()));
        };
        if pause.takes_work {
            *self.bell.lock() = Some(waiter.clone());
            // Whoever queues from now on rings; what was queued before is seen here.
            if !self.queue.is_empty() {
                *self.bell.lock() = None;
                return Ok(Came::Work);
            }
        }
        let waited = waiter.wait(limit);
        *self.bell.lock() = None;
        waited.map(|()| Came::Progress).map_err(Failure::Sleep)
    }

    fn sleep_on_queue(&self, limit: Duration, is_expected: bool) -> Came {
        let mut select = Select::new();
        select.recv(&self.queue.receiver);
        let call = select.recv(&self.calls.1);
        match select.ready_timeout(limit) {
            Ok(ready) if ready == call => {
                // It may have been for something that is over by now.
                let _ = self.calls.1.try_recv();
                Came::Progress
            }
            Ok(_) => Came::Work,
            Err(_) if is_expected => Came::Progress,
            Err(_) => Came::Nothing,
        }
    }

    /// Sees to it that the stage's thread comes to what is under way.
    fn call_over(&self, slot: &mut Slot<W>) {
        let is_under_way = |worker: &W| worker.pause().waiter.is_some();
        if !slot.is_attended && slot.worker.as_ref().is_some_and(is_under_way) {
            slot.is_attended = true;
            // If there is no room for a call there is one that it hasn't heard yet.
            let _ = self.calls.0.try_send(());
        }
    }

    fn work(&self, slot: &mut Slot<W>, work: W::Work) -> Result<(), Failure> {
        self.with(slot, |worker| worker.work(work, &self.queue))
    }

    /// Lets the worker do something; after a failure there is none any more. Nor is there after a
    /// panic, even one on the thread that brought the work: what is half done must not go on.
    fn with(
        &self,
        slot: &mut Slot<W>,
        act: impl FnOnce(&mut W) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut worker = slot.worker.take().ok_or(Failure::Stopped)?;
        act(&mut worker)?;
        slot.worker = Some(worker);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    struct Recorder {
        done: Arc<Mutex<Vec<(u32, &'static str)>>>,
    }

    impl Worker for Recorder {
        type Work = u32;

        fn work(&mut self, first: u32, _: &Queue<u32>) -> Result<(), Failure> {
            let thread = if std::thread::current().name() == Some("own") { "own" } else { "other" };
            self.done.lock().push((first, thread));
            Ok(())
        }

        fn idle(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn end(self) -> Result<(), Failure> {
            self.done.lock().push((0, "end"));
            Ok(())
        }
    }

    #[test]
    fn work_is_done_in_order_whoever_does_it() {
        let done = Arc::<Mutex<Vec<_>>>::default();
        let stage = Arc::new(Stage::new(Recorder { done: done.clone() }));
        stage.bring(1, Bring::Now).expect("the recorder never fails");
        assert_eq!(*done.lock(), [(1, "other")]);
        let own = std::thread::Builder::new().name("own".into());
        let runner = stage.clone();
        let own = own.spawn(move || runner.run(Duration::from_millis(1))).expect("a thread");
        for number in 2..10_000 {
            let bring = if number % 3 == 0 { Bring::Later } else { Bring::Now };
            stage.bring(number, bring).expect("the recorder never fails");
        }
        stage.end();
        own.join().expect("no panic").expect("the recorder never fails");
        let done = done.lock();
        let numbers: Vec<u32> = done.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..10_000).chain([0]).collect::<Vec<_>>());
    }

    /// Begins up to three pieces; a disk of its own thread ends them.
    struct Overlapping {
        taken: Option<u32>,
        begun: VecDeque<u32>,
        disk: Sender<u32>,
        ended: Receiver<u32>,
        bell: Arc<Bell>,
        reported: Arc<Mutex<Vec<u32>>>,
        most: usize,
    }

    #[derive(Default)]
    struct Bell {
        rang: Mutex<bool>,
        changed: parking_lot::Condvar,
    }

    impl Waiter for Bell {
        fn wait(&self, limit: Duration) -> std::io::Result<()> {
            let mut rang = self.rang.lock();
            if !*rang {
                self.changed.wait_for(&mut rang, limit);
            }
            *rang = false;
            Ok(())
        }

        fn wake(&self) {
            *self.rang.lock() = true;
            self.changed.notify_one();
        }
    }

    impl Overlapping {
        fn report(&mut self, piece: u32) {
            assert_eq!(self.begun.pop_front(), Some(piece));
            self.reported.lock().push(piece);
        }
    }

    impl Worker for Overlapping {
        type Work = u32;

        fn is_ready(&self, _: &u32) -> bool {
            self.taken.is_none() && self.begun.len() < 3
        }

        fn work(&mut self, first: u32, queue: &Queue<u32>) -> Result<(), Failure> {
            assert_eq!(self.taken.replace(first), None, "no more is taken than there is room for");
            self.go_on(queue)
        }

        fn go_on(&mut self, queue: &Queue<u32>) -> Result<(), Failure> {
            while let Ok(piece) = self.ended.try_recv() {
                self.report(piece);
            }
            while self.begun.len() < 3
                && let Some(piece) = self.taken.take().or_else(|| queue.next())
            {
                self.begun.push_back(piece);
                self.disk.send(piece).expect("the disk is there as long as somebody sends");
                self.most = self.most.max(self.begun.len());
            }
            Ok(())
        }

        fn pause(&self) -> Pause {
            let waiter = || -> Arc<dyn Waiter> { self.bell.clone() };
            Pause {
                waiter: (!self.begun.is_empty()).then(waiter),
                takes_work: self.taken.is_none() && self.begun.len() < 3,
                until: None,
            }
        }

        fn settle(&mut self) -> Result<(), Failure> {
            while !self.begun.is_empty() {
                let piece = self.ended.recv().expect("the disk ends what was begun");
                self.report(piece);
            }
            Ok(())
        }

        fn idle(&mut self) -> Result<(), Failure> {
            assert!(self.begun.is_empty(), "what is under way is slept on");
            Ok(())
        }

        fn end(mut self) -> Result<(), Failure> {
            self.settle()?;
            assert_eq!((self.taken, self.most), (None, 3));
            Ok(())
        }
    }

    #[test]
    fn what_is_under_way_is_slept_on_and_reported_in_order() {
        const PIECES: u32 = 20_000;
        let (disk, begun) = unbounded();
        let (end, ended) = unbounded();
        let (bell, reported) = (Arc::<Bell>::default(), Arc::<Mutex<Vec<_>>>::default());
        let rung = bell.clone();
        let disk_thread = std::thread::spawn(move || {
            for piece in begun {
                // The worker is gone only when everything was reported.
                let _ = end.send(piece);
                rung.wake();
            }
        });
        let (taken, begun, most) = (None, VecDeque::new(), 0);
        let reports = reported.clone();
        let worker = Overlapping { taken, begun, disk, ended, bell, reported, most };
        let stage = Arc::new(Stage::new(worker));
        let runner = stage.clone();
        let own = std::thread::spawn(move || runner.run(Duration::from_secs(3600)));
        for piece in 0..PIECES {
            let bring = if piece % 3 == 0 { Bring::Later } else { Bring::Now };
            stage.bring(piece, bring).expect("it never fails");
        }
        stage.settle().expect("it never fails");
        stage.end();
        own.join().expect("no panic").expect("it never fails");
        disk_thread.join().expect("no panic");
        assert_eq!(*reports.lock(), (0..PIECES).collect::<Vec<_>>());
    }

    struct Panicking;

    impl Worker for Panicking {
        type Work = ();

        fn work(&mut self, (): (), _: &Queue<()>) -> Result<(), Failure> {
            panic!("half done");
        }

        fn idle(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        fn end(self) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    fn after_a_panic_of_whoever_brought_work_nothing_more_is_done() {
        let stage = Stage::new(Panicking);
        let bring = std::panic::AssertUnwindSafe(|| stage.bring((), Bring::Now));
        assert!(std::panic::catch_unwind(bring).is_err());
        stage.bring((), Bring::Later).expect("it is only queued");
        assert!(matches!(stage.run(Duration::from_secs(60)), Err(Failure::Stopped)));
    }
}
