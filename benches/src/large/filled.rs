//! Filling an empty server, and what compaction and defragmentation make of that.

use std::time::Instant;

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::fill::{self, Pairs};

pub(super) fn measure(member: &mut Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    member.start_empty()?;
    let keys = member.keys as f64;
    let (written_before, cpu_before) = (member.bytes_written()?, member.cpu_time()?);
    let began = Instant::now();
    let user_bytes = fill::write(member.address()?, member.corpus, Pairs::Each(member.keys))?;
    findings.add("fill: seconds", began.elapsed().as_secs_f64());
    findings.add("fill: puts a second", keys / began.elapsed().as_secs_f64());
    let cpu = (member.cpu_time()? - cpu_before).as_secs_f64();
    findings.add("fill: CPU µs of the server per put", cpu * 1e6 / keys);
    let written = (member.bytes_written()? - written_before) as f64;
    findings.add("fill: written to the disk per user byte", written / user_bytes as f64);
    findings.add("fill: resident MiB", member.resident_mebibytes()?);
    findings.add("fill: log, MiB", member.log_bytes()? as f64 / f64::from(1 << 20));
    findings.add("fill: bytes on disk per key, log apart", member.database_bytes()? as f64 / keys);

    let began = Instant::now();
    member.compact(true)?;
    findings.add("compaction after the fill: seconds", began.elapsed().as_secs_f64());
    findings.add("bytes on disk per key, compacted", member.database_bytes()? as f64 / keys);
    let began = Instant::now();
    member.defragment()?;
    findings.add("defragmentation after the fill: seconds", began.elapsed().as_secs_f64());
    findings.add("bytes on disk per key, defragmented", member.database_bytes()? as f64 / keys);
    let written = (member.bytes_written()? - written_before) as f64;
    findings
        .add("written to the disk per user byte, all that included", written / user_bytes as f64);
    Ok(())
}
