//! A key block's content: records walked in both directions, searches.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| retcd_engine::table::fuzz::key_block(data));
