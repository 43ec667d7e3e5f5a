//! The check of a plan that came from a file: no plan that contradicts itself is carried out.

use serde::Deserialize;

use super::{Plan, PlannedFile, VERSION};

/// A plan that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadPlan(String);

/// What is read of a plan before anything else: a plan of another version may have another shape.
#[derive(Deserialize)]
struct WrittenPlan {
    version: u32,
    written_by: Option<String>,
}

impl WrittenPlan {
    fn check(&self) -> Result<(), BadPlan> {
        if self.version == VERSION {
            return Ok(());
        }
        let (version, this) = (self.version, env!("CARGO_PKG_VERSION"));
        let by = self.written_by.as_deref();
        let by = by.map_or(String::new(), |by| format!(", written by hf2ms {by}"));
        Err(BadPlan(format!(
            "it is a plan of version {version}{by}, and hf2ms {this} reads version {VERSION}: carry it out by the hf2ms that wrote it, or make it anew"
        )))
    }
}

impl Plan {
    /// Reads a plan from a file, and checks it.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, BadPlan> {
        let bad = |error: serde_json::Error| BadPlan(error.to_string());
        serde_json::from_slice::<WrittenPlan>(json)
            .map_err(bad)?
            .check()?;
        let plan: Self = serde_json::from_slice(json).map_err(bad)?;
        plan.check()?;
        Ok(plan)
    }

    /// Checks a plan that came from a file: its version, and that its chunks hold each blob that moves exactly once.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn check(&self) -> Result<(), BadPlan> {
        let (version, written_by) = (self.version, self.written_by.clone());
        WrittenPlan {
            version,
            written_by,
        }
        .check()?;
        let by_name = !self.source.hub.profile().abilities.tells_commits
            && self.source.revision == self.asked;
        if !self.is_pinned() && !by_name {
            return Err(BadPlan(format!(
                "the source's revision '{}' is not a pinned commit",
                self.source.revision
            )));
        }
        if let Some(pair) = self
            .files
            .windows(2)
            .find(|pair| pair[0].file.path >= pair[1].file.path)
        {
            return Err(BadPlan(format!(
                "{} is listed twice or out of order",
                pair[1].file.path
            )));
        }
        self.check_chunks()
    }

    fn check_chunks(&self) -> Result<(), BadPlan> {
        let mut waiting: Vec<bool> = self.files.iter().map(PlannedFile::moves_here).collect();
        for index in self.chunks.iter().flatten() {
            match waiting.get_mut(*index as usize) {
                Some(waits) if *waits => *waits = false,
                Some(_) => {
                    return Err(BadPlan(format!(
                        "file {index} is in a chunk but does not move, or is in two"
                    )));
                }
                None => {
                    return Err(BadPlan(format!(
                        "a chunk names file {index}, but there are {}",
                        self.files.len()
                    )));
                }
            }
        }
        match waiting.iter().position(|waits| *waits) {
            Some(left) => Err(BadPlan(format!(
                "{} is in no chunk",
                self.files[left].file.path
            ))),
            None => Ok(()),
        }
    }
}
