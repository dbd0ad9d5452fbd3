//! Feature gates: `--feature-gates=A=true,B=false`, and the older flags that stand for one.

use super::go::{parse_bool, quote};
use super::settings::Settings;
use super::table::Role;
use super::value::Value;

/// How far a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
}

/// What a gate does in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Works,
    Later(&'static str),
    Moot,
}

struct Gate {
    name: &'static str,
    default: bool,
    stage: Stage,
    effect: Effect,
}

const fn gate(name: &'static str, default: bool, stage: Stage, effect: Effect) -> Gate {
    Gate { name, default, stage, effect }
}

const GATES: [Gate; 7] = [
    gate("StopGRPCServiceOnDefrag", false, Stage::Alpha, Effect::Moot),
    gate("TxnModeWriteWithSharedBuffer", true, Stage::Beta, Effect::Moot),
    gate("InitialCorruptCheck", false, Stage::Alpha, Effect::Works),
    gate("CompactHashCheck", false, Stage::Alpha, Effect::Works),
    gate("LeaseCheckpoint", false, Stage::Alpha, Effect::Works),
    gate("LeaseCheckpointPersist", false, Stage::Alpha, Effect::Works),
    gate("SetMemberLocalAddr", false, Stage::Alpha, Effect::Later("the peer protocol")),
];

/// Reads `Name=true,…` into (name, on). The errors are those of etcd's gates.
pub(super) fn parse(text: &str) -> Result<Vec<(String, bool)>, String> {
    let mut given = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("missing bool value for {}", part.trim()));
        };
        let (name, value) = (name.trim(), value.trim());
        let Some(on) = parse_bool(value) else {
            let quoted = quote(value);
            return Err(format!(
                "invalid value of {name}={value}, err: \
                 strconv.ParseBool: parsing {quoted}: invalid syntax"
            ));
        };
        let known =
            ["AllAlpha", "AllBeta"].contains(&name) || GATES.iter().any(|gate| gate.name == name);
        if !known {
            return Err(format!("unrecognized feature gate: {name}"));
        }
        given.push((name.to_owned(), on));
    }
    Ok(given)
}

/// The gates as they were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gates {
    states: [bool; GATES.len()],
}

impl Gates {
    /// Puts together `--feature-gates` and the older flags. Setting one gate both ways is an error.
    pub(super) fn of(settings: &Settings) -> Result<Gates, String> {
        let given = parse(&settings.text("feature-gates"))?;
        let explicit = |name: &str| {
            let found = given.iter().rev().find(|(given, _)| given == name);
            found.map(|(_, on)| *on)
        };
        let mut gates = Gates {
            states: std::array::from_fn(|index| {
                let gate = &GATES[index];
                let group = match gate.stage {
                    Stage::Alpha => "AllAlpha",
                    Stage::Beta => "AllBeta",
                };
                explicit(gate.name).or_else(|| explicit(group)).unwrap_or(gate.default)
            }),
        };
        for (flag, name, value) in settings.given() {
            let (Role::Gate(gate), Value::Bool(on)) = (flag.role, value) else {
                continue;
            };
            if let Some(other) = explicit(gate) {
                return Err(format!(
                    "cannot specify both flags: --{name}={on} and --feature-gates={gate}={other}"
                ));
            }
            gates.states[index_of(gate)] = *on;
        }
        Ok(gates)
    }

    /// Whether `name` is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.states[index_of(name)]
    }

    /// Refuses gates whose function isn't there yet, unless they are at their default.
    pub(super) fn refuse_unavailable(&self) -> Result<(), String> {
        for (gate, on) in GATES.iter().zip(self.states) {
            match gate.effect {
                Effect::Later(what) if on != gate.default => {
                    let (name, default) = (gate.name, gate.default);
                    return Err(format!(
                        "feature gate {name}={on}: {what} is not available in this version yet; \
                         only the default, {name}={default}, is accepted"
                    ));
                }
                Effect::Works | Effect::Later(_) | Effect::Moot => {}
            }
        }
        Ok(())
    }
}

fn index_of(name: &str) -> usize {
    GATES
        .iter()
        .position(|gate| gate.name == name)
        .expect("a test finds every gate that the flags name")
}

/// The gates that the table of flags names, for the test below.
#[cfg(test)]
fn named_by_flags() -> impl Iterator<Item = &'static str> {
    super::table::all().filter_map(|flag| match flag.role {
        Role::Gate(name) => Some(name),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::args;

    fn gates(words: &str) -> Result<Gates, String> {
        let args: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Gates::of(&args::parse(&args).expect("valid").settings)
    }

    #[test]
    fn flags_name_gates_that_exist() {
        for name in named_by_flags() {
            index_of(name);
        }
    }

    #[test]
    fn gates_are_set_by_name_by_group_and_by_their_older_flags() {
        assert!(!gates("").expect("valid").is_on("LeaseCheckpoint"));
        let by_name = gates("--feature-gates=LeaseCheckpoint=true").expect("valid");
        assert!(by_name.is_on("LeaseCheckpoint"));
        let by_group = gates("--feature-gates=AllAlpha=true,LeaseCheckpoint=f").expect("valid");
        assert!(by_group.is_on("LeaseCheckpointPersist"));
        assert!(!by_group.is_on("LeaseCheckpoint"));
        assert!(by_group.refuse_unavailable().is_err());
        let by_flag = gates("--experimental-enable-lease-checkpoint").expect("valid");
        assert!(by_flag.is_on("LeaseCheckpoint"));
        assert_eq!(by_flag.refuse_unavailable(), Ok(()));
    }

    #[test]
    fn errors_read_as_in_etcd() {
        assert_eq!(
            gates(
                "--experimental-enable-lease-checkpoint=true \
                 --feature-gates=LeaseCheckpoint=false"
            ),
            Err("cannot specify both flags: --experimental-enable-lease-checkpoint=true and \
                 --feature-gates=LeaseCheckpoint=false"
                .to_owned())
        );
        assert_eq!(parse("A"), Err("missing bool value for A".to_owned()));
        assert_eq!(
            parse("LeaseCheckpoint=x"),
            Err("invalid value of LeaseCheckpoint=x, err: \
                 strconv.ParseBool: parsing \"x\": invalid syntax"
                .to_owned())
        );
        assert_eq!(parse("A=true"), Err("unrecognized feature gate: A".to_owned()));
    }
}
