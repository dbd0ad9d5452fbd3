//! JSON as Go's `encoding/json` writes it: compact, and with `<`, `>`, `&` and the two line
//! separators of Unicode escaped, so that it can stand in HTML.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

/// Writes `value` and no line end.
pub(crate) fn write(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Escaped);
    Ok(value.serialize(&mut serializer)?)
}

struct Escaped;

/// What must not stand in a text as it is, although JSON lets it.
const UNSAFE: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];

impl Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(UNSAFE) {
            let character = rest[at..].chars().next().expect("a character was found here");
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", u32::from(character))?;
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        match escape {
            CharEscape::Quote => out.write_all(b"\\\""),
            CharEscape::ReverseSolidus => out.write_all(b"\\\\"),
            CharEscape::Solidus => out.write_all(b"/"),
            CharEscape::LineFeed => out.write_all(b"\\n"),
            CharEscape::CarriageReturn => out.write_all(b"\\r"),
            CharEscape::Tab => out.write_all(b"\\t"),
            CharEscape::Backspace => out.write_all(b"\\u0008"),
            CharEscape::FormFeed => out.write_all(b"\\u000c"),
            CharEscape::AsciiControl(byte) => write!(out, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn what_html_would_read_is_escaped() {
        let mut out = Vec::new();
        write(&mut out, &"a<b>&c\u{2028}\u{8}\u{1}\n\"\u{e4}/").expect("memory takes it");
        let text = String::from_utf8(out).expect("JSON is text");
        assert_eq!(text, "\"a\\u003cb\\u003e\\u0026c\\u2028\\u0008\\u0001\\n\\\"\u{e4}/\"");
    }
}
