//! How etcdctl takes lines of input apart: words as in a shell, and a comparison of a transaction.

use super::unquote_prefix;

/// Splits a line into words. A word in double quotes is a literal of Go's, one in single quotes is
/// taken as it is; everything else reaches to the next space, quotes within it included. A quote
/// that is never closed is skipped.
///
/// # Errors
///
/// A word in double quotes isn't a literal of Go's.
pub(crate) fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => quoted_length(rest),
            '\'' => rest[1..].find('\'').map(|at| at + 2),
            _ if first.is_ascii_whitespace() => None,
            _ => Some(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len())),
        };
        let Some(length) = length else {
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        words.push(match first {
            '"' => unquote_prefix(word).ok_or("invalid syntax")?.0,
            '\'' => word[1..length - 1].into(),
            _ => word.into(),
        });
    }
    Ok(words)
}

/// The length of what stands in double quotes here, both quotes included. A backslash takes what
/// follows it.
fn quoted_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\n' if is_escaped => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What `"key") operator "value"` holds, as far as it could be read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Comparison {
    /// The literal before the parenthesis.
    pub(crate) key: Vec<u8>,
    /// What stands up to the next space.
    pub(crate) operator: String,
    /// The literal after it.
    pub(crate) value: Vec<u8>,
    /// Whether all three were there.
    pub(crate) is_complete: bool,
}

/// Reads the part of a comparison behind its first parenthesis. Spaces have to stand around the
/// operator. What follows the value is ignored.
pub(crate) fn comparison(text: &str) -> Comparison {
    let mut found = Comparison::default();
    let Some((key, rest)) = unquote_prefix(skip_spaces(text)) else { return found };
    found.key = key;
    let Some(rest) = rest.strip_prefix(')') else { return found };
    let after_spaces = skip_spaces(rest);
    if after_spaces.len() == rest.len() {
        return found;
    }
    let rest = after_spaces;
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    found.operator = rest[..end].to_owned();
    if let Some((value, _)) = unquote_prefix(skip_spaces(&rest[end..])) {
        found.value = value;
        found.is_complete = !found.operator.is_empty();
    }
    found
}

fn skip_spaces(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        let words = words(line).expect("literals are right");
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn words_are_split_as_in_a_shell() {
        assert_eq!(texts("put k v"), ["put", "k", "v"]);
        assert_eq!(texts(r#"put "a b" 'c "d'  e"#), ["put", "a b", "c \"d", "e"]);
        assert_eq!(texts(r#"put a"b c" \x"#), ["put", "a\"b", "c\"", "\\x"]);
        assert_eq!(texts(r#"put "a\"b\x41""#), ["put", "a\"bA"]);
        assert_eq!(texts(r#"put "open"#), ["put", "open"]);
        assert_eq!(texts("  "), Vec::<String>::new());
        assert_eq!(texts("put '' x"), ["put", "", "x"]);
        assert!(words(r#"put "\q""#).is_err());
    }

    #[test]
    fn comparisons_need_literals() {
        let read = comparison(r#""foo") > "0" and more"#);
        assert_eq!((&read.key[..], &read.value[..]), (&b"foo"[..], &b"0"[..]));
        assert_eq!(read.operator, ">");
        assert!(read.is_complete);
        for text in [r#""foo") = 0"#, r#""foo")>"0""#, "foo) = \"0\"", r#""foo" = "0""#, ""] {
            assert!(!comparison(text).is_complete, "{text}");
        }
        assert_eq!(comparison(r#""foo") = 0"#).operator, "=");
        assert_eq!(comparison(r#""foo")="0""#).operator, "");
    }
}
