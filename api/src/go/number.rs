//! Numbers and booleans as `strconv` reads them.

/// Why a text isn't a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// It isn't one.
    Syntax,
    /// Too large or too small.
    Range,
}

/// `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `strconv.ParseInt`: a sign, then as [`parse_uint`].
///
/// # Errors
///
/// What [`parse_uint`] refuses, and what 64 bits don't hold.
pub fn parse_int(text: &str, base: u32) -> Result<i64, NumberError> {
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = i128::from(parse_uint(digits, base)?);
    let value = if is_negative { -magnitude } else { magnitude };
    i64::try_from(value).map_err(|_| NumberError::Range)
}

/// `strconv.ParseUint`: digits of one base (2 to 36), or, for base 0, with the base in a prefix
/// and underscores between the digits, as in Go's source.
///
/// # Errors
///
/// Anything else, and what 64 bits don't hold.
pub fn parse_uint(text: &str, base: u32) -> Result<u64, NumberError> {
    let (digits, base) = match base {
        0 => literal(text).ok_or(NumberError::Syntax)?,
        base => (text.to_owned(), base),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err(NumberError::Syntax);
    }
    u64::from_str_radix(&digits, base).map_err(|_| NumberError::Range)
}

/// The digits of a literal of Go's, and their base. Underscores stand between digits, or between
/// the prefix and the first digit; `0` alone is a prefix, too.
fn literal(text: &str) -> Option<(String, u32)> {
    let lower = text.to_ascii_lowercase();
    let (rest, base) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (&lower[..], 10),
    };
    let follows_prefix = rest.len() < lower.len();
    let is_misplaced =
        rest.contains("__") || rest.ends_with('_') || (rest.starts_with('_') && !follows_prefix);
    (!is_misplaced).then(|| (rest.replace('_', ""), base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_signs_and_limits() {
        assert_eq!(parse_int("-5", 10), Ok(-5));
        assert_eq!(parse_int("+7d7ba2029f2eeb5b", 16), Ok(0x7d7b_a202_9f2e_eb5b));
        assert_eq!(parse_int("-9223372036854775808", 10), Ok(i64::MIN));
        assert_eq!(parse_int("9223372036854775808", 0), Err(NumberError::Range));
        assert_eq!(parse_int("-0x10", 0), Ok(-16));
        for (text, value) in [
            ("0x10", 16),
            ("010", 8),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("0", 0),
            ("0x_f", 15),
        ] {
            assert_eq!(parse_uint(text, 0), Ok(value), "{text}");
        }
        for text in ["1__0", "_1", "1_", "08", "0x", "", "+1"] {
            assert_eq!(parse_uint(text, 0), Err(NumberError::Syntax), "{text}");
        }
        assert_eq!(parse_uint("1_000", 10), Err(NumberError::Syntax));
    }
}
