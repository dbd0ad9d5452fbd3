//! A table's properties: written as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_fuzz::memory::peak_of;

fuzz_target!(|data: &[u8]| {
    let ((), held) = peak_of(|| retcd_engine::table::fuzz::properties(data));
    assert!(held <= 4 * data.len() + (1 << 10), "{held} bytes held");
});
