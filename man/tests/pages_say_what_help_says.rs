//! Every command of every program has a page, pages lead to one another, and what help says of a
//! flag or shows as an example stands on the page.

use std::collections::BTreeMap;

use clap::Command;
use retcd_man::pages;

fn by_name() -> BTreeMap<String, String> {
    pages().into_iter().map(|page| (page.name, page.roff)).collect()
}

/// A page as one reads it: without requests and escapes, on one line.
fn plain(roff: &str) -> String {
    let lines = roff.lines().filter(|line| !line.starts_with('.') && !line.starts_with('\''));
    let text: Vec<String> = lines
        .map(|line| {
            let mut line = line.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\&", "");
            for font in ["\\fB", "\\fI", "\\fR"] {
                line = line.replace(font, "");
            }
            line.replace("\\\\", "\\")
        })
        .collect();
    squeezed(&text.join(" "))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn programs() -> [Command; 3] {
    [retcd_ctl::grammar(), retcd_utl::etcdutl::grammar(), retcd_utl::dump::grammar()]
}

/// Calls `check` with each command and the name that its page must have.
fn each_command(command: &Command, name: &str, check: &mut impl FnMut(&Command, &str)) {
    check(command, name);
    for below in command.get_subcommands() {
        each_command(below, &format!("{name}-{}", below.get_name()), check);
    }
}

#[test]
fn every_command_has_a_page_with_its_flags_and_examples() {
    let pages = by_name();
    let mut expected = vec!["etcd".to_owned()];
    for program in programs() {
        each_command(&program, program.get_name(), &mut |command, name| {
            expected.push(name.to_owned());
            let page = plain(&pages[name]);
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(page.contains(&squeezed(&about)), "{name}: {about}");
            for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
                let long = flag.get_long().map(|long| format!("--{long}")).unwrap_or_default();
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(page.contains(&long), "{name}: {long}");
                assert!(page.contains(&squeezed(&help)), "{name} {long}: {help}");
            }
            let end = command.get_after_long_help().or(command.get_after_help());
            for line in end.map(ToString::to_string).unwrap_or_default().lines() {
                let is_heading = ["Example:", "Examples:"].contains(&line);
                assert!(is_heading || page.contains(&squeezed(line)), "{name}: {line}");
            }
        });
    }
    expected.sort_unstable();
    assert_eq!(pages.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn the_servers_page_has_all_of_its_flags() {
    let page = plain(&by_name()["etcd"]);
    for flag in retcd_server::flags::documented() {
        let head = squeezed(&format!("--{} '{}' {}", flag.name, flag.default, flag.text));
        assert!(page.contains(&head), "{head}");
        let note = flag.note.unwrap_or_default();
        assert!(page.contains(&squeezed(&note)), "{}: {note}", flag.name);
    }
}

#[test]
fn pages_that_are_named_are_there() {
    let pages = by_name();
    for (name, roff) in &pages {
        let text = plain(roff);
        let named: Vec<&str> = text
            .split([' ', ','])
            .filter_map(|word| word.trim_end_matches('.').strip_suffix("(1)"))
            .collect();
        assert!(!named.is_empty(), "{name} names no other page");
        for other in named {
            assert!(pages.contains_key(other), "{name} names {other}");
        }
    }
}
