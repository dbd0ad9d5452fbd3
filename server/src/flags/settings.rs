//! The flags' values on their way from arguments, environment or file to a [`super::Config`].

use std::collections::BTreeMap;

use serde_json::json;

use super::table::{self, Flag, Role};
use super::value::Value;
use crate::logging::{Level, Record};
use retcd_api::url::Url;

/// A value that somebody gave.
#[derive(Clone, Debug)]
struct Setting {
    value: Value,
    /// The name under which it was given: an older name may stand for a newer one.
    spelled: &'static str,
}

/// What was given, and the table's defaults for the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    given: BTreeMap<&'static str, Setting>,
}

impl Settings {
    /// Keeps `value` for `flag`; the last one counts.
    pub(super) fn set(&mut self, flag: &'static Flag, value: Value) {
        let spelled = flag.name;
        self.given.insert(flag.name, Setting { value, spelled });
    }

    /// Whether somebody gave `name` a value.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Moves values given under older names to the newer ones. A newer name wins over an older one.
    pub(super) fn resolve_older_names(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        for flag in table::all() {
            let Role::Same(target) = flag.role else {
                continue;
            };
            let Some(setting) = self.given.remove(flag.name) else {
                continue;
            };
            if self.is_set(target) {
                records.push(
                    Record::new(Level::Warn, "an older name of a flag is ignored beside the newer")
                        .with("ignored", json!(flag.name))
                        .with("used", json!(target)),
                );
                continue;
            }
            let target = table::find(target).expect("a test follows every older name");
            self.given.insert(target.name, setting);
        }
        records
    }

    /// Everything given, as (flag, name under which it was given, value).
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static Flag, &'static str, &Value)> {
        self.given.iter().map(|(name, setting)| {
            let flag = table::find(name).expect("only the table's flags are set");
            (flag, setting.spelled, &setting.value)
        })
    }

    /// The value of `name`.
    ///
    /// # Panics
    /// If the table has no such flag. So do the functions below, also for another kind.
    pub(super) fn value(&self, name: &str) -> Value {
        match self.given.get(name) {
            Some(setting) => setting.value.clone(),
            None => table::find(name).expect("the flag is in the table").default_value(),
        }
    }

    /// A flag that is on or off.
    pub(super) fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// A signed number.
    pub(super) fn int(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Int(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// An unsigned number.
    pub(super) fn uint(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Uint(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// A duration in nanoseconds; Go's are signed.
    pub(super) fn nanos(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Duration(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Text(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// Texts.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }

    /// URLs.
    pub(super) fn urls(&self, name: &str) -> Vec<Url> {
        match self.value(name) {
            Value::Urls(value) => value,
            other => panic!("--{name} is {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_name_stands_for_the_newer_unless_both_are_given() {
        let older = table::find("experimental-warning-apply-duration").expect("known");
        let newer = table::find("warning-apply-duration").expect("known");
        let mut settings = Settings::default();
        settings.set(older, Value::Duration(5));
        assert!(settings.resolve_older_names().is_empty());
        assert_eq!(settings.nanos("warning-apply-duration"), 5);

        settings.set(older, Value::Duration(6));
        settings.set(newer, Value::Duration(7));
        assert_eq!(settings.resolve_older_names().len(), 1);
        assert_eq!(settings.nanos("warning-apply-duration"), 7);
    }
}
