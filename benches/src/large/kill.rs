//! The start after SIGKILL while clients write.

use std::thread;
use std::time::Duration;

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::fill::{self, Pairs};

pub(super) fn measure(
    member: &mut Member,
    findings: &mut Findings<'_>,
    load_time: Duration,
) -> Result<(), Error> {
    member.ensure_started()?;
    let (address, corpus, keys) = (member.address()?, member.corpus, member.keys);
    thread::scope(|scope| {
        // More than it can write in that time; how it fails once the server is gone is known.
        let pairs = Pairs::Again { keys, puts: u64::MAX / 2, seed: 7 };
        let writer = scope.spawn(move || fill::write(address, corpus, pairs));
        thread::sleep(load_time);
        let was_writing = !writer.is_finished();
        member.kill()?;
        let _ = writer.join();
        if was_writing { Ok(()) } else { Err(Error::from("the writers had ended before")) }
    })?;
    let took = member.start()?;
    findings.add("start after a kill under load: seconds to the first read", took.as_secs_f64());
    findings.add("start after a kill: resident MiB", member.resident_mebibytes()?);
    Ok(())
}
