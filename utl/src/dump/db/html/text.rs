//! Text within a page: nothing that comes from a database or a path may end up as markup.

use std::fmt::{self, Write};

/// Something as it is written in text and in quoted attributes.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Passes text on, with references for what markup is made of.
struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                plain => self.0.write_char(plain)?,
            }
        }
        Ok(())
    }
}

/// A number in groups of three digits.
pub(super) struct Grouped(pub(super) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                // A narrow space that no line is broken at.
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        let shown = Escaped("<script>alert(\"&'\")</script>").to_string();
        assert_eq!(shown, "&lt;script&gt;alert(&quot;&amp;&#39;&quot;)&lt;/script&gt;");
    }

    #[test]
    fn digits_are_grouped() {
        let shown = |number| Grouped(number).to_string().replace('\u{202f}', " ");
        assert_eq!(shown(7), "7");
        assert_eq!(shown(123), "123");
        assert_eq!(shown(1234), "1 234");
        assert_eq!(shown(12_345_678), "12 345 678");
    }
}
