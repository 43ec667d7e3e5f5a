//! Jobs: one pod for each chunk, and the last Job, which commits and verifies.

use hf2ms_hub::{Hub, RepoAt, Visibility};
use hf2ms_worker::plan::{CardPolicy, Plan};
use hf2ms_worker::protocol::{Exit, Transport};
use serde_json::{Value, json};

use super::Objects;

/// Pods that may fail in a way that may pass, for each chunk and for the last Job.
const RETRIES: u32 = 3;
/// The image's user, who owns nothing.
const USER: u32 = 65532;
/// The factor between the worker's memory budget and the limit of the pod, above which the pod is killed.
const HEADROOM: u64 = 2;
/// The last Job holds the listings of both sides besides.
const LAST_HEADROOM: u64 = 8;

impl Objects<'_> {
    /// One pod a chunk; a chunk that fails for good costs only itself.
    pub(super) fn chunks_job(&self, maps: usize) -> Value {
        let chunks = self.plan.chunks.len();
        let mut args = vec![
            "run".to_owned(),
            "--chunk".to_owned(),
            "/chunks/$(JOB_COMPLETION_INDEX).json".to_owned(),
        ];
        if !self.plan.creation.exists {
            args.extend([
                "--create".to_owned(),
                self.plan.creation.visibility.to_string(),
            ]);
        }
        let sources: Vec<Value> = (0..maps)
            .map(|number| json!({"configMap": {"name": self.map_name(number)}}))
            .collect();
        let mut pod = self.pod(&args, HEADROOM, 0);
        mount(
            &mut pod,
            json!({"mountPath": "/chunks", "readOnly": true}),
            json!({"name": "chunks", "projected": {"sources": sources}}),
        );
        let spec = json!({
            "completionMode": "Indexed",
            "completions": chunks,
            "parallelism": self.cluster.parallelism.clamp(1, chunks.max(1)),
            "backoffLimitPerIndex": RETRIES,
            "podFailurePolicy": failure_policy("FailIndex"),
            "template": pod,
        });
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(self.name), "spec": spec})
    }

    /// The last Job: it finds the blobs stored, commits, and compares every file.
    pub(super) fn last_job(&self, waits: bool) -> Value {
        let Plan {
            source,
            destination,
            creation,
            ..
        } = self.plan;
        let mut args = vec![
            "migrate".to_owned(),
            source_argument(source),
            source_argument(destination),
        ];
        args.extend([
            "--revision".to_owned(),
            source.revision.to_string(),
            "--repo-type".to_owned(),
            source.kind.to_string(),
        ]);
        match (self.cluster.visibility, creation.visibility) {
            // A hidden repo becomes public only by an option; else the source decides again.
            (Some(Visibility::Public), _) => args.push("--public".to_owned()),
            (_, Visibility::Private | Visibility::Protected | Visibility::Internal) => {
                args.push("--private".to_owned())
            }
            (_, Visibility::Public) => {}
        }
        if self.plan.card == CardPolicy::Kept {
            args.push("--keep-readme".to_owned());
        }
        if self.plan.backup.is_some() {
            args.push("--backup-tag".to_owned());
        }
        if let Some(streams) = self.plan.options.streams {
            args.extend(["--streams".to_owned(), streams.to_string()]);
        }
        match self.plan.options.transport {
            Transport::Http => args.extend(["--transport".to_owned(), "http".to_owned()]),
            Transport::Xet => args.extend(["--transport".to_owned(), "xet".to_owned()]),
            // Whether Git is the way is found again: it is the hub's lock that decides.
            Transport::Auto | Transport::Git => {}
        }
        let pod = self.pod(&args, LAST_HEADROOM, self.plan.files_memory());
        let policy = failure_policy("FailJob");
        let spec = json!({"suspend": waits, "backoffLimit": RETRIES, "podFailurePolicy": policy, "template": pod});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(&self.last_name()), "spec": spec})
    }

    /// The endpoints that the tokens are for, as variables: a worker sends them nowhere else.
    fn endpoints(&self) -> Vec<Value> {
        let of = |name: &str, at: &RepoAt| json!({"name": name, "value": at.endpoint});
        let source = &self.plan.source;
        vec![
            of(endpoint_name(source.hub, Reached::AsUsual), source),
            of(self.destination_endpoint_name(), &self.plan.destination),
        ]
    }

    /// Within one hub the destination's address has a variable of its own.
    pub(super) fn destination_endpoint_name(&self) -> &'static str {
        let Plan {
            source,
            destination,
            ..
        } = self.plan;
        endpoint_name(
            destination.hub,
            if source.hub == destination.hub {
                Reached::Apart
            } else {
                Reached::AsUsual
            },
        )
    }

    /// A worker that may nothing on its node, with the tokens of the Secret, by reference. It has `files_memory` besides its budget.
    pub(super) fn pod(&self, args: &[String], headroom: u64, files_memory: u64) -> Value {
        let budget = self.plan.options.memory.0;
        let scratch = self.plan.options.scratch.map_or(0, |scratch| scratch.0);
        let besides = scratch.saturating_add(files_memory);
        let most = budget.saturating_mul(headroom).saturating_add(besides);
        let container = json!({
            "name": "worker",
            "image": self.cluster.image,
            "args": args,
            "envFrom": [{"secretRef": {"name": self.cluster.secret}}],
            "env": self.endpoints(),
            "resources": {
                "requests": {"cpu": "500m", "memory": mebibytes(budget.saturating_add(files_memory))},
                "limits": {"cpu": "2", "memory": mebibytes(most)},
            },
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            },
        });
        let user = json!({"runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}});
        let spec = json!({
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": user,
            "containers": [container],
        });
        let mut pod = json!({"metadata": {"labels": self.labels()}, "spec": spec});
        if let Some(scratch) = self.plan.options.scratch {
            let volume = json!({"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(scratch.0)}});
            mount(&mut pod, json!({"mountPath": "/tmp"}), volume);
        }
        if self.cluster.network.authorities().is_some() {
            let volume = json!({"name": "ca", "configMap": {"name": self.authorities_name()}});
            mount(
                &mut pod,
                json!({"mountPath": "/ca", "readOnly": true}),
                volume,
            );
            add(
                &mut pod["spec"]["containers"][0]["env"],
                json!({"name": "SSL_CERT_FILE", "value": "/ca/ca.pem"}),
            );
        }
        pod
    }
}

/// Gives a pod's worker a volume.
fn mount(pod: &mut Value, mut place: Value, volume: Value) {
    place["name"] = volume["name"].clone();
    let spec = &mut pod["spec"];
    add(&mut spec["volumes"], volume);
    add(&mut spec["containers"][0]["volumeMounts"], place);
}

fn add(list: &mut Value, entry: Value) {
    match list {
        Value::Array(entries) => entries.push(entry),
        absent => *absent = json!([entry]),
    }
}

/// Whether a hub is the only one of its kind in a migration, or the destination beside a source.
#[derive(Clone, Copy)]
enum Reached {
    AsUsual,
    Apart,
}

/// The variable that holds a hub's address.
fn endpoint_name(hub: Hub, reached: Reached) -> &'static str {
    let names = &hub.profile().variables;
    match reached {
        Reached::AsUsual => names.endpoint,
        Reached::Apart => names.destination_endpoint,
    }
}

/// The policy for a pod that failed, by the worker's exit code: refusals and usage errors end it, other failures are
/// retried, and an evicted pod does not count.
fn failure_policy(for_good: &str) -> Value {
    let codes = [Exit::Usage, Exit::Refused, Exit::Integrity].map(|exit| exit as u8);
    json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": for_good, "onExitCodes": {"containerName": "worker", "operator": "In", "values": codes}},
    ]})
}

fn mebibytes(bytes: u64) -> String {
    format!("{}Mi", bytes.div_ceil(1 << 20))
}

/// As `hf2ms-worker migrate` reads it.
pub(super) fn source_argument(at: &RepoAt) -> String {
    format!("{}:{}", at.hub.profile().prefix, at.id)
}
