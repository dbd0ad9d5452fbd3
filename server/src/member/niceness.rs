//! Which threads stand back for others.

/// How far, as nice(1) counts: where processors are short such a thread gets a third of what others
/// get, and whoever wakes up needn't wait until its turn is over.
const NICENESS: i32 = 5;

/// Has the calling thread stand back: nobody waits for what it does, unless very much is owed.
///
/// A flush is busy for a good part of a second, and a write passes through ten threads of three
/// members, each of which wakes up for it: where these share few processors and wait a turn each,
/// a write takes several times as long while somebody flushes.
pub(super) fn stand_back() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "a thread in the background goes on with the others' priority");
    }
}
