//! The scrub thread: reads the engine's files pass after pass, no faster than it is told, and
//! raises CORRUPT when something in them isn't as it was written.
//!
//! What nobody reads for months would otherwise be found damaged when it is needed. The member goes
//! on: it stops only when it meets a damaged block itself. From the alarm on clients' writes are
//! refused, in the whole cluster, until an operator has replaced the member or disarms the alarm;
//! a later pass that finds the damage again raises it again.

use super::niceness::stand_back;
use super::{Failure, Member};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use retcd_api::etcdserverpb::AlarmType;
use retcd_engine::{Error, Scrub};
use std::time::{Duration, Instant, SystemTime};

/// The first pass begins so long after the start, or after the interval if that is shorter: a
/// member that is restarted every day is scrubbed too.
const FIRST_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Bytes read at once, at most.
const PIECE_BYTES_MAX: u64 = 256 << 10;

/// Pieces in a second, at least.
const PIECES_PER_SECOND: u64 = 8;

/// An alarm that isn't raised after so long is asked for again: there may have been no leader.
const ALARM_PATIENCE: Duration = Duration::from_secs(1);

/// When and how fast the files are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScrubPace {
    /// Time between two passes.
    pub(crate) interval: Duration,
    /// Bytes read in a second, at most.
    pub(crate) bytes_per_second: u64,
}

/// The scrub thread's possessions.
pub(super) struct ScrubLoop {
    pub(super) pace: ScrubPace,
    /// Ends the thread when its other end is gone.
    pub(super) stop: Receiver<()>,
}

/// Somebody told the thread to end.
struct Stopped;

/// Why a pass ended early.
enum Interrupted {
    Stopped,
    /// The engine has stopped.
    Engine(Error),
}

impl From<Stopped> for Interrupted {
    fn from(_: Stopped) -> Interrupted {
        Interrupted::Stopped
    }
}

impl ScrubLoop {
    /// Runs until told to stop.
    pub(super) fn run(self, member: &Member) -> Result<(), Failure> {
        stand_back();
        let mut pause = self.pace.interval.min(FIRST_AFTER_MAX);
        while self.sleep(pause).is_ok() {
            let started = Instant::now();
            match self.pass(member, &mut *member.engine.scrub()) {
                Ok(()) => member.metrics.scrub_ended(SystemTime::now(), started.elapsed()),
                Err(Interrupted::Stopped) => return Ok(()),
                Err(Interrupted::Engine(error)) => return Err(Failure::Engine(error)),
            }
            pause = self.pace.interval;
        }
        Ok(())
    }

    /// Reads everything once.
    fn pass(&self, member: &Member, scrub: &mut dyn Scrub) -> Result<(), Interrupted> {
        let rate = self.pace.bytes_per_second;
        let piece_bytes = (rate / PIECES_PER_SECOND).clamp(1, PIECE_BYTES_MAX);
        // When the next piece may be read. Time that a slow disk took isn't made up for.
        let mut due = Instant::now();
        loop {
            let piece = scrub.step(piece_bytes).map_err(Interrupted::Engine)?;
            member.metrics.scrubbed(piece.bytes, piece.damage.len() as u64);
            for damage in &piece.damage {
                report(damage);
            }
            if !piece.damage.is_empty() {
                self.raise_corrupt(member)?;
            }
            if piece.is_last {
                return Ok(());
            }
            let cost = Duration::from_secs_f64(piece.bytes as f64 / rate as f64);
            due = due.max(Instant::now()) + cost;
            self.sleep(due.saturating_duration_since(Instant::now()))?;
        }
    }

    /// Asks for the alarm until it is raised.
    fn raise_corrupt(&self, member: &Member) -> Result<(), Stopped> {
        while member.raise_own(AlarmType::Corrupt) {
            self.sleep(ALARM_PATIENCE)?;
        }
        Ok(())
    }

    fn sleep(&self, time: Duration) -> Result<(), Stopped> {
        match self.stop.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Stopped),
        }
    }
}

/// Says where the damage is, so that the file can be looked at and the member replaced.
fn report(damage: &Error) {
    const MESSAGE: &str = "found damage in the engine's files";
    match damage {
        Error::Corrupt { path, offset, reason } => {
            tracing::error!(file = %path.display(), offset, reason, "{MESSAGE}");
        }
        Error::Io { path, source } => {
            tracing::error!(file = %path.display(), error = %source, "{MESSAGE}");
        }
        other => tracing::error!(error = %other, "{MESSAGE}"),
    }
}
