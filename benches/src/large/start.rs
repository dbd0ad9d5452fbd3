//! Restarts after a clean stop, with the files in the page cache and without.

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::engine::measure::{drop_page_cache, fill_page_cache};

pub(super) fn measure(member: &mut Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    member.stop()?;
    fill_page_cache(member.data_dir())?;
    let took = member.start()?;
    findings.add("start, files cached: seconds to the first read", took.as_secs_f64());
    findings.add("start: resident MiB", member.resident_mebibytes()?);
    member.stop()?;
    drop_page_cache(member.data_dir())?;
    let took = member.start()?;
    findings.add("start, nothing cached: seconds to the first read", took.as_secs_f64());
    Ok(())
}
