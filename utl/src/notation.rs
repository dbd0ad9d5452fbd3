//! Byte strings as people and programs read them: quoted text, and sizes.

use std::fmt;

/// Bytes as text in double quotes. What isn't printable is written as `\n`, `\t`, `\r` or, byte by
/// byte, as `\x` and two hexadecimal digits, so that no output can steer a terminal.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                quote(character, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')
    }
}

fn quote(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    match character {
        '"' | '\\' => write!(f, "\\{character}"),
        '\n' => f.write_str("\\n"),
        '\t' => f.write_str("\\t"),
        '\r' => f.write_str("\\r"),
        '\'' => f.write_char(character),
        _ if character.escape_debug().len() == 1 => f.write_char(character),
        _ => {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).bytes();
            bytes.into_iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
        }
    }
}

/// The bytes that [`Quoted`] shows so, quotes left out. `None` if a backslash is followed by
/// something else than there.
pub(crate) fn unquote(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'x' => {
                    let mut digit = || char::from(rest.next()?).to_digit(16);
                    u8::try_from(digit()? * 16 + digit()?).ok()?
                }
                same @ (b'\\' | b'"') => same,
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(bytes)
}

/// A number of bytes, in the largest unit that leaves at least one of it.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match bytes {
            0..1024 => write!(f, "{bytes} B"),
            1024..0x10_0000 => write!(f, "{:.1} KiB", bytes as f64 / 1024.0),
            0x10_0000..0x4000_0000 => write!(f, "{:.1} MiB", bytes as f64 / 1_048_576.0),
            _ => write!(f, "{:.1} GiB", bytes as f64 / 1_073_741_824.0),
        }
    }
}

/// A number of bytes as etcd's tools write it: in the largest decimal unit that leaves at least one
/// of it, with one more digit below ten.
pub(crate) struct DecimalSize(pub(crate) u64);

impl fmt::Display for DecimalSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        let bytes = self.0;
        if bytes < 10 {
            return write!(f, "{bytes} B");
        }
        let mut power = 0;
        while bytes / 1000u64.pow(power) >= 1000 {
            power += 1;
        }
        let value = bytes as f64 / 1000f64.powi(power as i32);
        let (value, unit) = ((value * 10.0).round() / 10.0, UNITS[power as usize]);
        match value < 10.0 {
            true => write!(f, "{value:.1} {unit}"),
            false => write!(f, "{value:.0} {unit}"),
        }
    }
}

/// As [`Quoted`], but not more than so many bytes, and how many there are if there are more.
pub(crate) struct Cut<'a>(pub(crate) &'a [u8], pub(crate) usize);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..self.1) {
            Some(start) if start.len() < self.0.len() => {
                write!(f, "{}… ({} bytes)", Quoted(start), self.0.len())
            }
            _ => Quoted(self.0).fmt(f),
        }
    }
}

/// `1 record`, `2 records`.
pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_isnt_printable_is_escaped() {
        let quoted = |bytes: &[u8]| Quoted(bytes).to_string();
        assert_eq!(quoted(b"/registry/pods/a b"), r#""/registry/pods/a b""#);
        assert_eq!(quoted("größe".as_bytes()), "\"größe\"");
        assert_eq!(quoted(b"it's \"a\\b\""), r#""it's \"a\\b\"""#);
        assert_eq!(quoted(b"k8s\x00\n\x1b[31m\xff"), r#""k8s\x00\n\x1b[31m\xff""#);
        assert_eq!(quoted("\u{202e}x".as_bytes()), r#""\xe2\x80\xaex""#);
        assert_eq!(quoted(b""), r#""""#);
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for bytes in [&b"plain"[..], b"\x00\n\t\r\"\\\xff'", "gr\u{f6}\u{202e}".as_bytes()] {
            let shown = Quoted(bytes).to_string();
            assert_eq!(unquote(&shown[1..shown.len() - 1]).as_deref(), Some(bytes));
        }
        for wrong in ["\\", "\\q", "\\x1", "\\xzz"] {
            assert_eq!(unquote(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn decimal_sizes_are_those_of_etcds_tools() {
        let text = |bytes| DecimalSize(bytes).to_string();
        assert_eq!(text(9), "9 B");
        assert_eq!(text(999), "999 B");
        assert_eq!(text(1000), "1.0 kB");
        assert_eq!(text(20480), "20 kB");
        assert_eq!(text(32768), "33 kB");
        assert_eq!(text(2_147_483_648), "2.1 GB");
        assert_eq!(text(u64::MAX), "18 EB");
    }

    #[test]
    fn sizes_have_units() {
        let text = |bytes| Size(bytes).to_string();
        assert_eq!(text(1023), "1023 B");
        assert_eq!(text(1536), "1.5 KiB");
        assert_eq!(text(64 << 20), "64.0 MiB");
        assert_eq!(text(3 << 30), "3.0 GiB");
    }
}
