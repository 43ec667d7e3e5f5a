//! Amounts of memory as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount of memory in bytes, written as `128MiB`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(pub u64);

/// A text that is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an amount of memory: expected a number with KiB, MiB or GiB, as 128MiB")]
pub struct BadMemory(String);

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for Memory {
    type Err = BadMemory;

    fn from_str(text: &str) -> Result<Self, BadMemory> {
        let parse = |number: &str, unit: u64| {
            number
                .trim()
                .parse::<u64>()
                .ok()?
                .checked_mul(unit)
                .map(Self)
        };
        UNITS
            .iter()
            .find_map(|(name, unit)| parse(text.strip_suffix(name)?, *unit))
            .or_else(|| parse(text, 1))
            .ok_or_else(|| BadMemory(text.to_owned()))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS
            .iter()
            .find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit))
        {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl TryFrom<String> for Memory {
    type Error = BadMemory;

    fn try_from(text: String) -> Result<Self, BadMemory> {
        text.parse()
    }
}

impl From<Memory> for String {
    fn from(memory: Memory) -> String {
        memory.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_as_people_write_it() {
        for (text, bytes) in [
            ("128MiB", 128 << 20),
            ("1GiB", 1 << 30),
            ("1536KiB", 1536 << 10),
            ("1000", 1000),
        ] {
            assert_eq!(
                (
                    text.parse::<Memory>().unwrap(),
                    Memory(bytes).to_string().as_str()
                ),
                (Memory(bytes), text)
            );
        }
        assert!("lots".parse::<Memory>().is_err() && "".parse::<Memory>().is_err());
    }
}
