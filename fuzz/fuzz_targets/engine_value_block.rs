//! A stored block behind a right checksum, compressed or not.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| retcd_engine::table::fuzz::value_block(data));
