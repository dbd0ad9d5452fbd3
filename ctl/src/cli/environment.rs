//! Variables that stand for global flags, and what else the environment says.

use std::ffi::{OsStr, OsString};

use super::global::{FLAGS, Global, GlobalFlag};
use crate::failure::{Failure, Outcome, code};
use crate::go::log;
use crate::go::quote;

const PREFIX: &str = "ETCDCTL_";

/// The variables whose names begin with `ETCDCTL_`, in no order of their own.
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// The process's own.
    pub(crate) fn of_process() -> Self {
        let is_ours = |(name, _): &(OsString, OsString)| {
            name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
        };
        Self(std::env::vars_os().filter(is_ours).collect())
    }

    #[cfg(test)]
    pub(super) fn new(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable, if it is set and not empty.
    fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// As `get`; the variable isn't warned of any more.
    pub(crate) fn take(&mut self, name: &str) -> Option<OsString> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1).filter(|value| !value.is_empty())
    }

    /// Refuses to speak another version of the API than 3.
    pub(crate) fn check_api(&self) -> Outcome {
        match self.get("ETCDCTL_API").map(OsStr::to_string_lossy) {
            None => Ok(()),
            Some(version) if version == "3" => Ok(()),
            Some(version) => {
                Err(Failure::plain(code::ERROR, format!("unsupported API version: {version}\n")))
            }
        }
    }

    /// Gives flags the values of their variables. Variables that stand for no flag are warned of.
    ///
    /// # Errors
    ///
    /// A flag is on the command line too, or its variable's value isn't one for it.
    pub(crate) fn apply(&self, global: &mut Global, given: &[GlobalFlag]) -> Outcome {
        for (name, value) in &self.0 {
            let flag = FLAGS.iter().find(|flag| name == flag.variable().as_str());
            match flag {
                Some(flag) if given.iter().any(|given| given.name == flag.name) => {
                    return Err(conflict(name));
                }
                Some(_) if value.is_empty() => warn(name, value),
                Some(flag) => flag.set(global, value).map_err(|reason| {
                    let value = quote(value.as_encoded_bytes());
                    let name = name.to_string_lossy();
                    Failure::error(format!("invalid value {value} for {name}: {reason}"))
                })?,
                None if name == "ETCDCTL_API" => {}
                None => warn(name, value),
            }
        }
        Ok(())
    }
}

fn conflict(name: &OsStr) -> Failure {
    log::write(
        "fatal",
        "conflicting environment variable is shadowed by corresponding command-line flag \
         (either unset environment variable or disable flag))",
        &[("environment-variable", &name.to_string_lossy())],
    );
    Failure::silent(code::ERROR)
}

fn warn(name: &OsStr, value: &OsStr) {
    let variable = format!("{}={}", name.to_string_lossy(), value.to_string_lossy());
    let fields = [("environment-variable", variable.as_str())];
    log::write("warn", "unrecognized environment variable", &fields);
}
