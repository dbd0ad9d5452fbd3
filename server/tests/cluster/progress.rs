//! How far the clients of a test have come: who causes trouble waits for some more answers between
//! two steps, so that something goes on meanwhile, however slow the machine is.

use crate::common::PATIENCE;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// Counts answers.
#[derive(Default)]
pub(crate) struct Progress {
    answers: Mutex<u64>,
    changed: Condvar,
    is_over: AtomicBool,
}

impl Progress {
    /// A client was answered.
    pub(crate) fn answered(&self) {
        *self.answers.lock().expect("counting doesn't panic") += 1;
        self.changed.notify_all();
    }

    /// Waits until so many more calls are answered; see [`Progress::wait_until`].
    pub(crate) fn wait_for(&self, more: u64) {
        let until = *self.answers.lock().expect("counting doesn't panic") + more;
        self.wait_until(until);
    }

    /// Waits until so many calls are answered in all.
    ///
    /// # Panics
    ///
    /// If they aren't after a long time.
    pub(crate) fn wait_until(&self, until: u64) {
        let deadline = Instant::now() + PATIENCE;
        let mut answers = self.answers.lock().expect("counting doesn't panic");
        while *answers < until {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let missing = until - *answers;
                // Whoever still counts must not meet a poisoned lock.
                drop(answers);
                panic!("{missing} answers are missing after {PATIENCE:?}");
            }
            let waited = self.changed.wait_timeout(answers, left);
            (answers, _) = waited.expect("counting doesn't panic");
        }
    }

    /// Whether clients are to stop.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Has clients stop when the result is dropped, be it by a panic: nobody waits for them for
    /// ever.
    pub(crate) fn end_later(&self) -> End<'_> {
        End(self)
    }
}

/// See [`Progress::end_later`].
pub(crate) struct End<'a>(&'a Progress);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}
