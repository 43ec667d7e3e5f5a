//! Tests of the manifests for Kubernetes.

use hf2ms_hub::http::AUTHORITIES;

use super::config_maps::ChunkFile;
use super::*;
use hf2ms_worker::plan::BackupRequest;
use hf2ms_worker::protocol::{Exit, Transport};

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
fn the_last_job_makes_the_backup_tag_under_a_name_of_its_own() {
    let mut plan = plan("org/data", &["a"], "public", true);
    for (name, asked) in [(None, Some(true)), (Some("v1"), None)] {
        let name = name.map(|name: &str| name.parse().unwrap());
        plan.backup = BackupRequest::Asked(name).tag(false);
        let emitted = emit(&plan, &cluster());
        let told = emitted.ok().map(|yaml| {
            let all = read(&yaml);
            args(all.last().unwrap()).contains(&"--backup-tag")
        });
        assert_eq!(told, asked);
    }
}

#[test]
fn pods_may_nothing_and_get_tokens_by_reference() {
    let all = read(&emit(&plan("org/data", &["a"], "public", true), &cluster()).unwrap());
    // The last Job knows every file.
    for (job, memory) in all[1..].iter().zip(["128Mi", "129Mi"]) {
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
        let named = |at: usize| [&worker["env"][at]["name"], &worker["env"][at]["value"]];
        assert_eq!(
            [named(0), named(1)],
            [
                [&json!("HF_ENDPOINT"), &json!("https://huggingface")],
                [&json!("MODELSCOPE_ENDPOINT"), &json!("https://modelscope")]
            ]
        );
        assert_eq!(
            (&worker["image"], &worker["resources"]["requests"]["memory"]),
            (&json!("registry/worker:1"), &json!(memory))
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
    assert!(
        !yaml.contains(|c: char| c != '\n' && (c.is_control() || "\u{feff}\u{2028}".contains(c)))
    );
    let quoted =
        |text: &str| yaml.contains(&format!("\"{text}\"")) || yaml.contains(&format!("'{text}'"));
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
