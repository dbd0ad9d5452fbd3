//! What `--help` and `--version` print.

use super::table::{self, Role};
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

/// What the program is, for the head of its manual page.
pub const ABOUT: &str = "keeps keys and values, alone or in a cluster whose members agree";

/// What holds for all flags.
pub const DESCRIPTION: &str = "\
Serves etcd's v3 API on the URLs of --listen-client-urls, and speaks with the other members on
those of --listen-peer-urls. What was acknowledged is in --data-dir and survives any crash.

Each flag may be given by a variable instead: ETCD_DATA_DIR for --data-dir. With --config-file the
file says everything, and other flags and the environment are ignored. SIGINT and SIGTERM end it.";

/// Command lines to begin with.
pub const EXAMPLES: &str = "  etcd --data-dir=/var/lib/etcd
  etcd --name=m1 --listen-peer-urls=http://10.0.0.1:2380 \\
    --initial-advertise-peer-urls=http://10.0.0.1:2380 \\
    --initial-cluster=m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380 \\
    --listen-client-urls=http://10.0.0.1:2379 --advertise-client-urls=http://10.0.0.1:2379
  ETCD_DATA_DIR=/var/lib/etcd etcd --quota-backend-bytes=8589934592
";

/// What the help says about a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// Under which heading it stands.
    pub heading: &'static str,
    /// Its name without dashes.
    pub name: &'static str,
    /// Its default as one would write it.
    pub default: &'static str,
    /// What it does.
    pub text: &'static str,
    /// What it doesn't do in this version.
    pub note: Option<String>,
}

/// All flags in the order of the help.
pub fn documented() -> impl Iterator<Item = Documented> {
    table::all().filter(|flag| flag.role != Role::Legacy).map(|flag| Documented {
        heading: flag.section.title().trim_end_matches(':'),
        name: flag.name,
        default: match flag.name {
            "data-dir" => "${name}.etcd",
            _ => flag.default,
        },
        text: flag.help,
        note: match flag.role {
            Role::Later(what, _) => Some(format!("Not available yet: {what}.")),
            Role::Gone(what, _) => Some(format!("Not available: {what}.")),
            Role::Moot(reason) => Some(format!("Has no effect: {reason}.")),
            Role::Works | Role::Same(_) | Role::Gate(_) | Role::Legacy => None,
        },
    })
}

/// Every flag under its heading, with its default and what it does.
pub(super) fn flags() -> String {
    let mut text = String::new();
    let mut heading = "";
    for flag in documented() {
        if heading != flag.heading {
            heading = flag.heading;
            text.push_str(&format!("\n{heading}:\n"));
        }
        text.push_str(&format!("  --{} '{}'\n    {}\n", flag.name, flag.default, flag.text));
        if let Some(note) = flag.note {
            text.push_str(&format!("    {note}\n"));
        }
    }
    text + "\nExamples:\n" + EXAMPLES
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
