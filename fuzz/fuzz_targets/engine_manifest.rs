//! The files that say which tables there are: `CURRENT`, a manifest, the changes of one edit.
//!
//! The first byte chooses; a manifest is also tried with right checksums. What is accepted must be
//! written as it was read, or amount to the same, and memory is bounded by the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use retcd_engine::lsm::manifest::fuzz;
use retcd_fuzz::memory::peak_of;

fuzz_target!(|data: &[u8]| {
    let Some((&which, bytes)) = data.split_first() else {
        return;
    };
    let decode = match which % 4 {
        0 => fuzz::current,
        1 => fuzz::edit,
        _ => fuzz::manifest,
    };
    let ((), held) = peak_of(|| decode(bytes));
    assert!(held <= 64 * bytes.len() + (4 << 10), "{held} bytes held");
});
