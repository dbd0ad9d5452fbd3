//! What `--help` and `--version` print.

use super::table::{self, Role, Section};
use crate::version;

/// Printed after every mistake in the arguments, and with the help.
pub(super) const USAGE: &str = "Usage:

  etcd [flags]
    Start a server.

  etcd --version
    Print the version.

  etcd -h | --help
    Print this help and all flags.

  etcd --config-file
    Path of a configuration file. With it, other flags and the environment are ignored.
";

/// The four lines of etcd, where Go's version is Rust's, and one of our own.
pub(super) fn version() -> String {
    let (etcd, own, arch) = (version::ETCD, version::RETCD, go_arch());
    format!(
        "etcd Version: {etcd}\nGit SHA: none\n\
         Go Version: none (Rust)\nGo OS/Arch: linux/{arch}\nretcd Version: {own}\n"
    )
}

/// The architecture under Go's name for it.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Every flag under its heading, with its default and what it does.
pub(super) fn flags() -> String {
    let mut text = String::new();
    let mut heading: Option<Section> = None;
    for flag in table::all().filter(|flag| flag.role != Role::Legacy) {
        if heading != Some(flag.section) {
            heading = Some(flag.section);
            text.push_str(&format!("\n{}\n", flag.section.title()));
        }
        let default = match flag.name {
            "data-dir" => "${name}.etcd",
            _ => flag.default,
        };
        text.push_str(&format!("  --{} '{default}'\n    {}\n", flag.name, flag.help));
        let note = match flag.role {
            Role::Later(what, _) => format!("Not available yet: {what}."),
            Role::Gone(what, _) => format!("Not available: {what}."),
            Role::Moot(reason) => format!("Has no effect: {reason}."),
            Role::Works | Role::Same(_) | Role::Gate(_) | Role::Legacy => continue,
        };
        text.push_str(&format!("    {note}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_has_etcds_four_lines_and_ours() {
        let text = version();
        let names: Vec<&str> =
            text.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        assert_eq!(names, ["etcd Version", "Git SHA", "Go Version", "Go OS/Arch", "retcd Version"]);
        assert!(text.starts_with("etcd Version: 3.5.33\n"));
    }

    #[test]
    fn the_help_names_every_flag_once_under_a_heading() {
        let text = flags();
        for flag in table::all().filter(|flag| flag.role != Role::Legacy) {
            let line = format!("\n  --{} '", flag.name);
            assert_eq!(text.matches(&line).count(), 1, "{}", flag.name);
        }
        for title in ["\nMember:\n", "\nClustering:\n", "\nSecurity:\n", "\nLogging:\n"] {
            assert_eq!(text.matches(title).count(), 1, "{title}");
        }
        assert!(text.contains("  --data-dir '${name}.etcd'\n"));
    }
}
