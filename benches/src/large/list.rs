//! Lists: 2,000 keys at once, pages of 500 of everything, and all pages one after the other at one
//! revision, for a minute at most. A page tells how many keys there are, so a server counts the
//! rest of them: one that walks them all for that needs hours for ten million keys.

use std::time::{Duration, Instant};

use bytes::Bytes;
use retcd_api::etcdserverpb::{RangeRequest, RangeResponse};
use retcd_testkit::random::Random;

use super::member::Member;
use super::suite::Findings;
use crate::Error;
use crate::stats::median;

/// Keys in a list.
const LIST_KEYS: i64 = 2_000;
/// Keys in a page.
const PAGE_KEYS: i64 = 500;
/// Lists of which the median counts.
const LISTS: usize = 51;
/// How long pages are asked for.
const PAGING: Duration = Duration::from_mins(1);

pub(super) fn measure(member: &mut Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    member.ensure_started()?;
    lists(member, findings)?;
    pages(member, findings)
}

/// Each list from another place: its bounds are found first, with keys alone.
fn lists(member: &Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    let mut random = Random::new(member.corpus.seed);
    let last = member.corpus.all().1;
    let mut millis = Vec::new();
    while millis.len() < LISTS {
        let key = member.corpus.key(random.below(member.keys));
        let bounds = RangeRequest {
            key: key.clone(),
            range_end: last.clone(),
            limit: LIST_KEYS + 1,
            keys_only: true,
            ..RangeRequest::default()
        };
        let found = member.range(&bounds)?.kvs;
        let range_end = match found.get(usize::try_from(LIST_KEYS)?) {
            Some(end) => end.key.clone(),
            // Too near to the end, unless there are no more keys at all.
            None if member.keys > 10 * LIST_KEYS.cast_unsigned() => continue,
            None => last.clone(),
        };
        let request = RangeRequest { key, range_end, ..RangeRequest::default() };
        millis.push(member.time_range(&request)?.as_secs_f64() * 1e3);
    }
    findings.add("list of 2000: median ms", median(&millis));
    Ok(())
}

fn pages(member: &Member, findings: &mut Findings<'_>) -> Result<(), Error> {
    let (first, range_end) = member.corpus.all();
    let page = |key: Bytes, revision| -> Result<(f64, RangeResponse), Error> {
        let range_end = range_end.clone();
        let limit = PAGE_KEYS;
        let request = RangeRequest { key, range_end, limit, revision, ..RangeRequest::default() };
        let began = Instant::now();
        let answer = member.range(&request)?;
        Ok((began.elapsed().as_secs_f64() * 1e3, answer))
    };
    let began = Instant::now();
    let (millis, mut answer) = page(first, 0)?;
    findings.add("page of 500, first: ms", millis);
    let revision = answer.header.as_ref().map_or(0, |header| header.revision);
    let mut later = Vec::new();
    let mut listed = answer.kvs.len();
    while answer.more
        && began.elapsed() < PAGING
        && let Some(last) = answer.kvs.last()
    {
        // The next key in order.
        let key = Bytes::from([&last.key[..], b"\0"].concat());
        let (millis, next) = page(key, revision)?;
        later.push(millis);
        listed += next.kvs.len();
        answer = next;
    }
    if !answer.more && listed as u64 != member.keys {
        return Err(format!("the pages have {listed} keys, not {}", member.keys).into());
    }
    if let [second, ..] = later[..] {
        findings.add("page of 500, second: ms", second);
        findings.add("page of 500, later: median ms", median(&later));
    }
    findings.add("pages of 500: number", (later.len() + 1) as f64);
    findings.add("pages of 500: seconds", began.elapsed().as_secs_f64());
    Ok(())
}
