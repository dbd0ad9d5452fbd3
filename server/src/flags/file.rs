//! The configuration file: YAML, hence JSON too. Keys are flags' names; TLS, socket options and v3
//! discovery have sections of their own. Durations are integer nanoseconds.
//!
//! Errors read as those of Go's JSON decoder, which etcd sends the file through. Keys that nobody
//! knows are ignored there; here they are also told in the log.

use serde_json::json;
use serde_yaml_ng::Value as Yaml;

use super::settings::Settings;
use super::table::{self, Flag};
use super::value::{Kind, Value};
use crate::logging::{Level, Record};

/// Why a file can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// It isn't YAML, or a value has the wrong type.
    Invalid(String),
    /// A value is wrong in a way for which etcd ends with a plain line on stderr.
    Plain(String),
}

/// Adds to `settings` what the file says.
pub(super) fn apply(
    text: &str,
    settings: &mut Settings,
    records: &mut Vec<Record>,
) -> Result<(), Error> {
    let document: Yaml = serde_yaml_ng::from_str(text)
        .map_err(|error| Error::Invalid(format!("error converting YAML to JSON: yaml: {error}")))?;
    match document {
        Yaml::Null => Ok(()),
        Yaml::Mapping(entries) => apply_section("", &entries, settings, records),
        other => Err(mismatch(type_name(&other), "", "embed.configYAML")),
    }
}

fn apply_section(
    prefix: &str,
    entries: &serde_yaml_ng::Mapping,
    settings: &mut Settings,
    records: &mut Vec<Record>,
) -> Result<(), Error> {
    for (key, value) in entries {
        let key = match key {
            Yaml::String(key) => key.clone(),
            Yaml::Number(number) => number.to_string(),
            Yaml::Bool(value) => value.to_string(),
            other => return Err(mismatch(type_name(other), prefix, "key")),
        };
        // Go matches keys without regard to case.
        let path = format!("{prefix}{}", key.to_lowercase());
        if matches!(value, Yaml::Null) {
            continue;
        }
        if let Some(flag) = find(&path) {
            if let Some(value) = convert(flag, &path, value)? {
                settings.set(flag, value);
            }
        } else if is_section(&path) {
            let Yaml::Mapping(entries) = value else {
                return Err(mismatch(type_name(value), &path, "embed.securityConfig"));
            };
            apply_section(&format!("{path}."), entries, settings, records)?;
        } else {
            records.push(
                Record::new(Level::Warn, "unrecognized key in the configuration file")
                    .with("key", json!(path)),
            );
        }
    }
    Ok(())
}

fn find(path: &str) -> Option<&'static Flag> {
    table::all().find(|flag| flag.path() == Some(path))
}

