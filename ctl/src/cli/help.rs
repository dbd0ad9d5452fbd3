//! What help says besides flags: of the whole program the commands by what they are about and the
//! global flags by what they are for; of a command where the global flags are explained.

use std::fmt::Write;

use clap::{Arg, Command};

/// Headings, and the commands under each. A command that isn't named here stands under the last.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Keys", &["get", "put", "del", "txn", "watch", "compaction", "lease", "make-mirror"]),
    ("Coordination", &["lock", "elect"]),
    ("Cluster", &["endpoint", "member", "move-leader", "alarm", "defrag", "snapshot", "downgrade"]),
    ("Users and roles", &["auth", "user", "role"]),
    ("Other", &["check", "completion", "version", "help"]),
];

const TEMPLATE: &str =
    "{about}\n\n{usage-heading} etcdctl [OPTIONS] COMMAND [ARGUMENTS]\n{before-help}{after-help}";

const EXAMPLES: &str = "
Every global option can be given by a variable instead: ETCDCTL_ENDPOINTS for --endpoints.
'etcdctl help COMMAND' tells more about a command, with examples.

Examples:
  etcdctl put greeting hello
  etcdctl --endpoints=10.0.0.1:2379,10.0.0.2:2379 get greeting -w json
  ETCDCTL_ENDPOINTS=https://10.0.0.1:2379 etcdctl --cacert=ca.pem endpoint health";

/// The end of a command's own help.
const POINTER: &str = "Global options, such as --endpoints and --write-out: see 'etcdctl --help'.";

/// Replaces the list of commands by one with headings, and puts the flags behind it.
pub(super) fn group_commands(command: Command) -> Command {
    let list = grouped(&command);
    let flags = flags(&command);
    command.before_help(list + &flags).after_help(EXAMPLES).help_template(TEMPLATE)
}

/// The flags under their headings. The library's own template for that lists the commands, too.
fn flags(command: &Command) -> String {
    let mut alone = Command::new("etcdctl")
        .args(command.get_arguments().cloned())
        .args_override_self(true)
        .help_template("\n{all-args}");
    alone.render_help().to_string()
}

/// Leaves the global flags out of the help of commands, which says where they are.
pub(super) fn refer_to_globals(command: Command) -> Command {
    let globals: Vec<Arg> =
        command.get_arguments().filter(|flag| flag.is_global_set()).cloned().collect();
    command.mut_subcommands(|command| refer(command, &globals))
}

fn refer(command: Command, globals: &[Arg]) -> Command {
    let own = command.get_after_help().map(ToString::to_string);
    let text = own.map(|own| format!("{own}\n\n{POINTER}")).unwrap_or(POINTER.to_owned());
    let hidden = globals.iter().map(|flag| flag.clone().hide(true));
    command.after_help(text).args(hidden).mut_subcommands(|command| refer(command, globals))
}

/// The help of a command that is named with its parents.
pub(super) fn of(name: &str) -> String {
    let mut grammar = super::grammar_with_help();
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
