//! The table of every flag that the program knows: etcd's up to 3.6, and our own knobs.
//!
//! Everything else in [`crate::flags`] is driven by it: parsing of arguments, environment and
//! configuration file, the help text, and the refusal of functions that aren't there yet.

use super::value::{Kind, Value};

mod clustering;
mod experimental;
mod member;
mod operation;
mod security;

/// A heading of the help text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// The member itself.
    Member,
    /// Who belongs to the cluster, and what it does on its own.
    Clustering,
    /// Bootstrap through a discovery service.
    Discovery,
    /// TLS and the checks of HTTP requests.
    Security,
    /// Authentication.
    Auth,
    /// Profiling and metrics.
    Profiling,
    /// The log of messages.
    Logging,
    /// Distributed tracing.
    Tracing,
    /// Checks, thresholds and feature gates.
    Features,
    /// The knobs of this program's own storage.
    Storage,
    /// Names that 3.5 and 3.6 had on trial.
    Experimental,
    /// The v2 proxy.
    Proxy,
    /// What can lose data.
    Unsafe,
    /// Everything else.
    Misc,
}

impl Section {
    /// Heading in the help text.
    pub(super) fn title(self) -> &'static str {
        match self {
            Section::Member => "Member:",
            Section::Clustering => "Clustering:",
            Section::Discovery => "V3 Discovery:",
            Section::Security => "Security:",
            Section::Auth => "Auth:",
            Section::Profiling => "Profiling and Monitoring:",
            Section::Logging => "Logging:",
            Section::Tracing => "Distributed tracing:",
            Section::Features => "Checks and features:",
            Section::Storage => "Storage (not in etcd):",
            Section::Experimental => "Experimental feature:",
            Section::Proxy => "v2 Proxy:",
            Section::Unsafe => "Unsafe feature:",
            Section::Misc => "Other:",
        }
    }
}

/// What a flag does in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has its function.
    Works,
    /// The named function isn't there yet: only the default and the listed values are accepted.
    Later(&'static str, &'static [&'static str]),
    /// The named function will not come: only the default and the listed values are accepted.
    Gone(&'static str, &'static [&'static str]),
    /// Every value is accepted and changes nothing, for the reason given.
    Moot(&'static str),
    /// An older name of another flag.
    Same(&'static str),
    /// An older name of a feature gate.
    Gate(&'static str),
    /// Accepted and ignored, as etcd does with flags from its early days.
    Legacy,
}

/// Where a flag is found in the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Under the flag's own name.
    Name,
    /// Under a path of keys, joined by dots.
    Path(&'static str),
    /// Nowhere.
    Absent,
}

/// One flag.
#[derive(Debug)]
pub(super) struct Flag {
    /// Name without dashes in front.
    pub(super) name: &'static str,
    /// How its text is read.
    pub(super) kind: Kind,
    /// The default, as one would write it.
    pub(super) default: &'static str,
    /// What it does here.
    pub(super) role: Role,
    /// Where the configuration file has it.
    pub(super) key: Key,
    /// Heading of the help text.
    pub(super) section: Section,
    /// One sentence or two for the help text.
    pub(super) help: &'static str,
}

impl Flag {
    /// The default as a value.
    pub(super) fn default_value(&self) -> Value {
        match self.default {
            "" => self.kind.empty(),
            text => self.kind.parse(text).expect("a test parses every default of the table"),
        }
    }

    /// Reads `text`. Lists of URLs take an empty text for the default, as etcd's do.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        match (self.kind, text) {
            (Kind::Urls, "") => Ok(self.default_value()),
            _ => self.kind.parse(text),
        }
    }

    /// The environment variable: `ETCD_` and the name in upper case with underscores.
    pub(super) fn variable(&self) -> String {
        format!("ETCD_{}", self.name.replace('-', "_").to_uppercase())
    }

    /// The path of keys in the configuration file, joined by dots.
    pub(super) fn path(&self) -> Option<&'static str> {
        match self.key {
            Key::Name => Some(self.name),
            Key::Path(path) => Some(path),
            Key::Absent => None,
        }
    }
}

/// Writes a section of the table: name, kind, default, role, optionally `@ key`, help.
macro_rules! section {
    ($section:ident: $(
        $name:literal, $kind:expr, $default:literal, $role:expr $(, @ $key:expr)?; $help:literal
    )*) => {
        &[$(crate::flags::table::Flag {
            name: $name,
            kind: $kind,
            default: $default,
            role: $role,
            key: section!(@key $($key)?),
            section: crate::flags::table::Section::$section,
            help: $help,
        }),*]
    };
    (@key) => { crate::flags::table::Key::Name };
    (@key $key:expr) => { $key };
}
use section;

/// The parts of the table, in the order of the help text.
const PARTS: [&[Flag]; 15] = [
    member::MEMBER,
    clustering::CLUSTERING,
    clustering::DISCOVERY,
    security::SECURITY,
    security::AUTH,
    operation::PROFILING,
    operation::LOGGING,
    operation::TRACING,
    operation::FEATURES,
    member::STORAGE,
    experimental::EXPERIMENTAL,
    clustering::PROXY,
    operation::UNSAFE,
    operation::MISC,
    operation::LEGACY,
];

/// Every flag, in the order of the help text.
pub(super) fn all() -> impl Iterator<Item = &'static Flag> {
    PARTS.into_iter().flatten()
}

/// The flag called `name`.
pub(super) fn find(name: &str) -> Option<&'static Flag> {
    all().find(|flag| flag.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_default_parses() {
        let mut names: Vec<&str> = all().map(|flag| flag.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for flag in all() {
            flag.default_value();
        }
    }

    #[test]
    fn older_names_lead_to_flags_of_the_same_kind_and_default() {
        for flag in all() {
            if let Role::Same(target) = flag.role {
                let target = find(target).expect("the target is in the table");
                assert_eq!(
                    (flag.kind, flag.default),
                    (target.kind, target.default),
                    "{}",
                    flag.name
                );
            }
        }
    }

    #[test]
    fn values_accepted_beside_the_default_parse() {
        for flag in all() {
            if let Role::Later(_, also) | Role::Gone(_, also) = flag.role {
                for text in also {
                    flag.kind.parse(text).expect("an accepted value parses");
                }
            }
        }
    }
}