fn is_section(path: &str) -> bool {
    let starts_with = |flag: &Flag| {
        let rest = flag.path().and_then(|known| known.strip_prefix(path));
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    table::all().any(starts_with)
}

/// The value of one key; `None` where etcd keeps the default for an empty value.
fn convert(flag: &Flag, path: &str, value: &Yaml) -> Result<Option<Value>, Error> {
    let fail = |expected: &str| Err(mismatch(describe(value, flag.kind), path, expected));
    let text = match (flag.kind, value) {
        (Kind::Bool, Yaml::Bool(value)) => return Ok(Some(Value::Bool(*value))),
        (Kind::Bool, Yaml::String(text)) => match yaml_1_1_bool(text) {
            Some(value) => return Ok(Some(Value::Bool(value))),
            None => return fail("bool"),
        },
        (Kind::Int | Kind::Int64 | Kind::Duration, Yaml::Number(number)) => {
            let Some(number) = number.as_i64() else {
                return fail(go_type(flag.kind));
            };
            return Ok(Some(match flag.kind {
                Kind::Duration => Value::Duration(number),
                _ => Value::Int(number),
            }));
        }
        (Kind::Uint | Kind::Uint64, Yaml::Number(number)) => match number.as_u64() {
            Some(number) => return Ok(Some(Value::Uint(number))),
            None => return fail(go_type(flag.kind)),
        },
        (Kind::Uint32, Yaml::Number(number)) => {
            match number.as_u64().filter(|n| *n <= u64::from(u32::MAX)) {
                Some(number) => return Ok(Some(Value::Uint(number))),
                None => return fail("uint32"),
            }
        }
        (Kind::List, Yaml::Sequence(items)) => return list(path, items).map(Some),
        (Kind::Set, Yaml::Sequence(items)) if takes_a_list(flag) => {
            return match list(path, items)? {
                Value::List(texts) if texts.is_empty() => Ok(None),
                value => Ok(Some(value)),
            };
        }
        (Kind::List, _) => return fail("[]string"),
        (Kind::Set, _) if takes_a_list(flag) => return fail("[]string"),
        (kind, Yaml::String(text)) if is_textual(kind) => text,
        _ => return fail(go_type(flag.kind)),
    };
    if text.is_empty() && flag.kind != Kind::Text {
        return Ok(None);
    }
    match flag.kind.parse(text) {
        Ok(value) => Ok(Some(value)),
        Err(what) => Err(wrong_text(flag, text, &what)),
    }
}

/// Some sets are lists in the file; the others are one string with commas.
fn takes_a_list(flag: &Flag) -> bool {
    flag.name.starts_with("log-output") || flag.name == "discovery-endpoints"
}

fn is_textual(kind: Kind) -> bool {
    go_type(kind) == "string"
}

fn list(path: &str, items: &[Yaml]) -> Result<Value, Error> {
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Yaml::String(text) => texts.push(text.clone()),
            other => return Err(mismatch(type_name(other), path, "string")),
        }
    }
    Ok(Value::List(texts))
}

/// YAML 1.1, which etcd reads, has more words for booleans than 1.2.
fn yaml_1_1_bool(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "y" | "yes" | "on" | "true" => Some(true),
        "n" | "no" | "off" | "false" => Some(false),
        _ => None,
    }
}

fn wrong_text(flag: &Flag, text: &str, what: &str) -> Error {
    let name = flag.name;
    match flag.kind {
        Kind::Urls | Kind::Origins => {
            Error::Plain(format!("unexpected error setting up {name}: {what}"))
        }
        _ if name == "initial-cluster-state" => {
            Error::Invalid(format!("unexpected clusterState {}", super::go::quote(text)))
        }
        _ => Error::Plain(format!("unexpected error setting up {name} flag: {what}")),
    }
}

fn mismatch(found: impl std::fmt::Display, path: &str, expected: &str) -> Error {
    let owner = if path.contains('.') { "securityConfig" } else { "configYAML" };
    let target = match path {
        "" => format!("Go value of type {expected}"),
        path => format!("Go struct field {owner}.{path} of type {expected}"),
    };
    Error::Invalid(format!(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found} into {target}"
    ))
}

/// As [`type_name`], but a number that doesn't fit a numeric flag is shown.
fn describe(value: &Yaml, kind: Kind) -> String {
    match value {
        Yaml::Number(number) if !is_textual(kind) && kind != Kind::Bool => {
            format!("number {number}")
        }
        other => type_name(other).to_owned(),
    }
}

fn type_name(value: &Yaml) -> &'static str {
    match value {
        Yaml::Null => "null",
        Yaml::Bool(_) => "bool",
        Yaml::Number(_) => "number",
        Yaml::String(_) => "string",
        Yaml::Sequence(_) => "array",
        Yaml::Mapping(_) | Yaml::Tagged(_) => "object",
    }
}

