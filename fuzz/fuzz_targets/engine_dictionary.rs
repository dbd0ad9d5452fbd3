//! Any dictionary, and a stored block that needs it, behind a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| retcd_engine::table::fuzz::dictionary(data));
