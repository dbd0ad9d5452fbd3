//! Errors of the operating system in Go's words.

use std::io;

/// What happened, without a number and in small letters.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_no_number() {
        let text = describe(&io::Error::from_raw_os_error(2));
        assert_eq!(text, "no such file or directory");
        assert_eq!(describe(&io::Error::other("else")), "else");
    }
}
