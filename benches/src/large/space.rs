//! The size on the disk while random keys are overwritten and the past is given up again and again,
//! by the live data: what is there after compaction and defragmentation at the end.

use std::time::Instant;

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::fill::{self, Pairs};

/// How often the past is given up and the size is taken.
const PARTS: u64 = 20;

pub(super) fn measure(
    member: &mut Member,
    findings: &mut Findings<'_>,
    puts: u64,
) -> Result<(), Error> {
    member.ensure_started()?;
    let written = member.bytes_written()?;
    let (mut user_bytes, mut peak, mut last) = (0, 0, 0);
    let began = Instant::now();
    for part in 0..PARTS {
        let pairs = Pairs::Again { keys: member.keys, puts: puts / PARTS, seed: 100 + part };
        user_bytes += fill::write(member.address()?, member.corpus, pairs)?;
        member.compact(false)?;
        last = member.database_bytes()?;
        peak = peak.max(last);
    }
    findings.add("overwriting: puts a second", puts as f64 / began.elapsed().as_secs_f64());
    let written = (member.bytes_written()? - written) as f64;
    findings.add("overwriting: written to the disk per user byte", written / user_bytes as f64);
    // A revision can be compacted once only.
    let one = Pairs::Again { keys: member.keys, puts: 1, seed: 0 };
    fill::write(member.address()?, member.corpus, one)?;
    member.compact(true)?;
    let compacted = member.database_bytes()? as f64;
    member.defragment()?;
    let live = member.database_bytes()? as f64;
    findings.add("overwriting: space by live data, peak", peak as f64 / live);
    findings.add("overwriting: space by live data, at the end", last as f64 / live);
    findings.add("overwriting: space by live data, compacted", compacted / live);
    Ok(())
}
