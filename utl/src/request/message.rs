//! A decoded message as a tree of named fields, and its two forms: a line of text and JSON.
//!
//! As in etcd's JSON, names are those of the protocol and fields with their zero value are left
//! out. Unlike there, 64-bit numbers are numbers. What must not get into a terminal or a ticket,
//! passwords and tokens, isn't kept.

use crate::notation::Quoted;
use bytes::Bytes;
use retcd_api::base64;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;

/// Named fields, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message(Vec<(&'static str, Value)>);

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Flag,
    Signed(i64),
    Unsigned(u64),
    /// A member or request: hexadecimal in text.
    Id(u64),
    /// A lease: 16 hexadecimal digits in text, as `etcdctl` has it.
    Lease(i64),
    Name(&'static str),
    Text(String),
    /// Never cut.
    Key(Bytes),
    /// The start of a value that has `bytes` in all.
    Blob {
        start: Bytes,
        bytes: usize,
    },
    /// There is something, and it isn't shown.
    Withheld,
    Message(Message),
    Messages(Vec<Message>),
    Texts(Vec<String>),
}

impl Message {
    /// A message without fields.
    pub(crate) fn new() -> Message {
        Message::default()
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message in a field.
    pub(crate) fn inner(&self, name: &str) -> Option<&Message> {
        self.0.iter().find(|(found, _)| *found == name).and_then(|(_, value)| match value {
            Value::Message(message) => Some(message),
            _ => None,
        })
    }

    /// Cuts every value to `bytes_max`. Keys stay whole.
    pub(crate) fn cut_values(&mut self, bytes_max: usize) {
        for (_, value) in &mut self.0 {
            match value {
                Value::Blob { start, .. } => start.truncate(bytes_max),
                Value::Message(message) => message.cut_values(bytes_max),
                Value::Messages(list) => {
                    list.iter_mut().for_each(|message| message.cut_values(bytes_max));
                }
                _ => {}
            }
        }
    }

    fn with(mut self, name: &'static str, value: Value) -> Message {
        self.0.push((name, value));
        self
    }

    fn with_if(self, is_set: bool, name: &'static str, value: impl FnOnce() -> Value) -> Message {
        if is_set { self.with(name, value()) } else { self }
    }

    pub(crate) fn flag(self, name: &'static str, value: bool) -> Message {
        self.with_if(value, name, || Value::Flag)
    }

    pub(crate) fn signed(self, name: &'static str, value: i64) -> Message {
        self.with_if(value != 0, name, || Value::Signed(value))
    }

    pub(crate) fn unsigned(self, name: &'static str, value: u64) -> Message {
        self.with_if(value != 0, name, || Value::Unsigned(value))
    }

    pub(crate) fn id(self, name: &'static str, value: u64) -> Message {
        self.with_if(value != 0, name, || Value::Id(value))
    }

    pub(crate) fn lease(self, name: &'static str, value: i64) -> Message {
        self.with_if(value != 0, name, || Value::Lease(value))
    }

    /// A number with a name; `known` is `None` if nobody here knows it.
    pub(crate) fn named(
        self,
        name: &'static str,
        number: i32,
        known: Option<&'static str>,
    ) -> Message {
        let value = || known.map_or(Value::Signed(number.into()), Value::Name);
        self.with_if(number != 0, name, value)
    }

    /// A name that is shown whatever it is.
    pub(crate) fn name(self, name: &'static str, value: &'static str) -> Message {
        self.with(name, Value::Name(value))
    }

    pub(crate) fn text(self, name: &'static str, value: &str) -> Message {
        self.with_if(!value.is_empty(), name, || Value::Text(value.to_owned()))
    }

    pub(crate) fn key(self, name: &'static str, value: &Bytes) -> Message {
        self.with_if(!value.is_empty(), name, || Value::Key(value.clone()))
    }

    pub(crate) fn blob(self, name: &'static str, value: &Bytes) -> Message {
        let blob = || Value::Blob { start: value.clone(), bytes: value.len() };
        self.with_if(!value.is_empty(), name, blob)
    }

    /// Something that is only said to be there.
    pub(crate) fn secret(self, name: &'static str, value: &str) -> Message {
        self.with_if(!value.is_empty(), name, || Value::Withheld)
    }

    pub(crate) fn texts(self, name: &'static str, list: &[String]) -> Message {
        self.with_if(!list.is_empty(), name, || Value::Texts(list.to_vec()))
    }

    pub(crate) fn message(self, name: &'static str, value: Option<Message>) -> Message {
        match value {
            Some(message) => self.with(name, Value::Message(message)),
            None => self,
        }
    }

    pub(crate) fn messages(
        self,
        name: &'static str,
        list: impl IntoIterator<Item = Message>,
    ) -> Message {
        let list: Vec<_> = list.into_iter().collect();
        self.with_if(!list.is_empty(), name, || Value::Messages(list))
    }
}

/// `name=value name=value`.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.0.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            match value {
                Value::Flag => write!(f, "{space}{name}")?,
                value => write!(f, "{space}{name}={value}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag => f.write_str("true"),
            Value::Signed(number) => number.fmt(f),
            Value::Unsigned(number) => number.fmt(f),
            Value::Id(id) => write!(f, "{id:x}"),
            Value::Lease(id) => write!(f, "{id:016x}"),
            Value::Name(name) => f.write_str(name),
            Value::Text(text) => Quoted(text.as_bytes()).fmt(f),
            Value::Key(bytes) => Quoted(bytes).fmt(f),
            Value::Blob { start, bytes } if start.len() == *bytes => Quoted(start).fmt(f),
            Value::Blob { start, bytes } => write!(f, "{}...({bytes} bytes)", Quoted(start)),
            Value::Withheld => f.write_str("(withheld)"),
            Value::Message(message) => write!(f, "{{{message}}}"),
            Value::Messages(list) => list_of(f, list, |message, f| write!(f, "{{{message}}}")),
            Value::Texts(list) => list_of(f, list, |text, f| Quoted(text.as_bytes()).fmt(f)),
        }
    }
}

