//! Command lines, right and wrong.

use super::*;
use crate::failure::Failure;

fn cli(line: &str) -> Cli {
    match parse(&words(line)) {
        Ok(Parsed::Command(cli)) => *cli,
        Ok(Parsed::Help(text)) => panic!("{line} prints help: {text}"),
        Err(failure) => panic!("{line}: {}", failure.text()),
    }
}

fn refused(line: &str) -> Failure {
    match parse(&words(line)) {
        Ok(_) => panic!("{line} is accepted"),
        Err(failure) => failure,
    }
}

fn help(line: &str) -> String {
    match parse(&words(line)) {
        Ok(Parsed::Help(text)) => text,
        Ok(Parsed::Command(_)) => panic!("{line} is a command"),
        Err(failure) => panic!("{line}: {}", failure.text()),
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(Into::into).collect()
}

#[test]
fn flags_stand_anywhere_and_the_last_one_counts() {
    for line in [
        "-w json get --prefix k --hex",
        "get k --prefix --hex -w json",
        "get -wjson --hex=true k --prefix=1",
        "--write-out fields get k --prefix=f --prefix --hex --write-out=json",
    ] {
        let cli = cli(line);
        assert_eq!((cli.global.write_out.as_str(), cli.global.hex), ("json", true), "{line}");
        assert!(format!("{:?}", cli.command).contains("prefix: true"), "{line}");
    }
}

#[test]
fn switches_take_a_value_only_behind_an_equals_sign() {
    assert!(!cli("get k --insecure-transport=false").global.insecure_transport);
    assert!(cli("get k").global.insecure_transport);
    let line = format!("{:?}", cli("get --prefix false").command);
    assert!(line.contains("args: [\"false\"]") && line.contains("prefix: true"), "{line}");
}

#[test]
fn a_flag_takes_what_follows_it() {
    assert_eq!(cli("get k --user -x").global.user, "-x");
    assert!(format!("{:?}", cli("get k --limit -1").command).contains("limit: -1"));
    assert!(format!("{:?}", cli("get k --rev 0x10").command).contains("rev: 16"));
}

#[test]
fn what_follows_two_dashes_is_no_flag() {
    let line = format!("{:?}", cli("put -- -k -v").command);
    assert!(line.contains("args: [\"-k\", \"-v\"]"), "{line}");
    let line = format!("{:?}", cli("watch a b -- echo --prefix").command);
    assert!(line.contains("args: [\"a\", \"b\"], program: [\"echo\", \"--prefix\"]"), "{line}");
    assert!(cli("watch a --").ends_with_separator);
}

#[test]
fn commands_may_be_shortened() {
    assert!(matches!(cli("wat k").command, Command::Watch(_)));
    assert!(matches!(cli("comple bash").command, Command::Completion(_)));
}

#[test]
fn endpoints_add_up() {
    let cli = cli("get k --endpoints a:1,b:2 --endpoints c:3");
    assert_eq!(cli.global.endpoints, ["a:1,b:2", "c:3"]);
    assert_eq!(cli.given.iter().map(|flag| flag.name).collect::<Vec<_>>(), ["endpoints"]);
}

#[test]
fn mistakes_are_told_in_the_words_of_gos_library() {
    for (line, message) in [
        ("get k --bogus", "unknown flag: --bogus"),
        ("get k --bogus=1", "unknown flag: --bogus"),
        ("get -endpoints=a k", "unknown shorthand flag: 'e' in -endpoints=a"),
        ("lease grant -5", "unknown shorthand flag: '5' in -5"),
        ("get k --rev", "flag needs an argument: --rev"),
        (
            "get k --rev=x",
            "invalid argument \"x\" for \"--rev\" flag: \
             strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "get k --prefix=x",
            "invalid argument \"x\" for \"--prefix\" flag: \
             strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
        (
            "get k --dial-timeout=x",
            "invalid argument \"x\" for \"--dial-timeout\" flag: time: invalid duration \"x\"",
        ),
    ] {
        let failure = refused(line);
        assert_eq!(failure.text(), format!("Error: {message}\n\nError: {message}\n"));
        assert_eq!(failure.code(), 1);
    }
}

#[test]
fn unknown_commands_are_told_twice_with_a_suggestion() {
    let failure = refused("tnx");
    let once = "Error: unknown command \"tnx\" for \"etcdctl\"\n\nDid you mean this?\n\ttxn\n";
    let expected = format!("{once}\nRun 'etcdctl --help' for usage.\n{once}\n");
    assert_eq!((failure.text(), failure.code()), (expected.as_str(), 1));
    assert_eq!(
        refused("bogus").text(),
        "Error: unknown command \"bogus\" for \"etcdctl\"\nRun 'etcdctl --help' for usage.\n\
         Error: unknown command \"bogus\" for \"etcdctl\"\n"
    );
    assert!(refused("lease bogus").text().contains("for \"etcdctl lease\""));
}

#[test]
fn help_is_grouped_and_names_every_command() {
    let text = help("--help");
    for line in ["Keys:", "Endpoints:", "Login:", "  get ", "  completion ", "  version "] {
        assert!(text.lines().any(|have| have.starts_with(line)), "{line:?} isn't in:\n{text}");
    }
    assert_eq!(text, help(""));
    assert!(help("lease").contains("timetolive"));
    assert!(help("help lease grant").contains("etcdctl lease grant SECONDS"));
    assert!(help("get --help").contains("Examples:"));
}

#[test]
fn every_command_has_an_example_and_refers_to_the_global_flags() {
    let mut names = Vec::new();
    collect_names("etcdctl", &grammar(), &mut names);
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        let text = help::of(&name);
        assert!(text.contains("\nExample"), "{name}:\n{text}");
        assert!(text.contains("see 'etcdctl --help'"), "{name}:\n{text}");
        assert!(!text.contains("--dial-timeout"), "{name}:\n{text}");
    }
    assert!(help("get --help").contains("see 'etcdctl --help'"));
    assert!(!help("help get").contains("--dial-timeout"));
}

#[test]
fn flags_that_help_leaves_out_are_taken_as_before() {
    let cli = cli("lease grant 5 --dial-timeout=7s -w json");
    assert_eq!((cli.global.dial_timeout.as_secs(), cli.global.write_out.as_str()), (7, "json"));
    let given: Vec<&str> = cli.given.iter().map(|flag| flag.name).collect();
    assert_eq!(given, ["dial-timeout", "write-out"]);
}

/// The commands below `command`, each with its parents.
fn collect_names(parent: &str, command: &clap::Command, names: &mut Vec<String>) {
    for command in command.get_subcommands() {
        let name = format!("{parent} {}", command.get_name());
        collect_names(&name, command, names);
        names.push(name);
    }
}

fn with_environment(line: &str, variables: &[(&str, &str)]) -> Outcome<Global> {
    let Cli { mut global, given, .. } = cli(line);
    Environment::new(variables).apply(&mut global, &given)?;
    Ok(global)
}

#[test]
fn variables_stand_for_flags() {
    let variables = [
        ("ETCDCTL_ENDPOINTS", "a:1,b:2"),
        ("ETCDCTL_DIAL_TIMEOUT", "1m"),
        ("ETCDCTL_HEX", "true"),
        ("ETCDCTL_API", "3"),
        ("ETCDCTL_SOMETHING", "else"),
    ];
    let global = with_environment("get k", &variables).expect("all of them can be");
    assert_eq!(global.endpoints, ["a:1,b:2"]);
    assert_eq!(global.dial_timeout.as_secs(), 60);
    assert!(global.hex);
}

#[test]
fn a_variable_and_its_flag_exclude_each_other() {
    let failure =
        with_environment("get k --hex", &[("ETCDCTL_HEX", "true")]).expect_err("both are given");
    assert_eq!((failure.text(), failure.code()), ("", 1));
    let failure = with_environment("get k", &[("ETCDCTL_HEX", "maybe")]).expect_err("no boolean");
    assert!(failure.text().starts_with("Error: invalid value \"maybe\" for ETCDCTL_HEX"));
}

#[test]
fn only_the_third_version_of_the_api_is_spoken() {
    assert!(Environment::new(&[("ETCDCTL_API", "3")]).check_api().is_ok());
    assert!(Environment::new(&[("ETCDCTL_API", "")]).check_api().is_ok());
    let failure = Environment::new(&[("ETCDCTL_API", "2")]).check_api().expect_err("it's another");
    assert_eq!((failure.text(), failure.code()), ("unsupported API version: 2\n", 1));
}

#[test]
fn every_flag_of_the_table_is_in_the_grammar_and_shows_its_default() {
    let global = cli("version").global;
    let shown: Vec<String> =
        FLAGS.iter().map(|flag| format!("{}={}", flag.variable(), flag.show(&global))).collect();
    for expected in [
        "ETCDCTL_COMMAND_TIMEOUT=5s",
        "ETCDCTL_ENDPOINTS=[127.0.0.1:2379]",
        "ETCDCTL_INSECURE_TRANSPORT=true",
        "ETCDCTL_WRITE_OUT=simple",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} isn't in {shown:?}");
    }
    let grammar = grammar();
    for flag in FLAGS {
        let known = grammar.get_arguments().any(|arg| arg.get_long() == Some(flag.name));
        assert!(known, "{}", flag.name);
    }
}
