//! Arguments, by the rules of Go's `flag` package: `-x`, `--x`, `--x=v`, `--x v`; a boolean never
//! takes the next argument; the first argument that isn't a flag, or `--`, ends the flags.

use serde_json::json;

use super::go::quote;
use super::settings::Settings;
use super::table::{self, Role};
use super::value::Kind;
use crate::logging::{Level, Record};

/// What the arguments say.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Flags.
    pub(super) settings: Settings,
    /// What follows the flags.
    pub(super) rest: Vec<String>,
    /// What should be said in the log.
    pub(super) records: Vec<Record>,
}

/// Why the arguments say nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Help was asked for.
    Help,
    /// They are wrong, in Go's words.
    Bad(String),
}

/// Reads `args`, the program's name not among them.
pub(super) fn parse(args: &[String]) -> Result<Parsed, Stop> {
    let mut parsed =
        Parsed { settings: Settings::default(), rest: Vec::new(), records: Vec::new() };
    let mut args = args.iter();
    loop {
        let before = args.as_slice();
        let Some(arg) = args.next() else {
            return Ok(parsed);
        };
        if arg == "--" {
            parsed.rest = args.cloned().collect();
            return Ok(parsed);
        }
        if arg.len() < 2 || !arg.starts_with('-') {
            parsed.rest = before.to_vec();
            return Ok(parsed);
        }
        parse_one(arg, &mut args, &mut parsed)?;
    }
}

fn parse_one(
    arg: &str,
    args: &mut std::slice::Iter<'_, String>,
    parsed: &mut Parsed,
) -> Result<(), Stop> {
    let body = arg.strip_prefix("--").unwrap_or(&arg[1..]);
    if body.starts_with(['-', '=']) {
        return Err(Stop::Bad(format!("bad flag syntax: {arg}")));
    }
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    let Some(flag) = table::find(name) else {
        return Err(match name {
            "help" | "h" => Stop::Help,
            _ => Stop::Bad(format!("flag provided but not defined: -{name}")),
        });
    };
    let text = match value {
        Some(value) => value,
        None if flag.kind.stands_alone() => "true",
        None => args.next().ok_or_else(|| Stop::Bad(format!("flag needs an argument: -{name}")))?,
    };
    let value = flag.parse(text).map_err(|what| {
        let text = quote(text);
        Stop::Bad(match flag.kind {
            Kind::Bool => format!("invalid boolean value {text} for -{name}: {what}"),
            _ => format!("invalid value {text} for flag -{name}: {what}"),
        })
    })?;
    if flag.role == Role::Legacy {
        parsed.records.push(
            Record::new(Level::Warn, "flag is no longer supported - ignoring")
                .with("flag-name", json!(name)),
        );
    }
    parsed.settings.set(flag, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Parsed, Stop> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        parse(&args)
    }

    fn bad(words: &str) -> String {
        match parse_words(words) {
            Err(Stop::Bad(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_dash_or_two_with_or_without_an_equals_sign() {
        for words in ["-name a", "--name a", "-name=a", "--name=a"] {
            let parsed = parse_words(words).expect("valid");
            assert_eq!(parsed.settings.text("name"), "a");
            assert!(parsed.rest.is_empty());
        }
        let parsed = parse_words("--name=a=b --name= --max-wals 0x10").expect("valid");
        assert_eq!(parsed.settings.text("name"), "");
        assert_eq!(parsed.settings.uint("max-wals"), 16);
    }

    #[test]
    fn booleans_never_take_the_next_argument() {
        let parsed = parse_words("--unsafe-no-fsync false").expect("valid");
        assert!(parsed.settings.bool("unsafe-no-fsync"));
        assert_eq!(parsed.rest, ["false"]);
        let parsed = parse_words("--unsafe-no-fsync=false --pre-vote=F").expect("valid");
        assert!(!parsed.settings.bool("unsafe-no-fsync"));
        assert!(!parsed.settings.bool("pre-vote"));
    }

    #[test]
    fn flags_end_at_a_plain_word_or_two_dashes() {
        assert_eq!(parse_words("a --name b").expect("valid").rest, ["a", "--name", "b"]);
        assert_eq!(parse_words("-- --name b").expect("valid").rest, ["--name", "b"]);
        assert_eq!(parse_words("- x").expect("valid").rest, ["-", "x"]);
    }

    #[test]
    fn errors_read_as_in_go() {
        assert_eq!(bad("--foo"), "flag provided but not defined: -foo");
        assert_eq!(bad("-foo=1"), "flag provided but not defined: -foo");
        assert_eq!(bad("--name"), "flag needs an argument: -name");
        assert_eq!(bad("---x"), "bad flag syntax: ---x");
        assert_eq!(bad("--=x"), "bad flag syntax: --=x");
        assert_eq!(
            bad("--snapshot-count=x"),
            "invalid value \"x\" for flag -snapshot-count: parse error"
        );
        assert_eq!(
            bad("--force-new-cluster=x"),
            "invalid boolean value \"x\" for -force-new-cluster: parse error"
        );
        assert_eq!(
            bad("--initial-cluster-state=foo"),
            "invalid value \"foo\" for flag -initial-cluster-state: invalid value"
        );
        assert_eq!(
            bad("--v2-deprecation foo"),
            "invalid value \"foo\" for flag -v2-deprecation: invalid value \"foo\""
        );
        assert_eq!(
            bad("--advertise-client-urls http://foo:1/a"),
            "invalid value \"http://foo:1/a\" for flag -advertise-client-urls: \
             URL must not contain a path: http://foo:1/a"
        );
        assert_eq!(
            bad("--feature-gates=Foo=true"),
            "invalid value \"Foo=true\" for flag -feature-gates: unrecognized feature gate: Foo"
        );
    }

    #[test]
    fn help_is_known_under_both_names_and_flags_of_old_are_ignored() {
        assert_eq!(parse_words("--name a -h").expect_err("help"), Stop::Help);
        assert_eq!(parse_words("--help").expect_err("help"), Stop::Help);
        let parsed = parse_words("--snapshot -v=5 --name a").expect("valid");
        assert_eq!(parsed.records.len(), 2);
        assert_eq!(parsed.settings.text("name"), "a");
    }
}
