//! Any bytes as a group's payload: records are decoded within bounds, and encode to what they were
//! decoded from.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use retcd_fuzz::memory::peak_of;
use retcd_wal::{Record, Records};

/// The shortest record is a head.
const HEAD_BYTES: usize = 8;
/// Reading copies nothing of the payload.
const BYTES_HELD_MAX: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let payload = Bytes::copy_from_slice(data);
    let mut again = Vec::with_capacity(data.len());
    let mut count = 0;
    let (is_whole, held) = peak_of(|| {
        let mut records = Records::new(payload);
        let is_whole = records.all(|record| {
            count += 1;
            record.is_ok_and(|record| {
                encode(&record, &mut again);
                true
            })
        });
        assert!(is_whole || records.next().is_none(), "records behind something else");
        is_whole
    });
    assert!(count <= data.len() / HEAD_BYTES + 1);
    assert!(held <= BYTES_HELD_MAX, "{held} bytes held");
    assert!(data.starts_with(&again));
    assert_eq!(is_whole, again.len() == data.len());
});

/// One record as `docs/format.md` describes it.
fn encode(record: &Record, to: &mut Vec<u8>) {
    let (kinds, numbers, data) = match record {
        Record::Entry(entry) => ([1, entry.kind], vec![entry.index, entry.term], &entry.data[..]),
        Record::HardState(state) => ([2, 0], vec![state.term, state.vote, state.commit], &[][..]),
        Record::Snapshot(mark) => ([3, 0], vec![mark.index, mark.term], &[][..]),
    };
    to.extend(kinds);
    to.extend([0, 0]);
    let body_bytes = u32::try_from(8 * numbers.len() + data.len()).expect("inputs are short");
    to.extend(body_bytes.to_le_bytes());
    numbers.iter().for_each(|number| to.extend(number.to_le_bytes()));
    to.extend(data);
}
