//! A plan as objects of Kubernetes: ConfigMaps that hold the chunks, an Indexed Job with a pod for each chunk, and a suspended
//! Job that commits and verifies. Nothing here connects to a cluster.

mod config_maps;
mod header;
mod jobs;

use hf2ms_hub::{Sha256, Visibility};
use hf2ms_worker::plan::Plan;
use serde_json::{Value, json};

use self::config_maps::{CONFIG_MAP, chunk_files, packed};
use crate::engine::network_settings::NetworkSettings;
use crate::ui::errors::{CliError, CliResult};

/// The worker's image, unless told otherwise.
pub const IMAGE: &str = concat!("hf2ms-worker:", env!("CARGO_PKG_VERSION"));
/// The Secret whose keys are HF_TOKEN and MODELSCOPE_TOKEN, unless told otherwise.
pub const SECRET: &str = "hf2ms-tokens";

/// How a plan is carried out in a cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The worker's image.
    pub image: String,
    /// Pods at a time, at most.
    pub parallelism: usize,
    /// The Secret that holds the tokens.
    pub secret: String,
    /// The visibility of a destination that has to be created, if the command line says it.
    pub visibility: Option<Visibility>,
    /// The network settings of the pods.
    pub network: NetworkSettings,
}

/// The objects as YAML, with the commands that use them on top.
///
/// # Errors
/// A chunk that no ConfigMap holds, or a plan that the last Job could not finish.
pub fn emit(plan: &Plan, cluster: &Cluster) -> CliResult<String> {
    if plan.destination.kind == hf2ms_hub::RepoKind::Space {
        return Err(CliError::usage(
            "a Space can't be created from a cluster: use hf2ms migrate",
        ));
    }
    if plan.creation.gate.is_some() && !plan.creation.exists {
        return Err(CliError::usage(
            "a gated repo can't be created from a cluster: use hf2ms migrate, or create it first",
        ));
    }
    // A pod that is started again finds its own tag by its name, and takes another name for someone else's.
    if plan.backup.as_ref().is_some_and(|tag| tag.name.is_some()) {
        return Err(CliError::usage(
            "a cluster names the tag after the source's commit: give --backup-tag without a name",
        ));
    }
    if plan.source.kind != plan.destination.kind {
        let (from, to) = (plan.source.kind, plan.destination.kind);
        return Err(CliError::usage(format!(
            "a {from} can't be copied as a {to} in a cluster: use hf2ms migrate"
        )));
    }
    let name = name(plan)?;
    let maps = packed(chunk_files(plan, &name)?, CONFIG_MAP);
    let objects = Objects {
        plan,
        cluster,
        name: &name,
    };
    let mut all: Vec<Value> = maps
        .iter()
        .enumerate()
        .map(|(number, files)| objects.config_map(number, files))
        .collect();
    if !maps.is_empty() {
        all.push(objects.chunks_job(maps.len()));
    }
    all.extend(objects.authorities());
    all.push(objects.last_job(!maps.is_empty()));
    // Chunks are long lines, not prose to be folded.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let yaml = serde_saphyr::to_string_multiple_with_options(&all, options).map_err(|error| {
        CliError::usage(format!(
            "the plan can't be written as YAML: {error}; use hf2ms migrate"
        ))
    })?;
    Ok(objects.header(!maps.is_empty()) + &yaml)
}

/// A name for all that the plan becomes, the same for the same plan: 46 letters at most, as pods add to it.
fn name(plan: &Plan) -> CliResult<String> {
    let json = serde_json::to_vec(plan).map_err(|error| {
        CliError::usage(format!(
            "the plan can't be written: {error}; use hf2ms migrate"
        ))
    })?;
    let digest = Sha256::of(&json).to_string();
    let readable: String = plan
        .destination
        .id
        .name()
        .to_ascii_lowercase()
        .chars()
        .take(30)
        .collect();
    let words = readable
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let parts = std::iter::once("hf2ms").chain(words).chain([&digest[..8]]);
    Ok(parts.collect::<Vec<_>>().join("-"))
}

struct Objects<'a> {
    plan: &'a Plan,
    cluster: &'a Cluster,
    name: &'a str,
}

impl Objects<'_> {
    fn metadata(&self, name: &str) -> Value {
        let Plan {
            source,
            destination,
            ..
        } = self.plan;
        let about = json!({"hf2ms/source": source.web_url(), "hf2ms/commit": source.revision, "hf2ms/destination": destination.web_url()});
        json!({"name": name, "labels": self.labels(), "annotations": about})
    }

    fn labels(&self) -> Value {
        json!({"app.kubernetes.io/name": "hf2ms", "app.kubernetes.io/instance": self.name})
    }

    fn last_name(&self) -> String {
        format!("{}-finish", self.name)
    }
}

/// A name of Kubernetes (RFC 1123): small letters, digits, `-` and `.`.
///
/// # Errors
/// A message with what was expected.
pub fn object_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inside = text.chars().all(|c| plain(c) || c == '-' || c == '.');
    if inside && text.len() <= 253 && text.starts_with(plain) && text.ends_with(plain) {
        return Ok(text.to_owned());
    }
    Err("expected a name of small letters, digits, '-' and '.'".to_owned())
}

#[cfg(test)]
mod tests;
