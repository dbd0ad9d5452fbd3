//! Requests that wait for their entry to be applied, and the way their answers come back.
//!
//! A request is registered on the network thread that handles it; only that thread completes it.
//! The apply thread collects a batch's answers per network thread and delivers them with one
//! wake-up each, because waking a thread costs as much as applying a small put. So it is with
//! reads that a round lets go: woken one by one from another thread, each would cost a system call.
//!
//! Request ids have etcd's shape: two bytes of the member's id, five of the start time in
//! milliseconds, one counter byte that overflows into the time. The remainder of an id modulo the
//! number of network threads names the thread that waits for it.

use parking_lot::Mutex;
use retcd_api::Result;
use retcd_mvcc::Response;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// An applied request's answer.
pub(crate) type Answer = Result<Response>;

/// Answers on their way to one network thread.
#[derive(Default)]
pub(crate) struct Inbox {
    answers: Mutex<Vec<(u64, Answer)>>,
    readers: Mutex<Vec<Reader>>,
    arrived: Notify,
    closed: AtomicBool,
}

/// All network threads' inboxes, by thread number.
#[derive(Clone)]
pub(crate) struct Inboxes(Arc<[Inbox]>);

/// A read that waits to be let go. Dropped, it tells the reader that nothing comes any more.
pub(super) struct Reader {
    /// The network thread on which it waits.
    thread: usize,
    sender: oneshot::Sender<()>,
}

impl Reader {
    /// A reader that waits on the calling thread, and what it waits on.
    pub(super) fn here() -> (Reader, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let number = |waiting: &Waiting| (waiting.next_id % waiting.stride) as usize;
        // Any thread may wake a reader that waits elsewhere.
        let thread = WAITING.with(|slot| slot.borrow().as_ref().map_or(0, number));
        (Reader { thread, sender }, receiver)
    }

    /// Whether it waits no longer.
    pub(super) fn gave_up(&self) -> bool {
        self.sender.is_closed()
    }
}

struct Waiting {
    next_id: u64,
    stride: u64,
    requests: HashMap<u64, oneshot::Sender<Answer>>,
}

thread_local! {
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

impl Inbox {
    fn let_readers_go(&self) {
        for reader in std::mem::take(&mut *self.readers.lock()) {
            // It may have given up.
            let _ = reader.sender.send(());
        }
    }
}

impl Inboxes {
    /// One inbox for each of `threads` network threads.
    pub(crate) fn new(threads: usize) -> Inboxes {
        Inboxes((0..threads.max(1)).map(|_| Inbox::default()).collect())
    }

    /// How many network threads there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes the calling thread network thread number `thread`, so that requests may be registered
    /// on it. `since_epoch` is the wall-clock time.
    pub(crate) fn enter(&self, thread: usize, member_id: u64, since_epoch: Duration) {
        let stride = self.0.len() as u64;
        let millis = (since_epoch.as_millis() as u64) & 0xff_ffff_ffff;
        let start = ((member_id & 0xffff) << 48) | (millis << 8);
        let next_id = start.next_multiple_of(stride) + thread as u64;
        let waiting = Waiting { next_id, stride, requests: HashMap::new() };
        WAITING.with(|slot| *slot.borrow_mut() = Some(waiting));
    }

    /// Completes requests of network thread `thread` as their answers arrive. Never returns; runs
    /// on that thread.
    pub(crate) async fn deliver(self, thread: usize) {
        let inbox = &self.0[thread];
        let mut batch = Vec::new();
        loop {
            inbox.arrived.notified().await;
            inbox.let_readers_go();
            std::mem::swap(&mut batch, &mut inbox.answers.lock());
            with_waiting(|waiting| {
                for (id, answer) in batch.drain(..) {
                    if let Some(sender) = waiting.requests.remove(&id) {
                        // The request may have timed out; then nobody listens.
                        let _ = sender.send(answer);
                    }
                }
                if inbox.closed.load(Ordering::Acquire) {
                    waiting.requests.clear();
                }
            });
        }
    }

    /// Says that no answers come any more: everyone who waits is told.
    pub(crate) fn close(&self) {
        for inbox in self.0.iter() {
            inbox.closed.store(true, Ordering::Release);
            inbox.arrived.notify_one();
        }
    }

    /// Lets readers go, with one wake-up per network thread concerned.
    pub(super) fn release(&self, mut readers: Vec<Reader>) {
        for (number, inbox) in self.0.iter().enumerate() {
            let mine = readers.extract_if(.., |reader| reader.thread == number);
            let mut released = inbox.readers.lock();
            let before = released.len();
            released.extend(mine);
            if released.len() > before {
                drop(released);
                inbox.arrived.notify_one();
            }
        }
    }

    /// What [`Inboxes::deliver`] does with readers that were released.
    #[cfg(test)]
    pub(super) fn let_readers_go(&self) {
        self.0.iter().for_each(Inbox::let_readers_go);
    }

    /// Delivers a batch of answers, with one wake-up per network thread concerned.
    pub(crate) fn send(&self, answers: &mut Vec<(u64, Answer)>) {
        let threads = self.0.len() as u64;
        for (number, inbox) in self.0.iter().enumerate() {
            let mine = |id: u64| id % threads == number as u64;
            if !answers.iter().any(|(id, _)| mine(*id)) {
                continue;
            }
            inbox.answers.lock().extend(answers.extract_if(.., |(id, _)| mine(*id)));
            inbox.arrived.notify_one();
        }
    }
}

/// A registered request: its id, and where its answer will be. Dropping it ends the wait.
pub(crate) struct Pending {
    /// The id that the entry must carry.
    pub(crate) id: u64,
    answer: oneshot::Receiver<Answer>,
}

impl Pending {
    /// Registers a request on the calling network thread.
    pub(crate) fn register() -> Pending {
        let id = next_id();
        let (sender, answer) = oneshot::channel();
        with_waiting(|waiting| waiting.requests.insert(id, sender));
        Pending { id, answer }
    }

    /// The answer; `None` if it can't come any more.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // On a thread that isn't a network thread any more (shutdown) there is nothing to forget.
        WAITING.with(|slot| {
            if let Ok(mut waiting) = slot.try_borrow_mut()
                && let Some(waiting) = waiting.as_mut()
            {
                waiting.requests.remove(&self.id);
            }
        });
    }
}

