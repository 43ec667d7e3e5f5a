//! How many files a sample of contents reads, and by which seed they are chosen.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Hundredths of a percent in all of something.
const WHOLE: u32 = 10_000;

/// How many of the files that differ in content a sample reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SampleSize {
    /// So many files, or all if there are fewer.
    Files(u32),
    /// So many hundredths of a percent of them, one file at least.
    Part(u32),
}

impl SampleSize {
    /// All of them.
    pub const ALL: Self = Self::Part(WHOLE);
    /// The size of a sample unless another is asked for.
    const USUAL: Self = Self::Files(1_000);
}

impl Default for SampleSize {
    fn default() -> Self {
        Self::USUAL
    }
}

/// A text that is no size of a sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of files, as 500, or a part of them, as 5% or 0.5%")]
pub struct BadSampleSize;

impl SampleSize {
    /// How many of so many files are read.
    pub fn of(self, files: usize) -> usize {
        let asked = match self {
            Self::Files(count) => count as usize,
            Self::Part(part) => {
                let part = (files as u64 * u64::from(part)).div_ceil(u64::from(WHOLE));
                usize::try_from(part).unwrap_or(usize::MAX)
            }
        };
        asked.clamp(1, files.max(1)).min(files)
    }
}

impl FromStr for SampleSize {
    type Err = BadSampleSize;

    fn from_str(text: &str) -> Result<Self, BadSampleSize> {
        let Some(percent) = text.strip_suffix('%') else {
            let count = text.parse().ok().filter(|count| *count > 0);
            return count.map(Self::Files).ok_or(BadSampleSize);
        };
        let (whole, rest) = percent.split_once('.').unwrap_or((percent, "0"));
        let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(whole) || !is_number(rest) || !(1..=2).contains(&rest.len()) {
            return Err(BadSampleSize);
        }
        let digits = format!("{whole}{rest:0<2}");
        let part: Option<u32> = digits.parse().ok();
        let part = part.filter(|part| (1..=WHOLE).contains(part));
        part.map(Self::Part).ok_or(BadSampleSize)
    }
}

impl fmt::Display for SampleSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(count) => write!(f, "{count}"),
            Self::Part(part) if part % 100 == 0 => write!(f, "{}%", part / 100),
            Self::Part(part) => write!(f, "{}.{:02}%", part / 100, part % 100),
        }
    }
}

impl TryFrom<String> for SampleSize {
    type Error = BadSampleSize;

    fn try_from(text: String) -> Result<Self, BadSampleSize> {
        text.parse()
    }
}

impl From<SampleSize> for String {
    fn from(size: SampleSize) -> Self {
        size.to_string()
    }
}

/// Which files a sample reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleChoice {
    /// How many.
    #[serde(default)]
    pub size: SampleSize,
    /// The seed of the choice; a random one where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
}

impl SampleChoice {
    /// The choice of a run which asks for none.
    pub const USUAL: Self = Self {
        size: SampleSize::USUAL,
        seed: None,
    };

    /// Whether it is that of a run which asks for none.
    pub fn is_usual(&self) -> bool {
        *self == Self::USUAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_of_files_or_a_part_of_them() {
        for (text, files, size) in [
            ("500", 2_000, 500),
            ("500", 20, 20),
            ("5%", 2_000, 100),
            ("0.5%", 2_000, 10),
            ("0.05%", 2_000, 1),
            ("0.01%", 3, 1),
            ("100%", 7, 7),
            ("34%", 3, 2),
            ("1", 0, 0),
        ] {
            let parsed: SampleSize = text.parse().unwrap();
            assert_eq!(parsed.of(files), size, "{text} of {files}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in [
            "", "0", "-1", "5 %", "%", "0%", "0.001%", "101%", "1.%", ".5%x", "a/b", "1e3", "5.5",
        ] {
            assert_eq!(text.parse::<SampleSize>(), Err(BadSampleSize), "{text}");
        }
    }
}
