//! Flags from the environment: `ETCD_` and the flag's name, upper case, with underscores.

use std::collections::BTreeSet;

use serde_json::json;

use super::go::quote;
use super::settings::Settings;
use super::table;
use crate::logging::{Level, Record};

/// Prefix of the variables that belong to us.
const PREFIX: &str = "ETCD_";

/// Why the environment can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// A variable's value is wrong.
    Invalid(String),
    /// A variable and its flag are both given.
    Conflict(String),
}

/// Adds to `settings` what `variables` say. An empty variable counts as unset.
pub(super) fn apply(
    variables: &[(String, String)],
    settings: &mut Settings,
    records: &mut Vec<Record>,
) -> Result<(), Error> {
    let variables: Vec<&(String, String)> =
        variables.iter().filter(|(name, value)| !is_version(name, value, records)).collect();
    let mut flags: Vec<_> = table::all().collect();
    flags.sort_by_key(|flag| flag.name);
    let from_arguments: BTreeSet<String> = flags
        .iter()
        .filter(|flag| settings.is_set(flag.name))
        .map(|flag| flag.variable())
        .collect();

    let mut used = BTreeSet::new();
    let mut outcome = Ok(());
    for flag in flags {
        let variable = flag.variable();
        let given = variables.iter().find(|(name, _)| *name == variable);
        let Some((_, text)) = given.filter(|(_, text)| !text.is_empty()) else {
            continue;
        };
        if from_arguments.contains(&variable) {
            continue;
        }
        match flag.kind.parse(text) {
            Ok(value) => {
                settings.set(flag, value);
                records.push(
                    Record::new(Level::Info, "recognized and used environment variable")
                        .with("variable-name", json!(variable))
                        .with("variable-value", json!(text)),
                );
            }
            Err(what) => {
                let text = quote(text);
                let what = format!("invalid value {text} for {variable}: {what}");
                outcome = Err(Error::Invalid(what));
            }
        }
        used.insert(variable);
    }
    for (name, value) in variables {
        if used.contains(name) {
            continue;
        }
        if from_arguments.contains(name) {
            return Err(Error::Conflict(name.clone()));
        }
        if name.starts_with(PREFIX) {
            records.push(
                Record::new(Level::Warn, "unrecognized environment variable")
                    .with("environment-variable", json!(format!("{name}={value}"))),
            );
        }
    }
    outcome
}

/// `ETCD_VERSION` is common in container images; it would be taken for `--version`.
fn is_version(name: &str, value: &str, records: &mut Vec<Record>) -> bool {
    let found = name == "ETCD_VERSION" && !value.is_empty();
    if found {
        records.push(
            Record::new(Level::Warn, "cannot set special environment variable")
                .with("key", json!(name))
                .with("value", json!(value)),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::args;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn messages(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.message.as_str()).collect()
    }

    #[test]
    fn variables_set_flags_and_unknown_ones_are_told() {
        let mut settings = Settings::default();
        let mut records = Vec::new();
        let given = variables(&[
            ("ETCD_NAME", "a"),
            ("ETCD_DATA_DIR", ""),
            ("ETCD_FOO", "b"),
            ("ETCD_VERSION", "3"),
            ("HOME", "/"),
        ]);
        assert_eq!(apply(&given, &mut settings, &mut records), Ok(()));
        assert_eq!(settings.text("name"), "a");
        assert_eq!(
            messages(&records),
            [
                "cannot set special environment variable",
                "recognized and used environment variable",
                "unrecognized environment variable",
                "unrecognized environment variable",
            ]
        );
        assert!(!settings.is_set("version"));
    }

    #[test]
    fn a_variable_beside_its_flag_is_a_conflict() {
        let parsed = args::parse(&["--name=b".to_owned()]).expect("valid");
        let mut settings = parsed.settings;
        let given = variables(&[("ETCD_NAME", "a")]);
        assert_eq!(
            apply(&given, &mut settings, &mut Vec::new()),
            Err(Error::Conflict("ETCD_NAME".to_owned()))
        );
    }

    #[test]
    fn a_wrong_value_names_the_variable() {
        let given = variables(&[("ETCD_MAX_WALS", "x")]);
        assert_eq!(
            apply(&given, &mut Settings::default(), &mut Vec::new()),
            Err(Error::Invalid("invalid value \"x\" for ETCD_MAX_WALS: parse error".to_owned()))
        );
    }
}
