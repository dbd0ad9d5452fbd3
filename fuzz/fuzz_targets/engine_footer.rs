//! Head, foot, filter and properties of a table.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| retcd_engine::table::fuzz::footer(data));
