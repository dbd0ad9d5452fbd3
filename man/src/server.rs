//! The page of the server, from the table of its flags.

use crate::{MANUAL, Page, SECTION, SOURCE, VERSION, prose};
use clap_mangen::roff::{Roff, bold, italic, roman};
use retcd_server::flags;

const NAME: &str = "etcd";

/// Makes it.
pub(crate) fn page() -> Page {
    let mut roff = Roff::default();
    roff.control("TH", [NAME, SECTION, VERSION, SOURCE, MANUAL]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{NAME} - {}", flags::ABOUT))]);
    roff.control("SH", ["SYNOPSIS"]);
    for (number, form) in
        ["[FLAGS]", "--config-file FILE", "--version", "--help"].iter().enumerate()
    {
        if number > 0 {
            roff.control("br", []);
        }
        roff.text([bold(NAME), roman(" "), roman(*form)]);
    }
    roff.control("SH", ["DESCRIPTION"]);
    prose::write(&mut roff, flags::DESCRIPTION);
    let mut heading = "";
    for flag in flags::documented() {
        if flag.heading != heading {
            heading = flag.heading;
            roff.control("SH", [heading.to_uppercase().as_str()]);
        }
        roff.control("TP", []);
        let default = format!("'{}'", flag.default);
        roff.text([bold(format!("--{}", flag.name)), roman(" "), italic(default)]);
        roff.text([roman(flag.text)]);
        if let Some(note) = flag.note {
            roff.control("br", []);
            roff.text([roman(note)]);
        }
    }
    roff.control("SH", ["EXAMPLES"]);
    prose::write(&mut roff, flags::EXAMPLES);
    prose::write_references(&mut roff, prose::PROGRAMS.into_iter().filter(|name| *name != NAME));
    Page { name: NAME.to_owned(), roff: roff.render() }
}
