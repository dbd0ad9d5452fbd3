//! Whether the sums by which pairs are counted are what a scan finds, range by range.

use super::super::fault::Fault;
use super::super::output::Output;
use super::super::reading::Reading;
use super::super::subject::Subject;
use super::Error;
use crate::notation::{Count, Quoted};
use bytes::Bytes;
use retcd_engine::{KeyRange, Keyspace};

/// Ranges that the pairs are cut into.
const RANGES: u64 = 256;

/// Pairs that were scanned, in ranges of about equal length.
pub(super) struct Counted {
    pairs_each: u64,
    /// The first key of each range and how many pairs exist in it.
    ranges: Vec<(Bytes, u64)>,
}

impl Counted {
    /// Nothing yet of `expected` pairs.
    pub(super) fn new(expected: u64) -> Counted {
        Counted { pairs_each: (expected / RANGES).max(1), ranges: vec![(Bytes::new(), 0)] }
    }

    /// Notes the next pair that exists.
    pub(super) fn add(&mut self, key: &Bytes) {
        let is_full = self.ranges.last().is_some_and(|&(_, count)| count >= self.pairs_each);
        // More pairs than expected go into the last one.
        if is_full && self.ranges.len() as u64 <= RANGES {
            self.ranges.push((key.clone(), 0));
        }
        if let Some((_, count)) = self.ranges.last_mut() {
            *count += 1;
        }
    }

    /// Compares, and names the ranges that differ.
    pub(super) fn compare(
        &self,
        subject: Subject<'_>,
        reading: &Reading,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let ends = self.ranges.iter().skip(1).map(|(start, _)| Some(start));
        for ((start, count), end) in self.ranges.iter().zip(ends.chain([None])) {
            let range = KeyRange { start, end: end.map(|end| &**end) };
            let Some(sum) = reading.keys_added(Keyspace::Kv, range)? else {
                continue; // Records of earlier formats don't say what they add.
            };
            if u64::try_from(sum) != Ok(*count) {
                let pairs = Count(*count, "pair");
                let reason = match end {
                    Some(end) => {
                        let (start, end) = (Quoted(start), Quoted(end));
                        format!(
                            "a scan finds {pairs} from {start} to {end}, but the sums say {sum}"
                        )
                    }
                    None => {
                        let start = Quoted(start);
                        format!("a scan finds {pairs} from {start} on, but the sums say {sum}")
                    }
                };
                let file = Some(subject.path().display().to_string());
                output.fault(Fault { file, offset: None, reason })?;
            }
        }
        Ok(())
    }
}
