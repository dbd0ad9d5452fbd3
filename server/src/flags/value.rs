//! What a flag can hold, and how its text becomes a value: Go's rules, with Go's error texts.

use std::collections::BTreeSet;

use super::gates;
use super::go;
use retcd_api::url::{self, Url};

/// How the text of a flag is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Go's `flag.Bool`: may stand without a value.
    Bool,
    /// Go's `int`.
    Int,
    /// Go's `int64`.
    Int64,
    /// Go's `uint`.
    Uint,
    /// Go's `uint64`.
    Uint64,
    /// An unsigned number of 32 bits.
    Uint32,
    /// Go's `time.Duration`.
    Duration,
    /// Any text.
    Text,
    /// URLs, separated by commas.
    Urls,
    /// URLs or `*`, separated by commas.
    Origins,
    /// Texts, separated by commas, in their order.
    List,
    /// Texts, separated by commas, sorted and without duplicates.
    Set,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// One of some words; like [`Kind::Choice`] except for the text of the error.
    Choices(&'static [&'static str]),
    /// Feature gates: `Name=true,…`.
    Gates,
    /// Anything or nothing, which is thrown away.
    Ignored,
}

/// What a flag holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Int`] and [`Kind::Int64`].
    Int(i64),
    /// [`Kind::Uint`], [`Kind::Uint64`] and [`Kind::Uint32`].
    Uint(u64),
    /// [`Kind::Duration`], in nanoseconds.
    Duration(i64),
    /// Texts, words and gates, as they were written.
    Text(String),
    /// [`Kind::Urls`].
    Urls(Vec<Url>),
    /// [`Kind::List`], [`Kind::Set`] and [`Kind::Origins`].
    List(Vec<String>),
}

impl Kind {
    /// Whether the flag may stand alone and then means `true`.
    pub(super) fn stands_alone(self) -> bool {
        matches!(self, Kind::Bool | Kind::Ignored)
    }

    /// The value of a flag whose default is nothing at all.
    pub(super) fn empty(self) -> Value {
        match self {
            Kind::Bool => Value::Bool(false),
            Kind::Int | Kind::Int64 => Value::Int(0),
            Kind::Uint | Kind::Uint64 | Kind::Uint32 => Value::Uint(0),
            Kind::Duration => Value::Duration(0),
            Kind::Urls => Value::Urls(Vec::new()),
            Kind::List | Kind::Set | Kind::Origins => Value::List(Vec::new()),
            Kind::Text | Kind::Choice(_) | Kind::Choices(_) | Kind::Gates | Kind::Ignored => {
                Value::Text(String::new())
            }
        }
    }

    /// Reads `text`. The error is what Go prints after the colon.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let plain = |error| go::problem(error).to_owned();
        match self {
            Kind::Bool => {
                go::parse_bool(text).map(Value::Bool).ok_or_else(|| plain(go::NumberError::Syntax))
            }
            Kind::Int | Kind::Int64 => go::parse_int(text).map(Value::Int).map_err(plain),
            Kind::Uint | Kind::Uint64 => go::parse_uint(text).map(Value::Uint).map_err(plain),
            Kind::Uint32 => parse_uint32(text).map(Value::Uint),
            Kind::Duration => go::parse_duration(text)
                .map(Value::Duration)
                .map_err(|_| plain(go::NumberError::Syntax)),
            Kind::Text | Kind::Ignored => Ok(Value::Text(text.to_owned())),
            Kind::Gates => gates::parse(text).map(|_| Value::Text(text.to_owned())),
            Kind::Urls => url::parse_list(text).map(Value::Urls),
            Kind::Origins => parse_origins(text).map(Value::List),
            Kind::List => Ok(Value::List(text.split(',').map(str::to_owned).collect())),
            Kind::Set => Ok(Value::List(unique(text))),
            Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Choice(_) => Err("invalid value".to_owned()),
            Kind::Choices(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Kind::Choices(_) => Err(format!("invalid value {}", go::quote(text))),
        }
    }
}

