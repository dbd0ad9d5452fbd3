//! What a formatter would complain about, or show wrong: unknown requests and escapes, blocks that
//! are left open, sections that are missing or empty. `interop/run --man` shows the pages to the
//! real one.

use retcd_man::{Page, pages};

/// Requests and macros that pages use, after the dot.
const REQUESTS: [&str; 14] =
    ["TH", "SH", "TP", "PP", "RS", "RE", "IP", "br", "nf", "fi", "sp", "ie", "el", "ds"];

/// Characters that may follow a backslash; those of strings and fonts name one more thing.
const ESCAPES: [char; 6] = ['-', '\\', '&', 'f', '*', '('];

fn check(page: &Page) -> Vec<String> {
    let mut offences = Vec::new();
    let (mut is_kept, mut depth) = (false, 0);
    let mut sections: Vec<(String, usize)> = Vec::new();
    for (index, line) in page.roff.lines().enumerate() {
        let mut offend = |what: &str| offences.push(format!("line {}: {what}: {line}", index + 1));
        if line.chars().any(char::is_control) {
            offend("a control character");
        }
        let Some(request) = line.strip_prefix('.') else {
            if line.starts_with('\'') {
                offend("a request by an apostrophe");
            }
            if !escapes_are_known(line) {
                offend("an unknown escape");
            }
            if let Some((_, lines)) = sections.last_mut() {
                *lines += 1;
            }
            continue;
        };
        let name = request.split(' ').next().unwrap_or_default();
        match name {
            "nf" if is_kept => offend("a block within a block"),
            "fi" if !is_kept => offend("the end of no block"),
            "nf" => is_kept = true,
            "fi" => is_kept = false,
            "RS" => depth += 1,
            "RE" if depth == 0 => offend("the end of no indentation"),
            "RE" => depth -= 1,
            "SH" => {
                if is_kept || depth > 0 {
                    offend("a section within a block");
                }
                sections.push((request[2..].trim().trim_matches('"').to_owned(), 0));
            }
            _ if !REQUESTS.contains(&name) => offend("an unknown request"),
            _ => {}
        }
    }
    if is_kept || depth > 0 {
        offences.push("a block is left open".to_owned());
    }
    let empty = sections.iter().filter(|(_, lines)| *lines == 0);
    offences.extend(empty.map(|(name, _)| format!("the section {name} is empty")));
    for needed in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "SEE ALSO"] {
        if !sections.iter().any(|(name, _)| name == needed) {
            offences.push(format!("there is no section {needed}"));
        }
    }
    offences
}

fn escapes_are_known(line: &str) -> bool {
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            continue;
        }
        let Some(kind) = characters.next().filter(|kind| ESCAPES.contains(kind)) else {
            return false;
        };
        let is_known = match kind {
            'f' => characters.next().is_some_and(|font| "BIR".contains(font)),
            '*' => characters.by_ref().take(3).eq("(Aq".chars()),
            '(' => characters.by_ref().take(2).eq("bu".chars()),
            _ => true,
        };
        if !is_known {
            return false;
        }
    }
    true
}

#[test]
fn no_page_has_anything_that_a_formatter_would_complain_about() {
    let pages = pages();
    assert!(pages.len() > 70, "{} pages", pages.len());
    for page in pages {
        assert_eq!(check(&page), Vec::<String>::new(), "{}", page.name);
    }
}

#[test]
fn the_check_finds_what_is_wrong() {
    let good = ".TH a 1\n.SH NAME\na \\- b\n.SH SYNOPSIS\n\\fBa\\fR\n.SH DESCRIPTION\nx\n\
                .SH EXAMPLES\n.nf\nx\n.fi\n.SH \"SEE ALSO\"\ny\n";
    let offences = |roff: String| check(&Page { name: "a".to_owned(), roff });
    assert_eq!(offences(good.to_owned()), Vec::<String>::new());
    for (from, to) in [
        (".fi\n", ""),
        (".nf\n", ""),
        ("\\fR", "\\fX"),
        ("\\-", "\\q"),
        ("\nx\n", "\n"),
        (".SH NAME", ".XX NAME"),
        ("\ny\n", "\n'y\n"),
        ("b\n", "b\u{7}\n"),
    ] {
        assert!(!offences(good.replacen(from, to, 1)).is_empty(), "{from:?} became {to:?}");
    }
}
