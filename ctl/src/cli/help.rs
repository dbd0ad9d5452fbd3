//! The list of commands in the help of the whole program, by what they are about.

use std::fmt::Write;

use clap::Command;

/// Headings, and the commands under each. A command that isn't named here stands under the last.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Keys", &["get", "put", "del", "txn", "watch", "compaction", "lease", "make-mirror"]),
    ("Coordination", &["lock", "elect"]),
    ("Cluster", &["endpoint", "member", "move-leader", "alarm", "defrag", "snapshot", "downgrade"]),
    ("Users and roles", &["auth", "user", "role"]),
    ("Other", &["check", "completion", "version", "help"]),
];

const TEMPLATE: &str =
    "{about}\n\n{usage-heading} etcdctl [OPTIONS] COMMAND [ARGUMENTS]\n{before-help}
Global options:\n{options}{after-help}";

/// Replaces the list of commands by one with headings.
pub(super) fn group_commands(command: Command) -> Command {
    let list = grouped(&command);
    command
        .before_help(list)
        .after_help("\n'etcdctl help COMMAND' tells more about a command, with examples.")
        .help_template(TEMPLATE)
}

/// The help of a command that is named with its parents.
pub(super) fn of(name: &str) -> String {
    let mut grammar = super::grammar();
    grammar.build();
    let mut command = &mut grammar;
    for word in name.split(' ').skip(1) {
        command = command.find_subcommand_mut(word).expect("a name has commands only");
    }
    command.render_help().to_string()
}

fn grouped(command: &Command) -> String {
    let names = || command.get_subcommands().map(Command::get_name);
    let is_grouped = |name: &str| GROUPS.iter().any(|(_, group)| group.contains(&name));
    let mut list = String::new();
    for (place, (heading, group)) in GROUPS.iter().enumerate() {
        let mut members: Vec<&str> =
            group.iter().copied().filter(|name| names().any(|known| known == *name)).collect();
        if place + 1 == GROUPS.len() {
            members.extend(names().filter(|name| !is_grouped(name)));
        }
        if members.is_empty() {
            continue;
        }
        write!(list, "\n{heading}:\n").expect("writing to a string succeeds");
        for name in members {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            writeln!(list, "  {name:<12} {about}").expect("writing to a string succeeds");
        }
    }
    list
}