impl std::fmt::Display for Value {
    /// Writes the value as one would give it to the flag.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Uint(value) => write!(f, "{value}"),
            Value::Duration(nanos) => f.write_str(&go::format_duration(*nanos)),
            Value::Text(text) => f.write_str(text),
            Value::Urls(urls) => f.write_str(&url::join(urls)),
            Value::List(texts) => f.write_str(&texts.join(",")),
        }
    }
}

/// etcd's own kind of flag, whose error is not shortened as Go's are.
fn parse_uint32(text: &str) -> Result<u64, String> {
    let failure = |what: &str| {
        let text = go::quote(text);
        Err(format!("strconv.ParseUint: parsing {text}: {what}"))
    };
    match go::parse_uint(text) {
        Ok(value) if value <= u64::from(u32::MAX) => Ok(value),
        Err(go::NumberError::Syntax) => failure("invalid syntax"),
        Ok(_) | Err(go::NumberError::Range) => failure("value out of range"),
    }
}

/// `*`, or URLs of which each is a `scheme://host:port`.
fn parse_origins(text: &str) -> Result<Vec<String>, String> {
    if text == "*" {
        return Ok(vec![text.to_owned()]);
    }
    let urls = url::parse_list(text)?;
    let unique: BTreeSet<String> = urls.iter().map(Url::to_string).collect();
    Ok(unique.into_iter().collect())
}

fn unique(text: &str) -> Vec<String> {
    let unique: BTreeSet<&str> = text.split(',').collect();
    unique.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: Kind, text: &str) -> String {
        kind.parse(text).expect_err("refused")
    }

    #[test]
    fn errors_read_as_in_go() {
        assert_eq!(error(Kind::Uint, "x"), "parse error");
        assert_eq!(error(Kind::Uint, "-1"), "parse error");
        assert_eq!(error(Kind::Uint, "99999999999999999999"), "value out of range");
        assert_eq!(error(Kind::Int64, "1.5"), "parse error");
        assert_eq!(error(Kind::Duration, "5"), "parse error");
        assert_eq!(error(Kind::Duration, "1x"), "parse error");
        assert_eq!(error(Kind::Bool, "x"), "parse error");
        assert_eq!(error(Kind::Choice(&["a"]), "b"), "invalid value");
        assert_eq!(error(Kind::Choices(&["a"]), "b"), "invalid value \"b\"");
        assert_eq!(
            error(Kind::Uint32, "4294967296"),
            "strconv.ParseUint: parsing \"4294967296\": value out of range"
        );
        assert_eq!(error(Kind::Uint32, "x"), "strconv.ParseUint: parsing \"x\": invalid syntax");
    }

    #[test]
    fn sets_are_sorted_and_unique_but_lists_keep_their_order() {
        let texts = |value| match value {
            Ok(Value::List(texts)) => texts,
            other => panic!("{other:?}"),
        };
        assert_eq!(texts(Kind::Set.parse("b,a,b")), ["a", "b"]);
        assert_eq!(texts(Kind::List.parse("b,a,b")), ["b", "a", "b"]);
        assert_eq!(texts(Kind::Origins.parse("*")), ["*"]);
        assert_eq!(error(Kind::Origins, ":://x"), "parse \":://x\": missing protocol scheme");
    }

    #[test]
    fn values_are_written_as_they_are_read() {
        for (kind, text) in [
            (Kind::Bool, "true"),
            (Kind::Int, "-5"),
            (Kind::Uint32, "7"),
            (Kind::Duration, "1m30s"),
            (Kind::Urls, "http://127.0.0.1:1,http://127.0.0.1:2"),
            (Kind::Set, "a,b"),
        ] {
            assert_eq!(kind.parse(text).expect("valid").to_string(), text);
        }
    }
}
