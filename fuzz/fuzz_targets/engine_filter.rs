//! A filter's content: taken or refused, and a filter that is built knows its keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_fuzz::memory::peak_of;

fuzz_target!(|data: &[u8]| {
    let ((), held) = peak_of(|| retcd_engine::table::fuzz::filter(data));
    // A filter that is built has up to 255 bits for each key, and a key is 64 bytes of the input.
    assert!(held <= 16 * data.len() + (1 << 10), "{held} bytes held");
});
