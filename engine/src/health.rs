//! Whether the engine still works. The first error stops it for good: what failed once, a sync
//! above all, isn't tried again, and no answer is given out of a state that may be wrong.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Shared by everything that can fail.
#[derive(Debug, Default)]
pub(crate) struct Health {
    poisoned: AtomicBool,
}

impl Health {
    /// Fails after any error that went through [`Health::note`].
    pub(crate) fn check(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Poisoned);
        }
        Ok(())
    }

    /// Passes `result` on, and stops the engine if it is an error.
    pub(crate) fn note<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }
}
