//! The query of a URL: `a=1&b&a=2`.

/// The decoded values of `name`, in their order; a name without `=` has an empty one. Pairs that
/// aren't well encoded are skipped.
pub(super) fn values(query: Option<&str>, name: &str) -> Vec<String> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key)? == name).then(|| decode(value))?
        })
        .collect()
}

/// Undoes `%41` and `+`.
fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_bad_pairs_skipped() {
        let query = Some("exclude=NOSPACE&exclude=a%20b+c&verbose&exclude=%zz&ex%63lude=x&&=");
        assert_eq!(values(query, "exclude"), ["NOSPACE", "a b c", "x"]);
        assert_eq!(values(query, "verbose"), [""]);
        assert!(values(query, "none").is_empty());
        assert!(values(None, "exclude").is_empty());
        assert!(values(Some("a=%4"), "a").is_empty());
    }
}
