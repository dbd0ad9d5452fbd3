//! An index's content: every entry is found again under its last record.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| retcd_engine::table::fuzz::index(data));
