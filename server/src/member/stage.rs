//! A stage of the write path: a queue, a worker, and a thread that works the queue off.
//!
//! Waking a thread costs about as much as a small write. So whoever brings work may do it on the
//! spot: if nothing is queued and the worker is free, [`Stage::bring`] borrows it; otherwise the
//! work is queued for the stage's own thread. One thread alone brings work to a stage, and work
//! leaves the queue only under the worker's lock: so it is done in the order in which it came.

use super::Failure;
use crossbeam_channel::{Receiver, Select, Sender, unbounded};
use parking_lot::Mutex;
use std::time::Duration;

/// What a stage does.
pub(super) trait Worker: Send {
    /// A piece of work.
    type Work: Send;

    /// Does `first` and what else is worth doing with it of the queue.
    fn work(&mut self, first: Self::Work, queue: &Queue<Self::Work>) -> Result<(), Failure>;

    /// Nothing came for a while, or so much that it is time to look after things.
    fn idle(&mut self) -> Result<(), Failure>;

    /// Nothing comes any more.
    fn end(self) -> Result<(), Failure>;
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

    /// Waits for the next piece of work, no longer than that.
    pub(super) fn next_within(&self, limit: Duration) -> Option<T> {
        self.wait(limit).then(|| self.next()).flatten()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    fn wait(&self, limit: Duration) -> bool {
        let mut select = Select::new();
        select.recv(&self.receiver);
        select.ready_timeout(limit).is_ok()
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
    /// `None` after a failure and at the end.
    worker: Mutex<Option<W>>,
}

impl<W: Worker> Stage<W> {
    /// A stage without work.
    pub(super) fn new(worker: W) -> Stage<W> {
        let (sender, receiver) = unbounded();
        Stage { queue: Queue { sender, receiver }, worker: Mutex::new(Some(worker)) }
    }

    /// Does `work` on the spot, or queues it.
    pub(super) fn bring(&self, work: W::Work, bring: Bring) -> Result<(), Failure> {
        if bring == Bring::Now
            && self.queue.is_empty()
            && let Some(mut worker) = self.worker.try_lock()
            // The stage's thread may have taken a piece in between, but it is done with that: the
            // lock is ours.
            && self.queue.is_empty()
        {
            return self.work(&mut worker, work);
        }
        self.queue.add(work);
        Ok(())
    }

    /// Says that nothing comes any more; what is queued is still done.
    pub(super) fn end(&self) {
        self.queue.end();
    }

    /// Works the queue off until its end. Runs on the stage's own thread.
    pub(super) fn run(&self, idle: Duration) -> Result<(), Failure> {
        loop {
            let has_work = self.queue.wait(idle);
            let mut worker = self.worker.lock();
            if !has_work {
                self.with(&mut worker, W::idle)?;
                continue;
            }
            match self.queue.receiver.try_recv() {
                Ok(Some(work)) => self.work(&mut worker, work)?,
                Ok(None) => return worker.take().map_or(Ok(()), W::end),
                // Somebody who brought work did this piece, too.
                Err(_) => {}
            }
        }
    }

    fn work(&self, worker: &mut Option<W>, work: W::Work) -> Result<(), Failure> {
        self.with(worker, |worker| worker.work(work, &self.queue))
    }

    /// Lets the worker do something; after a failure there is none any more. Nor is there after a
    /// panic, even one on the thread that brought the work: what is half done must not go on.
    fn with(
        &self,
        slot: &mut Option<W>,
        act: impl FnOnce(&mut W) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut worker = slot.take().ok_or(Failure::Stopped)?;
        act(&mut worker)?;
        *slot = Some(worker);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
