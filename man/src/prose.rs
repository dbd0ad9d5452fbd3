//! Help's text as roff: paragraphs are filled, indented lines stay as they are.

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// The programs that have pages.
pub(crate) const PROGRAMS: [&str; 4] = ["etcd", "etcdctl", "etcdutl", "etcd-dump"];

/// How far help indents what stays as it is.
const INDENT: &str = "  ";

/// Writes text, behind a heading or a paragraph.
pub(crate) fn write(roff: &mut Roff, text: &str) {
    let mut is_kept = false;
    for line in text.trim_matches('\n').lines() {
        let kept = line.strip_prefix(INDENT);
        if kept.is_some() != is_kept && !line.is_empty() {
            is_kept = kept.is_some();
            roff.control(if is_kept { "nf" } else { "fi" }, []);
        }
        match kept.unwrap_or(line) {
            "" if is_kept => roff.control("sp", []),
            "" => roff.control("PP", []),
            line => roff.text([roman(line)]),
        };
    }
    if is_kept {
        roff.control("fi", []);
    }
}

/// Names other pages, in the last section.
pub(crate) fn write_references<'a>(roff: &mut Roff, names: impl IntoIterator<Item = &'a str>) {
    let mut line: Vec<Inline> = Vec::new();
    for name in names {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(name), roman("(1)")]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text(line);
}

/// Leaves out all preambles but the first: each piece of a page comes with one.
pub(crate) fn with_one_preamble(text: &str) -> String {
    let preamble = Roff::default().render();
    format!("{preamble}{}", text.replace(&preamble, ""))
}
