//! One key of a store, as an object that is asked.

use super::Object;
use std::fmt::Debug;
use std::hash::Hash;

/// A key with its value, if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register<V> {
    /// The value.
    pub value: Option<V>,
}

impl<V> Default for Register<V> {
    fn default() -> Register<V> {
        Register { value: None }
    }
}

/// What a register is asked. Answers are `None` where none came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call<V> {
    /// Its value is read. One without an answer is left out of a history.
    Read {
        /// What was read.
        found: Option<V>,
    },
    /// It is given a value, or none, whatever it had before.
    Write {
        /// The new value.
        value: Option<V>,
        /// Whether it had a value before, if that was told.
        existed: Option<bool>,
    },
    /// It is given a value if it has the expected one.
    CompareAndSet {
        /// What it must have.
        expected: Option<V>,
        /// The new value.
        value: Option<V>,
        /// Whether it had.
        succeeded: Option<bool>,
    },
}

impl<V: Clone + Debug + Eq + Hash> Object for Register<V> {
    type Call = Call<V>;

    fn after(&self, call: &Call<V>) -> Option<Register<V>> {
        let (is_possible, value) = match call {
            Call::Read { found } => (self.value == *found, &self.value),
            Call::Write { value, existed } => {
                (existed.is_none_or(|existed| existed == self.value.is_some()), value)
            }
            Call::CompareAndSet { expected, value, succeeded } => {
                let succeeds = self.value == *expected;
                let value = if succeeds { value } else { &self.value };
                (succeeded.is_none_or(|succeeded| succeeded == succeeds), value)
            }
        };
        is_possible.then(|| Register { value: value.clone() })
    }
}