/// An id that no request on any thread has had. Only for network threads.
pub(super) fn next_id() -> u64 {
    with_waiting(|waiting| {
        let id = waiting.next_id;
        waiting.next_id = id.wrapping_add(waiting.stride);
        id
    })
}

fn with_waiting<T>(f: impl FnOnce(&mut Waiting) -> T) -> T {
    WAITING.with(|slot| f(slot.borrow_mut().as_mut().expect("requests live on network threads")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use retcd_api::Error;

    fn on_network_thread(test: impl AsyncFnOnce(Inboxes)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without drivers always builds");
        let inboxes = Inboxes::new(1);
        inboxes.enter(0, 0xabcd_1234, Duration::from_secs(1));
        runtime.spawn(inboxes.clone().deliver(0));
        runtime.block_on(test(inboxes));
    }

    #[test]
    fn answers_reach_those_who_wait_for_them() {
        on_network_thread(async |inboxes| {
            let mut first = Pending::register();
            let mut second = Pending::register();
            assert_eq!(first.id >> 48, 0x1234);
            assert_ne!(first.id, second.id);
            let mut answers = vec![(second.id, Err(Error::NoSpace)), (7, Ok(Response::None))];
            inboxes.send(&mut answers);
            assert_eq!(second.answer().await, Some(Err(Error::NoSpace)));
            inboxes.send(&mut vec![(first.id, Ok(Response::None))]);
            assert_eq!(first.answer().await, Some(Ok(Response::None)));
        });
    }

    #[test]
    fn readers_are_let_go_where_they_wait() {
        on_network_thread(async |inboxes| {
            let (here, mut waits_here) = Reader::here();
            // A thread that serves no connections has its readers woken by the first that does.
            let elsewhere = std::thread::spawn(Reader::here).join().expect("no panic");
            let (gone, _) = Reader::here();
            assert!(gone.gave_up() && !here.gave_up());
            assert!(waits_here.try_recv().is_err());
            inboxes.release(vec![here, elsewhere.0, gone]);
            assert_eq!((waits_here.await, elsewhere.1.await), (Ok(()), Ok(())));
        });
    }

    #[test]
    fn closing_ends_every_wait() {
        on_network_thread(async |inboxes| {
            let mut waiting = Pending::register();
            inboxes.close();
            assert_eq!(waiting.answer().await, None);
        });
    }

    #[test]
    fn a_request_that_gave_up_is_forgotten() {
        on_network_thread(async |_| {
            drop(Pending::register());
            with_waiting(|waiting| assert!(waiting.requests.is_empty()));
        });
    }
}