fn go_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Int64 => "int64",
        Kind::Uint => "uint",
        Kind::Uint64 => "uint64",
        Kind::Uint32 => "uint32",
        Kind::Duration => "time.Duration",
        Kind::List => "[]string",
        Kind::Text
        | Kind::Urls
        | Kind::Origins
        | Kind::Set
        | Kind::Choice(_)
        | Kind::Choices(_)
        | Kind::Gates
        | Kind::Ignored => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Settings, Vec<Record>), Error> {
        let mut settings = Settings::default();
        let mut records = Vec::new();
        apply(text, &mut settings, &mut records)?;
        Ok((settings, records))
    }

    fn settings(text: &str) -> Settings {
        read(text).expect("valid").0
    }

    fn invalid(text: &str) -> String {
        match read(text) {
            Err(Error::Invalid(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_have_the_types_of_the_file() {
        let settings = settings(
            "name: infra0\ndata-dir:\nheartbeat-interval: 50\nforce-new-cluster: yes\n\
             grpc-keepalive-timeout: 5000000000\nquota-backend-bytes: -1\n\
             log-outputs: [stderr, a.log]\nauto-compaction-retention: \"1\"\n\
             listen-client-urls: http://127.0.0.1:2,http://127.0.0.1:1\n\
             Max-Wals: 7\nhost-whitelist: a,b\n\
             client-transport-security:\n  auto-tls: true\n  allowed-hostname: [x]\n",
        );
        assert_eq!(settings.text("name"), "infra0");
        assert!(!settings.is_set("data-dir"));
        assert_eq!(settings.uint("heartbeat-interval"), 50);
        assert!(settings.bool("force-new-cluster"));
        assert_eq!(settings.nanos("grpc-keepalive-timeout"), 5_000_000_000);
        assert_eq!(settings.int("quota-backend-bytes"), -1);
        assert_eq!(settings.list("log-outputs"), ["stderr", "a.log"]);
        assert_eq!(settings.text("auto-compaction-retention"), "1");
        assert_eq!(settings.urls("listen-client-urls").len(), 2);
        assert_eq!(settings.uint("max-wals"), 7);
        assert_eq!(settings.list("host-whitelist"), ["a", "b"]);
        assert!(settings.bool("auto-tls"));
        assert_eq!(settings.list("client-cert-allowed-hostname"), ["x"]);
    }

    #[test]
    fn json_is_yaml_and_an_empty_file_says_nothing() {
        assert_eq!(settings("{\"name\": \"a\", \"max-wals\": 3}").uint("max-wals"), 3);
        assert!(!settings("").is_set("name"));
        assert!(!settings("cors: ''\nlisten-peer-urls: ''\n").is_set("cors"));
    }

    #[test]
    fn unknown_keys_are_told() {
        let (_, records) = read("foo: 1\nclient-transport-security:\n  bar: 1\n").expect("valid");
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn errors_read_as_in_etcd() {
        let decoding = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ";
        let field = "into Go struct field configYAML.";
        for (text, end) in [
            ("name: [a]", format!("array {field}name of type string")),
            ("name: 5", format!("number {field}name of type string")),
            ("heartbeat-interval: abc", format!("string {field}heartbeat-interval of type uint")),
            ("max-wals: -1", format!("number -1 {field}max-wals of type uint")),
            ("log-outputs: foo", format!("string {field}log-outputs of type []string")),
            (
                "grpc-keepalive-timeout: 5s",
                format!("string {field}grpc-keepalive-timeout of type time.Duration"),
            ),
            (
                "auto-compaction-retention: 1",
                format!("number {field}auto-compaction-retention of type string"),
            ),
        ] {
            assert_eq!(invalid(text), format!("{decoding}{end}"));
        }
        assert_eq!(invalid("initial-cluster-state: foo"), "unexpected clusterState \"foo\"");
        assert!(invalid("a: b: c").starts_with("error converting YAML to JSON: yaml: "));
        assert_eq!(
            read("listen-client-urls: foo").map(|_| ()),
            Err(Error::Plain(
                "unexpected error setting up listen-client-urls: \
                 URL scheme must be http, https, unix, or unixs: foo"
                    .to_owned()
            ))
        );
    }
}
