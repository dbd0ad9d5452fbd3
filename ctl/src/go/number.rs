//! Numbers as `strconv` reads them, with its errors.

/// Why a text isn't a number: Go's words, which name the function.
fn error(function: &str, text: &str, problem: &str) -> String {
    format!("strconv.{function}: parsing {}: {problem}", super::quote::quote(text.as_bytes()))
}

const SYNTAX: &str = "invalid syntax";
const RANGE: &str = "value out of range";

/// A signed number with digits of one base (2 to 36), or, for base 0, with the base in its prefix
/// and underscores between its digits, as in Go's source.
pub(crate) fn parse_int(text: &str, base: u32) -> Result<i64, String> {
    let fail = |problem| error("ParseInt", text, problem);
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(magnitude(digits, base).map_err(fail)?);
    let value = if is_negative { -magnitude } else { magnitude };
    i64::try_from(value).map_err(|_| fail(RANGE))
}

/// An unsigned number: digits only.
pub(crate) fn parse_uint(text: &str, base: u32) -> Result<u64, String> {
    magnitude(text, base).map_err(|problem| error("ParseUint", text, problem))
}

fn magnitude(digits: &str, base: u32) -> Result<u64, &'static str> {
    let (digits, base) = if base == 0 { literal(digits)? } else { (digits.to_owned(), base) };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err(SYNTAX);
    }
    u64::from_str_radix(&digits, base).map_err(|_| RANGE)
}

/// The digits of a literal of Go's, and their base. Underscores stand between digits, or between
/// the prefix and the first digit.
fn literal(text: &str) -> Result<(String, u32), &'static str> {
    let lower = text.to_ascii_lowercase();
    let (rest, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    let follows_prefix = rest.len() < lower.len();
    let misplaced =
        rest.contains("__") || rest.ends_with('_') || (rest.starts_with('_') && !follows_prefix);
    if misplaced { Err(SYNTAX) } else { Ok((rest.replace('_', ""), base)) }
}

/// A boolean as flags take it.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(error("ParseBool", text, SYNTAX)),
    }
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

    #[test]
    fn bases_signs_and_limits() {
        assert_eq!(parse_int("-5", 10), Ok(-5));
        assert_eq!(parse_int("+7d7ba2029f2eeb5b", 16), Ok(0x7d7b_a202_9f2e_eb5b));
        assert_eq!(parse_int("-9223372036854775808", 10), Ok(i64::MIN));
        for (text, value) in
            [("0x10", 16), ("010", 8), ("0b11", 3), ("1_000", 1000), ("0", 0), ("0x_f", 15)]
        {
            assert_eq!(parse_int(text, 0), Ok(value), "{text}");
        }
        for text in ["1__0", "_1", "1_", "08", "0x"] {
            assert!(parse_int(text, 0).is_err(), "{text}");
        }
    }
}
