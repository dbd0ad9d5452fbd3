//! Counts of everything, and of a tenth, when asked for the first time and again.

use bytes::Bytes;
use retcd_api::etcdserverpb::RangeRequest;

use super::member::Member;
use super::suite::Findings;
use crate::Error;

pub(super) fn measure(member: &mut Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    member.ensure_started()?;
    let all = count(member, findings, "all", member.corpus.all())?;
    if all != i64::try_from(member.keys)? {
        return Err(format!("{all} keys are there, not {}", member.keys).into());
    }
    count(member, findings, "a tenth", member.corpus.tenth(member.keys))?;
    Ok(())
}

fn count(
    member: &Member,
    findings: &mut Findings<'_>,
    what: &str,
    (key, range_end): (Bytes, Bytes),
) -> Result<i64, Error> {
    let request = RangeRequest { key, range_end, count_only: true, ..RangeRequest::default() };
    for time in ["first time", "again"] {
        let millis = member.time_range(&request)?.as_secs_f64() * 1e3;
        findings.add(&format!("count of {what}, {time}: ms"), millis);
    }
    Ok(member.range(&request)?.count)
}
