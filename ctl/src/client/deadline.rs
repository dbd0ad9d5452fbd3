//! When a request has to be answered.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::CallError;

/// A moment, or never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit.
    pub(crate) const NEVER: Self = Self(None);

    /// So long from now on. What lies beyond all clocks is never.
    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Whether it is over.
    pub(super) fn is_over(self) -> bool {
        self.0.is_some_and(|moment| moment <= Instant::now())
    }

    /// Waits for `work` until the deadline.
    pub(crate) async fn limit<F: Future>(self, work: F) -> Result<F::Output, CallError> {
        match self.0 {
            None => Ok(work.await),
            Some(moment) => {
                tokio::time::timeout_at(moment, work).await.map_err(|_| CallError::Deadline)
            }
        }
    }
}
