//! SIGINT and SIGTERM, for commands that have to put something right before they end.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Outcome;

/// Whether a command waits for signals, and ends by itself.
static IS_AWAITED: AtomicBool = AtomicBool::new(false);

/// Whether somebody else sees to what signals ask for.
pub(crate) fn is_awaited() -> bool {
    IS_AWAITED.load(Ordering::Relaxed)
}

/// From its creation on, these signals don't end the program any more.
pub(crate) struct Interrupt {
    interrupts: Signal,
    terminations: Signal,
}

impl Interrupt {
    pub(crate) fn listen() -> Outcome<Self> {
        let interrupt = Self {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
        };
        IS_AWAITED.store(true, Ordering::Relaxed);
        Ok(interrupt)
    }

    /// Waits for one of them. One that has come before counts.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }
}
