//! A plan as objects of Kubernetes: ConfigMaps that hold the chunks, an Indexed Job with a pod a chunk, and a suspended Job
//! that commits and verifies. Text only: nothing here talks to a cluster.

use hf2ms_hub::{Hub, RepoAt, Sha256, Visibility};
use hf2ms_worker::plan::CardPolicy;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{Exit, Transport};
use serde_json::{Map, Value, json};

use crate::engine::network_settings::NetworkSettings;
use crate::ui::errors::{CliError, CliResult};

/// The worker's image, unless told otherwise.
pub const IMAGE: &str = concat!("hf2ms-worker:", env!("CARGO_PKG_VERSION"));
/// The Secret whose keys are HF_TOKEN and MODELSCOPE_TOKEN, unless told otherwise.
pub const SECRET: &str = "hf2ms-tokens";
/// Bytes of chunks a ConfigMap. It takes 1 MiB (`MaxSecretSize` of k8s.io/api), of which its keys get some.
const CONFIG_MAP: usize = 1_000_000;
/// Pods that may fail in a way that may pass, for each chunk and for the last Job.
const RETRIES: u32 = 3;
/// The image's user, who owns nothing.
const USER: u32 = 65532;
/// What the worker's memory budget is multiplied with for the pod's limit: above it the pod is killed.
const HEADROOM: u64 = 2;
/// The last Job holds the listings of both sides besides.
const LAST_HEADROOM: u64 = 8;

/// How a plan is carried out in a cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The worker's image.
    pub image: String,
    /// Pods at a time, at most.
    pub parallelism: usize,
    /// The Secret that holds the tokens.
    pub secret: String,
    /// Who may see a destination that has to be created, if that was said.
    pub visibility: Option<Visibility>,
    /// What the pods get of this machine's network settings.
    pub network: NetworkSettings,
}

/// A chunk's file in its ConfigMap.
struct ChunkFile {
    name: String,
    content: String,
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
    let yaml = serde_saphyr::to_string_multiple_with_options(&all, options)
        .map_err(|error| CliError::usage(format!("the plan can't be written as YAML: {error}")))?;
    Ok(objects.header(!maps.is_empty()) + &yaml)
}

