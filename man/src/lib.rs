//! Manual pages of all programs, made from the texts of their help: a page for each program and
//! for each of its commands. What a page says is written where the flag is; nothing is written
//! here but what holds for all pages.

mod command;
mod prose;
mod server;

/// The section of programs that anybody may run.
const SECTION: &str = "1";
/// Who the programs belong to, at the foot of each page.
const SOURCE: &str = "retcd";
/// In the place of a date, so that pages depend on the sources only.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The title at the head of each page.
const MANUAL: &str = "retcd manual";

/// A manual page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its name without the section: `etcdctl-lease-grant`.
    pub name: String,
    /// Its text for `man`.
    pub roff: String,
}

impl Page {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.{SECTION}", self.name)
    }
}

/// All pages, in the order of their names.
pub fn pages() -> Vec<Page> {
    let mut pages = vec![server::page()];
    for program in [retcd_ctl::grammar(), retcd_utl::etcdutl::grammar(), retcd_utl::dump::grammar()]
    {
        command::collect(program, &mut pages);
    }
    pages.sort_by(|left, right| left.name.cmp(&right.name));
    pages
}