fn list_of<T>(
    f: &mut fmt::Formatter<'_>,
    list: &[T],
    show: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_str("[")?;
    for (position, item) in list.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        show(item, f)?;
    }
    f.write_str("]")
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.0 {
            match value {
                Value::Withheld => map.serialize_entry(&format!("{name}_withheld"), &true)?,
                value => map.serialize_entry(name, value)?,
            }
            if let Value::Blob { start, bytes } = value
                && start.len() < *bytes
            {
                map.serialize_entry(&format!("{name}_bytes"), bytes)?;
            }
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Flag | Value::Withheld => serializer.serialize_bool(true),
            Value::Signed(number) | Value::Lease(number) => serializer.serialize_i64(*number),
            Value::Unsigned(number) | Value::Id(number) => serializer.serialize_u64(*number),
            Value::Name(name) => serializer.serialize_str(name),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Key(bytes) | Value::Blob { start: bytes, .. } => {
                serializer.serialize_str(&base64::encode(bytes))
            }
            Value::Message(message) => message.serialize(serializer),
            Value::Messages(list) => list.serialize(serializer),
            Value::Texts(list) => list.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Message {
        Message::new()
            .key("key", &Bytes::from_static(b"k\0"))
            .blob("value", &Bytes::from_static(b"0123456789"))
            .lease("lease", -2)
            .id("ID", u64::MAX)
            .flag("prev_kv", true)
            .named("order", 2, Some("DESCEND"))
            .named("target", 9, None)
            .secret("password", "123")
            .texts("urls", &["a".into(), "b".into()])
            .messages("list", [Message::new().unsigned("n", 7), Message::new()])
    }

    #[test]
    fn text_and_json_say_the_same() {
        let expected = "key=\"k\\x00\" value=\"0123456789\" lease=fffffffffffffffe \
            ID=ffffffffffffffff prev_kv order=DESCEND target=9 password=(withheld) \
            urls=[\"a\", \"b\"] list=[{n=7}, {}]";
        assert_eq!(sample().to_string(), expected);
        let expected = concat!(
            r#"{"key":"awA=","value":"MDEyMzQ1Njc4OQ==","lease":-2,"ID":18446744073709551615,"#,
            r#""prev_kv":true,"order":"DESCEND","target":9,"password_withheld":true,"#,
            r#""urls":["a","b"],"list":[{"n":7},{}]}"#
        );
        assert_eq!(serde_json::to_string(&sample()).unwrap(), expected);
    }

    #[test]
    fn a_cut_value_says_how_long_it_was() {
        let mut nested = Message::new().message("put", Some(sample()));
        nested.cut_values(3);
        let text = nested.to_string();
        assert!(text.contains(r#"key="k\x00" value="012"...(10 bytes) lease"#), "{text}");
        let json = serde_json::to_string(&nested).unwrap();
        assert!(json.contains(r#""value":"MDEy","value_bytes":10"#), "{json}");
    }

    #[test]
    fn zero_values_are_left_out() {
        let zeros = Message::new()
            .key("a", &Bytes::new())
            .blob("b", &Bytes::new())
            .lease("c", 0)
            .id("d", 0)
            .flag("e", false)
            .named("f", 0, Some("NONE"))
            .secret("g", "")
            .texts("h", &[])
            .messages("i", [])
            .message("j", None)
            .signed("k", 0)
            .unsigned("l", 0)
            .text("m", "");
        assert!(zeros.is_empty());
    }
}
