//! Text in double quotes as Go writes it with `%q`, and reads it.

use std::fmt::Write;

/// `bytes` as a string literal of Go's: what can't be printed is escaped, bytes that aren't UTF-8
/// one by one.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|character| escape(character, &mut text));
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("writing to a string succeeds");
        }
    }
    text.push('"');
    text
}

fn escape(character: char, text: &mut String) {
    let short = match character {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\u{c}' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        '\u{b}' => "\\v",
        _ if is_printable(character) => return text.push(character),
        _ => {
            let number = u32::from(character);
            let written = match number {
                0..0x20 => write!(text, "\\x{number:02x}"),
                0x20..0x1_0000 => write!(text, "\\u{number:04x}"),
                _ => write!(text, "\\U{number:08x}"),
            };
            return written.expect("writing to a string succeeds");
        }
    };
    text.push_str(short);
}

/// Letters, marks, numbers, punctuation, symbols and the space. Rust's own table says so, except
/// that it escapes a combining mark at the beginning of a text: hence the letter before it.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\0'..='\u{7f}' => false,
        _ => {
            let mut buffer = [b'a', 0, 0, 0, 0];
            let length = character.encode_utf8(&mut buffer[1..]).len();
            let text = std::str::from_utf8(&buffer[..=length]).expect("a letter and a character");
            text.escape_debug().eq(text.chars())
        }
    }
}

/// Reads a string literal of Go's from the beginning of `text`: in double quotes with escapes, or
/// in back quotes as it is. Returns its bytes and what follows it.
pub fn unquote_prefix(text: &str) -> Option<(Vec<u8>, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (inner, rest) = raw.split_once('`')?;
        return Some((inner.replace('\r', "").into_bytes(), rest));
    }
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let character = rest.chars().next()?;
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => return Some((bytes, rest)),
            '\n' => return None,
            '\\' => rest = unescape(rest, &mut bytes)?,
            _ => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

/// One escape, its backslash left out. Returns what follows it.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let kind = text.chars().next()?;
    let rest = &text[kind.len_utf8()..];
    let number = |digits: &'a str, length: usize, base: u32| {
        let digits = digits.get(..length)?;
        let is_digits = digits.chars().all(|digit| digit.is_digit(base));
        is_digits.then(|| u32::from_str_radix(digits, base).ok())?
    };
    let plain = match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' => kind as u8,
        'x' => {
            bytes.push(u8::try_from(number(rest, 2, 16)?).ok()?);
            return Some(&rest[2..]);
        }
        '0'..='7' => {
            bytes.push(u8::try_from(number(text, 3, 8)?).ok()?);
            return Some(&text[3..]);
        }
        'u' | 'U' => {
            let length = if kind == 'u' { 4 } else { 8 };
            let character = char::from_u32(number(rest, length, 16)?)?;
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
            return Some(&rest[length..]);
        }
        _ => return None,
    };
    bytes.push(plain);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cant_be_printed_is_escaped() {
        for (bytes, text) in [
            (&b"plain it's"[..], r#""plain it's""#),
            (b"\x00\x01\x7f\n\t\"\\", r#""\x00\x01\u007f\n\t\"\\""#),
            ("gr\u{f6}\u{df}e \u{4e2d}".as_bytes(), "\"gr\u{f6}\u{df}e \u{4e2d}\""),
            (b"\xff\xc3(", r#""\xff\xc3(""#),
            ("\u{a0}\u{200b}\u{e0001}".as_bytes(), r#""\u00a0\u200b\U000e0001""#),
            ("\u{301}e".as_bytes(), "\"\u{301}e\""),
        ] {
            assert_eq!(quote(bytes), text);
            assert_eq!(unquote_prefix(text), Some((bytes.to_vec(), "")));
        }
    }

    #[test]
    fn literals_end_at_their_quote() {
        assert_eq!(unquote_prefix(r#""a\"b") > "1""#), Some((b"a\"b".to_vec(), r#") > "1""#)));
        assert_eq!(unquote_prefix("`a\\b` x"), Some((b"a\\b".to_vec(), " x")));
        assert_eq!(unquote_prefix(r#""\101\x41A""#), Some((b"AAA".to_vec(), "")));
        for text in ["\"a", "a", "", r#""\q""#, r#""\x4""#, r#""\'""#] {
            assert_eq!(unquote_prefix(text), None, "{text}");
        }
    }
}
