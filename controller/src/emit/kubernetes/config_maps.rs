//! ConfigMaps: the chunks of a plan, as many in each as it holds, and the certificate authorities.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::Chunk;
use serde_json::{Map, Value, json};

use super::Objects;
use crate::ui::errors::{CliError, CliResult};

/// Bytes of chunks in one ConfigMap. It holds 1 MiB (`MaxSecretSize` of k8s.io/api), of which its keys get some.
pub(super) const CONFIG_MAP: usize = 1_000_000;

/// A chunk's file in its ConfigMap.
pub(super) struct ChunkFile {
    pub name: String,
    pub content: String,
}

pub(super) fn chunk_files(plan: &Plan, run: &str) -> CliResult<Vec<ChunkFile>> {
    let numbers = 0..u32::try_from(plan.chunks.len()).unwrap_or(u32::MAX);
    numbers
        .filter_map(|number| plan.chunk(run, number))
        .map(|chunk| chunk_file(&chunk))
        .collect()
}

pub(super) fn chunk_file(chunk: &Chunk) -> CliResult<ChunkFile> {
    let content = serde_json::to_string(chunk).map_err(|error| {
        CliError::usage(format!(
            "a chunk can't be written: {error}; use hf2ms migrate"
        ))
    })?;
    if content.len() > CONFIG_MAP {
        return Err(CliError::usage(format!(
            "chunk {} takes {} bytes to describe its {} files, and a ConfigMap holds {CONFIG_MAP}: \
             give more --containers or a smaller --chunk-size",
            chunk.chunk,
            content.len(),
            chunk.files.len(),
        )));
    }
    Ok(ChunkFile {
        name: format!("{}.json", chunk.chunk),
        content,
    })
}

/// The files in as few groups as their order allows, each of `most` bytes at most.
pub(super) fn packed(files: Vec<ChunkFile>, most: usize) -> Vec<Vec<ChunkFile>> {
    let mut groups: Vec<Vec<ChunkFile>> = Vec::new();
    let mut left = 0;
    for file in files {
        let size = file.content.len();
        match groups.last_mut() {
            Some(group) if size <= left => group.push(file),
            _ => {
                left = most;
                groups.push(vec![file]);
            }
        }
        left = left.saturating_sub(size);
    }
    groups
}

impl Objects<'_> {
    pub(super) fn config_map(&self, number: usize, files: &[ChunkFile]) -> Value {
        let data: Map<String, Value> = files
            .iter()
            .map(|file| (file.name.clone(), file.content.clone().into()))
            .collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(&self.map_name(number)), "immutable": true, "data": data})
    }

    /// The certificate authorities that pods trust besides those of the image.
    pub(super) fn authorities(&self) -> Option<Value> {
        let data = json!({"ca.pem": self.cluster.network.authorities()?});
        let metadata = self.metadata(&self.authorities_name());
        Some(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": true, "data": data}),
        )
    }

    pub(super) fn authorities_name(&self) -> String {
        format!("{}-ca", self.name)
    }

    pub(super) fn map_name(&self, number: usize) -> String {
        format!("{}-chunks-{number}", self.name)
    }
}