/// A name for all that the plan becomes, the same for the same plan: 46 letters at most, as pods add to it.
fn name(plan: &Plan) -> CliResult<String> {
    let json = serde_json::to_vec(plan)
        .map_err(|error| CliError::usage(format!("the plan can't be written: {error}")))?;
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

fn chunk_files(plan: &Plan, run: &str) -> CliResult<Vec<ChunkFile>> {
    let numbers = 0..u32::try_from(plan.chunks.len()).unwrap_or(u32::MAX);
    numbers
        .filter_map(|number| plan.chunk(run, number))
        .map(|chunk| chunk_file(&chunk))
        .collect()
}

fn chunk_file(chunk: &hf2ms_worker::protocol::Chunk) -> CliResult<ChunkFile> {
    let content = serde_json::to_string(chunk)
        .map_err(|error| CliError::usage(format!("a chunk can't be written: {error}")))?;
    if content.len() > CONFIG_MAP {
        return Err(CliError::usage(format!(
            "chunk {} takes {} bytes to describe its {} files, and a ConfigMap holds {CONFIG_MAP}: \
             cut smaller, with more --containers or a smaller --chunk-size",
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

/// Files in as few lots as their order allows, each of `most` bytes at most.
fn packed(files: Vec<ChunkFile>, most: usize) -> Vec<Vec<ChunkFile>> {
    let mut lots: Vec<Vec<ChunkFile>> = Vec::new();
    let mut left = 0;
    for file in files {
        let size = file.content.len();
        match lots.last_mut() {
            Some(lot) if size <= left => lot.push(file),
            _ => {
                left = most;
                lots.push(vec![file]);
            }
        }
        left = left.saturating_sub(size);
    }
    lots
}

struct Objects<'a> {
    plan: &'a Plan,
    cluster: &'a Cluster,
    name: &'a str,
}

impl Objects<'_> {
    fn config_map(&self, number: usize, files: &[ChunkFile]) -> Value {
        let data: Map<String, Value> = files
            .iter()
            .map(|file| (file.name.clone(), file.content.clone().into()))
            .collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata(&self.map_name(number)), "immutable": true, "data": data})
    }

    /// The certificate authorities that pods trust besides those of the image.
    fn authorities(&self) -> Option<Value> {
        let data = json!({"ca.pem": self.cluster.network.authorities()?});
        let metadata = self.metadata(&self.authorities_name());
        Some(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": true, "data": data}),
        )
    }

    fn authorities_name(&self) -> String {
        format!("{}-ca", self.name)
    }

    fn map_name(&self, number: usize) -> String {
        format!("{}-chunks-{number}", self.name)
    }

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

    /// One pod a chunk; a chunk that fails for good costs only itself.
    fn chunks_job(&self, maps: usize) -> Value {
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
        let mut pod = self.pod(&args, HEADROOM);
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

    /// What follows: it finds the blobs stored, commits, and compares every file.
    fn last_job(&self, waits: bool) -> Value {
        let Plan {
            source,
            destination,
            creation,
            ..
        } = self.plan;
        let mut args = vec!["migrate".to_owned(), place(source), place(destination)];
        args.extend([
            "--revision".to_owned(),
            source.revision.to_string(),
            "--repo-type".to_owned(),
            source.kind.to_string(),
        ]);
        match (self.cluster.visibility, creation.visibility) {
            // To show what is hidden, that has to be said; else the source decides again.
            (Some(Visibility::Public), _) => args.push("--public".to_owned()),
            (_, Visibility::Private | Visibility::Protected | Visibility::Internal) => {
                args.push("--private".to_owned())
            }
            (_, Visibility::Public) => {}
        }
        if self.plan.card == CardPolicy::Kept {
            args.push("--keep-readme".to_owned());
        }
        match self.plan.options.transport {
            Transport::Http => args.extend(["--transport".to_owned(), "http".to_owned()]),
            Transport::Xet => args.extend(["--transport".to_owned(), "xet".to_owned()]),
            // Whether Git is the way is found again: it is the hub's lock that decides.
            Transport::Auto | Transport::Git => {}
        }
        let mut pod = self.pod(&args, LAST_HEADROOM);
        let endpoints = [
            (endpoint_name(source.hub, Reached::AsUsual), source),
            (self.destination_endpoint_name(), destination),
        ];
        for (name, at) in endpoints {
            add(
                &mut pod["spec"]["containers"][0]["env"],
                json!({"name": name, "value": at.endpoint}),
            );
        }
        let policy = failure_policy("FailJob");
        let spec = json!({"suspend": waits, "backoffLimit": RETRIES, "podFailurePolicy": policy, "template": pod});
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": self.metadata(&self.last_name()), "spec": spec})
    }

    /// Within one hub the destination's address has a variable of its own.
    fn destination_endpoint_name(&self) -> &'static str {
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

    /// The variables that the Secret has to hold: within a hub, another site has a token of its own. A proxy's may hold a login.
    fn secret_names(&self) -> Vec<&'static str> {
        let Plan {
            source,
            destination,
            ..
        } = self.plan;
        let elsewhere = source.hub == destination.hub && source.endpoint != destination.endpoint;
        let apart = destination.hub.profile().variables.destination_token;
        let tokens = Hub::with_api()
            .map(|hub| hub.profile().variables.token_name())
            .chain(elsewhere.then_some(apart));
        tokens.chain(self.cluster.network.proxies()).collect()
    }

    fn last_name(&self) -> String {
        format!("{}-finish", self.name)
    }

    /// A worker that may nothing on its node, with the tokens of the Secret, by reference.
    fn pod(&self, args: &[String], headroom: u64) -> Value {
        let budget = self.plan.options.memory.0;
        let scratch = self.plan.options.scratch.map_or(0, |scratch| scratch.0);
        let container = json!({
            "name": "worker",
            "image": self.cluster.image,
            "args": args,
            "envFrom": [{"secretRef": {"name": self.cluster.secret}}],
            "resources": {
                "requests": {"cpu": "500m", "memory": mebibytes(budget)},
                "limits": {"cpu": "2", "memory": mebibytes(budget.saturating_mul(headroom).saturating_add(scratch))},
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

    fn header(&self, waits: bool) -> String {
        let (plan, name, last, secret) =
            (self.plan, self.name, self.last_name(), &self.cluster.secret);
        let what = format!(
            "# Copies {} to {}: {} chunks.\n",
            place(&plan.source),
            place(&plan.destination),
            plan.chunks.len()
        );
        let needs = "# For Kubernetes 1.29 or later. `kubectl delete -f` of this file takes everything back, but the Secret.\n";
        let refused = match plan.refused.len() {
            0 => String::new(),
            some => format!(
                "# {some} entries of the source can't be copied: the last Job copies the rest, and ends as failed.\n"
            ),
        };
        let names = self.secret_names();
        let (lines, values): (String, String) = names
            .iter()
            .map(|name| (format!("{name}=%s\\n"), format!(" \"${name}\"")))
            .unzip();
        let token = format!("printf '{lines}'{values}");
        let mut commands = vec![
            format!("{token} |\n#      kubectl create secret generic {secret} --from-env-file=/dev/stdin"),
            "kubectl apply --server-side -f FILE      # server-side: kubectl's own copy would be too long".to_owned(),
        ];
        if waits {
            commands.push(format!(
                "kubectl wait --for=condition=Complete --timeout=24h job/{name}"
            ));
            commands.push(format!(
                "kubectl patch job {last} --type=merge --patch '{{\"spec\":{{\"suspend\":false}}}}'"
            ));
        }
        let commands: String = commands
            .iter()
            .zip(1..)
            .map(|(command, number)| format!("#   {number}. {command}\n"))
            .collect();
        format!(
            "{what}{needs}{refused}{commands}# Then `kubectl logs --follow job/{last}` shows the commit, and the verification of every file.\n---\n"
        )
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

/// What becomes of a pod that failed, by the worker's exit code: what is refused or wrong stays so, anything else is tried
/// again, and a pod that had to make room does not count.
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
fn place(at: &RepoAt) -> String {
    format!("{}:{}", at.hub.profile().prefix, at.id)
}

/// A name of Kubernetes (RFC 1123): small letters, digits, `-` and `.`.
///
/// # Errors
/// What was expected.
pub fn object_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inside = text.chars().all(|c| plain(c) || c == '-' || c == '.');
    if inside && text.len() <= 253 && text.starts_with(plain) && text.ends_with(plain) {
        return Ok(text.to_owned());
    }
    Err("expected a name of small letters, digits, '-' and '.'".to_owned())
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::http::AUTHORITIES;

    use super::*;

    const COMMIT: &str = "0123456789012345678901234567890123456789";

    /// A plan with a chunk for each of `paths`, of a destination that is to be made `visibility` if there is none.
    fn plan(id: &str, paths: &[&str], visibility: &str, exists: bool) -> Plan {
        let at = |hub: &str, revision: &str| json!({"hub": hub, "endpoint": format!("https://{hub}"), "kind": "dataset", "id": id, "revision": revision});
        let file = |path: &&str| json!({"path": path, "size": 5, "sha256": Sha256::of(path.as_bytes()), "step": "stream"});
        let chunks: Vec<[usize; 1]> = (0..paths.len()).map(|index| [index]).collect();
        let plan = json!({
            "version": 1, "source": at("huggingface", COMMIT), "asked": "main", "destination": at("modelscope", "master"),
            "creation": {"visibility": visibility, "exists": exists}, "files": paths.iter().map(file).collect::<Vec<_>>(), "chunks": chunks,
        });
        serde_json::from_value(plan).unwrap()
    }

    fn cluster() -> Cluster {
        let network = NetworkSettings::default();
        Cluster {
            image: "registry/worker:1".to_owned(),
            parallelism: 2,
            secret: "tokens".to_owned(),
            visibility: None,
            network,
        }
    }

    /// The documents that a reader of YAML finds.
    fn read(yaml: &str) -> Vec<Value> {
        serde_saphyr::from_multiple(yaml).unwrap()
    }

    fn args(job: &Value) -> Vec<&str> {
        job["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| arg.as_str().unwrap())
            .collect()
    }

    #[test]
    fn a_plan_becomes_a_pod_a_chunk_and_a_last_job_that_waits() {
        let all = read(
            &emit(
                &plan("org/data", &["a", "b", "c"], "private", false),
                &cluster(),
            )
            .unwrap(),
        );
        let [maps, chunks, last] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(
            maps["data"].as_object().unwrap().keys().collect::<Vec<_>>(),
            ["0.json", "1.json", "2.json"]
        );
        let spec = &chunks["spec"];
        assert_eq!(
            (
                &spec["completionMode"],
                &spec["completions"],
                &spec["parallelism"]
            ),
            (&json!("Indexed"), &json!(3), &json!(2))
        );
        assert_eq!(
            args(chunks),
            [
                "run",
                "--chunk",
                "/chunks/$(JOB_COMPLETION_INDEX).json",
                "--create",
                "private"
            ]
        );
        assert_eq!(
            spec["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"],
            json!([2, 3, 4])
        );
        assert_eq!(last["spec"]["suspend"], true);
        let moved = [
            "migrate",
            "hf:org/data",
            "ms:org/data",
            "--revision",
            COMMIT,
            "--repo-type",
            "dataset",
            "--private",
        ];
        assert_eq!(args(last), moved);
    }

    #[test]
    fn the_last_job_goes_the_way_that_the_plan_was_asked_for() {
        for (transport, asked) in [
            (Transport::Http, Some("http")),
            (Transport::Xet, Some("xet")),
            (Transport::Auto, None),
        ] {
            let mut plan = plan("org/data", &["a"], "public", true);
            plan.options.transport = transport;
            let all = read(&emit(&plan, &cluster()).unwrap());
            let args = args(all.last().unwrap());
            let told = args
                .iter()
                .position(|arg| *arg == "--transport")
                .map(|at| args[at + 1]);
            assert_eq!(told, asked);
        }
    }

    #[test]
    fn pods_may_nothing_and_get_tokens_by_reference() {
        for job in &read(&emit(&plan("org/data", &["a"], "public", true), &cluster()).unwrap())[1..]
        {
            let pod = &job["spec"]["template"]["spec"];
            let worker = &pod["containers"][0];
            assert_eq!(
                (
                    &pod["restartPolicy"],
                    &pod["securityContext"]["runAsNonRoot"]
                ),
                (&json!("Never"), &json!(true))
            );
            let context = &worker["securityContext"];
            assert_eq!(
                (
                    &context["readOnlyRootFilesystem"],
                    &context["allowPrivilegeEscalation"]
                ),
                (&json!(true), &json!(false))
            );
            assert_eq!(
                (
                    &context["capabilities"]["drop"],
                    &worker["envFrom"][0]["secretRef"]["name"]
                ),
                (&json!(["ALL"]), &json!("tokens"))
            );
            assert_eq!(
                (&worker["image"], &worker["resources"]["requests"]["memory"]),
                (&json!("registry/worker:1"), &json!("128Mi"))
            );
        }
    }

    #[test]
    fn a_plan_that_wants_room_gets_it_in_memory_beside_the_chunks() {
        let mut plan = plan("org/data", &["a"], "public", true);
        plan.options.scratch = Some(hf2ms_worker::protocol::Memory(64 << 20));
        for (job, volumes) in read(&emit(&plan, &cluster()).unwrap())[1..]
            .iter()
            .zip([2, 1])
        {
            let pod = &job["spec"]["template"]["spec"];
            assert_eq!(
                pod["volumes"][0],
                json!({"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}})
            );
            let worker = &pod["containers"][0];
            assert_eq!(
                worker["volumeMounts"][0],
                json!({"name": "scratch", "mountPath": "/tmp"})
            );
            assert_eq!(
                (
                    pod["volumes"].as_array().unwrap().len(),
                    worker["volumeMounts"].as_array().unwrap().len()
                ),
                (volumes, volumes)
            );
        }
    }

    #[test]
    fn what_exists_is_not_created_and_what_is_public_is_shown_only_when_asked() {
        let jobs = |visibility| {
            read(
                &emit(
                    &plan("org/data", &["a"], "public", true),
                    &Cluster {
                        visibility,
                        ..cluster()
                    },
                )
                .unwrap(),
            )
        };
        let unsaid = jobs(None);
        assert!(
            !args(&unsaid[1]).contains(&"--create")
                && !args(&unsaid[2]).iter().any(|arg| arg.starts_with("--p"))
        );
        assert!(args(&jobs(Some(Visibility::Public))[2]).contains(&"--public"));
    }

    #[test]
    fn pods_get_proxies_by_the_secret_and_authorities_by_a_file() {
        let variables = vec![
            ("HTTPS_PROXY", "http://me:canary@proxy:3128".to_owned()),
            (AUTHORITIES, "PEM\n".to_owned()),
        ];
        let network = NetworkSettings {
            variables,
            left_out: None,
        };
        let yaml = emit(
            &plan("org/data", &["a"], "public", true),
            &Cluster {
                network,
                ..cluster()
            },
        )
        .unwrap();
        assert!(
            yaml.contains("HTTPS_PROXY=%s")
                && yaml.contains("\"$HTTPS_PROXY\"")
                && !yaml.contains("canary"),
            "{yaml}"
        );
        let all = read(&yaml);
        let authorities = all
            .iter()
            .find(|object| {
                object["metadata"]["name"]
                    .as_str()
                    .unwrap()
                    .ends_with("-ca")
            })
            .unwrap();
        assert_eq!(authorities["data"]["ca.pem"], "PEM\n");
        for job in all.iter().filter(|object| object["kind"] == "Job") {
            let pod = &job["spec"]["template"]["spec"];
            let volumes = pod["volumes"].as_array().unwrap();
            assert!(
                volumes.contains(
                    &json!({"name": "ca", "configMap": {"name": authorities["metadata"]["name"]}})
                ),
                "{volumes:?}"
            );
            let variables = pod["containers"][0]["env"].as_array().unwrap();
            assert!(
                variables.contains(&json!({"name": "SSL_CERT_FILE", "value": "/ca/ca.pem"})),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn without_chunks_there_is_only_a_job_that_starts_at_once() {
        let all = read(&emit(&plan("org/data", &[], "public", true), &cluster()).unwrap());
        assert_eq!((all.len(), &all[0]["spec"]["suspend"]), (1, &json!(false)));
    }

    #[test]
    fn every_path_arrives_as_it_is() {
        let path = "a '\": #{[-\u{7f}\u{85}\u{feff}\u{2028}é😀 $(HOME) {{x}}";
        let all = read(&emit(&plan("org/data", &[path], "public", true), &cluster()).unwrap());
        let chunk: hf2ms_worker::protocol::Chunk =
            serde_json::from_str(all[0]["data"]["0.json"].as_str().unwrap()).unwrap();
        assert_eq!(chunk.files[0].path.as_str(), path);
    }

    #[test]
    fn no_reader_of_yaml_stumbles_over_the_text() {
        let odd = Cluster {
            image: "1e3".to_owned(),
            secret: "on".to_owned(),
            ..cluster()
        };
        let yaml = emit(
            &plan(
                "org/data",
                &["\u{1}\u{7f}\u{85}\u{feff}\u{2028}"],
                "public",
                true,
            ),
            &odd,
        )
        .unwrap();
        assert!(!yaml.contains(|c: char| c != '\n' && (c.is_control() || "\u{feff}\u{2028}".contains(c))));
        let quoted = |text: &str| {
            yaml.contains(&format!("\"{text}\"")) || yaml.contains(&format!("'{text}'"))
        };
        assert!(quoted("on") && quoted("1e3") && quoted(COMMIT), "{yaml}");
    }

    #[test]
    fn names_are_those_of_kubernetes_and_tell_plans_apart() {
        let long = format!("org/{}", "Very_Long.Name".repeat(6));
        for id in ["org/data", "org/_", "org/9_.X", &long] {
            let name = name(&plan(id, &["a"], "public", true)).unwrap();
            let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(
                name.len() <= 46
                    && name.chars().all(label)
                    && name.starts_with("hf2ms-")
                    && !name.contains("--"),
                "{name}"
            );
        }
        let named = |paths: &[&str]| name(&plan("org/data", paths, "public", true)).unwrap();
        assert!(named(&["a"]) == named(&["a"]) && named(&["a"]) != named(&["b"]));
    }

    #[test]
    fn chunks_are_shared_out_over_config_maps() {
        let files = [4, 5, 2, 9, 1]
            .iter()
            .zip(0..)
            .map(|(size, number)| ChunkFile {
                name: format!("{number}"),
                content: "x".repeat(*size),
            });
        let lots: Vec<String> = packed(files.collect(), 10)
            .iter()
            .map(|lot| lot.iter().map(|file| file.name.as_str()).collect())
            .collect();
        assert_eq!(lots, ["01", "2", "34"]);
    }

    #[test]
    fn a_chunk_that_no_config_map_holds_says_how_to_cut_it() {
        let paths: Vec<String> = (0..12_000).map(|number| format!("{number:05}")).collect();
        let mut plan = plan(
            "org/data",
            &paths.iter().map(String::as_str).collect::<Vec<_>>(),
            "public",
            true,
        );
        plan.chunks = vec![(0..12_000).collect()];
        let failure = emit(&plan, &cluster()).err().unwrap();
        assert!(
            failure.exit() == Exit::Usage && failure.to_string().contains("--containers"),
            "{failure}"
        );
        plan.chunks = vec![(0..6000).collect(), (6000..12_000).collect()];
        assert_eq!(
            read(&emit(&plan, &cluster()).unwrap())
                .iter()
                .filter(|object| object["kind"] == "ConfigMap")
                .count(),
            2
        );
    }

    #[test]
    fn a_name_of_kubernetes_is_checked_where_it_is_given() {
        assert!(object_name("hf2ms-tokens").is_ok() && object_name("a.b").is_ok());
        for bad in ["", "Tokens", "a_b", "-a", "a-", "a b", "a\nb"] {
            assert!(object_name(bad).is_err(), "{bad:?}");
        }
    }
}
