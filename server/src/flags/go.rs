//! Go's ways with text, as its package `flag` shows them: what is wrong with a number.

pub(super) use retcd_api::go::duration::{format as format_duration, parse as parse_duration};
use retcd_api::go::number;
pub(super) use retcd_api::go::number::{NumberError, parse_bool};

/// With base 0: the base is in the prefix.
pub(super) fn parse_uint(text: &str) -> Result<u64, NumberError> {
    number::parse_uint(text, 0)
}

/// With base 0: the base is in the prefix.
pub(super) fn parse_int(text: &str) -> Result<i64, NumberError> {
    number::parse_int(text, 0)
}

/// What the package makes of a number that can't be read.
pub(super) fn problem(error: NumberError) -> &'static str {
    match error {
        NumberError::Syntax => "parse error",
        NumberError::Range => "value out of range",
    }
}

/// Go's `%q`.
pub(super) fn quote(text: &str) -> String {
    retcd_api::go::quote(text.as_bytes())
}
