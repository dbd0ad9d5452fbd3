//! Numbers as `strconv` reads them, with its errors.

use retcd_api::go::number::{self, NumberError};
use retcd_api::go::quote;

/// Why a text isn't a number: Go's words, which name the function.
fn refusal(function: &str, text: &str, why: NumberError) -> String {
    let why = match why {
        NumberError::Range => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.{function}: parsing {}: {why}", quote(text.as_bytes()))
}

/// A signed number with digits of one base (2 to 36), or, for base 0, with the base in its prefix
/// and underscores between its digits, as in Go's source.
pub(crate) fn parse_int(text: &str, base: u32) -> Result<i64, String> {
    number::parse_int(text, base).map_err(|why| refusal("ParseInt", text, why))
}

/// An unsigned number: digits only.
pub(crate) fn parse_uint(text: &str, base: u32) -> Result<u64, String> {
    number::parse_uint(text, base).map_err(|why| refusal("ParseUint", text, why))
}

/// A boolean as flags take it.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    number::parse_bool(text).ok_or_else(|| refusal("ParseBool", text, NumberError::Syntax))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_isnt_a_number_is_said_in_gos_words() {
        let refused = |text, base| parse_int(text, base).expect_err(text);
        assert_eq!(refused("zz", 16), "strconv.ParseInt: parsing \"zz\": invalid syntax");
        assert_eq!(refused("", 10), "strconv.ParseInt: parsing \"\": invalid syntax");
        assert_eq!(
            refused("9223372036854775808", 10),
            "strconv.ParseInt: parsing \"9223372036854775808\": value out of range"
        );
        assert_eq!(
            parse_bool("yes").expect_err("no boolean"),
            "strconv.ParseBool: parsing \"yes\": invalid syntax"
        );
    }
}
