//! Docker for tests: whether there is an engine, the images, and a sandbox in a container on a network of its own.
//!
//! Every test that needs Docker begins with `if !docker_or_skip("its name") { return; }`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use hf2ms_hub::Sha256;
use serde_json::json;
use tempfile::TempDir;

use super::World;
use super::processes::until;

/// On everything that tests make in Docker.
pub const LABEL: &str = "hf2ms.test";
/// Where the sandbox's image has its admin.
const PORT_OF_ADMIN: u16 = 8005;

/// Whether a Docker engine answers. Where none does, the test is counted as skipped: on stderr, and in the file that
/// `HF2MS_SKIPPED` names.
pub fn docker_or_skip(test: &str) -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    let answers = *ANSWERS.get_or_init(|| {
        Command::new("docker")
            .arg("info")
            .output()
            .is_ok_and(|ran| ran.status.success())
    });
    if !answers {
        skipped(&format!("skipped: {test}: no Docker engine here"));
    }
    answers
}

/// A podman that answers as Docker does, at a socket of its own. Ends with this value.
pub struct Podman {
    service: Child,
    /// For `DOCKER_HOST`.
    pub address: String,
    _folder: TempDir,
}

impl Podman {
    /// None where there is no podman that works: then the test is counted as skipped.
    pub fn or_skipped(test: &str) -> Option<Self> {
        if !Command::new("podman")
            .arg("info")
            .output()
            .is_ok_and(|ran| ran.status.success())
        {
            skipped(&format!("skipped: {test}: no podman here"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (socket, settings) = (
            folder.path().join("socket"),
            folder.path().join("containers.conf"),
        );
        // By itself it gives containers more open files than a machine that is a container may give.
        std::fs::write(
            &settings,
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n",
        )
        .unwrap();
        let address = format!("unix://{}", socket.display());
        let mut service = Command::new("podman");
        service
            .args(["system", "service", "--time=0", &address])
            .env("CONTAINERS_CONF", settings)
            .stderr(Stdio::null());
        let service = service.spawn().unwrap();
        until("podman's socket", || UnixStream::connect(&socket).is_ok());
        Some(Self {
            service,
            address,
            _folder: folder,
        })
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// Counts a test as skipped.
pub fn skipped(line: &str) {
    eprintln!("{line}");
    if let Some(file) = std::env::var_os("HF2MS_SKIPPED") {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// What `docker` prints; it must succeed.
pub fn docker(args: &[&str]) -> String {
    try_docker(args).unwrap_or_else(|why| panic!("docker {args:?}: {why}"))
}

/// What `docker` prints, or why it failed.
pub fn try_docker(args: &[&str]) -> Result<String, String> {
    let ran = Command::new("docker")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if ran.status.success() {
        Ok(text(&ran.stdout))
    } else {
        Err(text(&ran.stderr))
    }
}

/// The static worker: `HF2MS_STATIC_WORKER`, or what `scripts/build-worker.sh` made.
pub fn static_worker() -> PathBuf {
    let made = || {
        PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../target/static/hf2ms-worker"
        ))
    };
    let path = std::env::var_os("HF2MS_STATIC_WORKER").map_or_else(made, PathBuf::from);
    assert!(
        path.is_file(),
        "run scripts/build-worker.sh first: {} is not there",
        path.display()
    );
    path
}

/// An image of this version, `hf2ms-worker` or `hf2ms-sandbox`.
pub fn image(name: &str) -> String {
    let image = format!("{name}:{}", env!("CARGO_PKG_VERSION"));
    assert!(
        try_docker(&["image", "inspect", &image]).is_ok(),
        "run scripts/image.sh first: there is no image {image}"
    );
    image
}

/// The number of ARM's 64-bit processors in ELF files.
pub const AARCH64: u8 = 183;

/// The number of a processor that no machine has and none emulates, Motorola's 88000.
pub const NOBODYS: u8 = 5;

/// The header of a static program for Linux on this processor, which no machine can run.
pub fn program_for(machine: u8) -> Vec<u8> {
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(64 + 56, 0);
    for (at, byte) in [(16, 2), (18, machine), (20, 1), (32, 64), (54, 56), (56, 1)] {
        program[at] = byte;
    }
    program[64] = 1;
    program
}

/// An image that holds one program. It goes with this value.
pub struct LoadedImage(pub String);

impl LoadedImage {
    /// The image of a worker for this processor, by Docker's name, whose label names a version.
    pub fn of(worker: &[u8], processor: &str, version: &str) -> Self {
        let name = format!("{}:1", unique("image"));
        let layer = archive(&[("hf2ms-worker", worker)]);
        let config = json!({
            "architecture": processor, "os": "linux",
            "config": {"Entrypoint": ["/hf2ms-worker"], "Labels": {"org.opencontainers.image.version": version}},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", Sha256::of(&layer))]},
        });
        let manifest =
            json!([{"Config": "config.json", "RepoTags": [&name], "Layers": ["layer.tar"]}]);
        let image = archive(&[
            ("config.json", config.to_string().as_bytes()),
            ("layer.tar", &layer),
            ("manifest.json", manifest.to_string().as_bytes()),
        ]);
        let mut load = Command::new("docker");
        let load = load.args(["load", "--quiet"]).stdin(Stdio::piped());
        let mut load = load.stdout(Stdio::null()).spawn().unwrap();
        load.stdin.take().unwrap().write_all(&image).unwrap();
        assert!(load.wait().unwrap().success());
        Self(name)
    }
}

impl Drop for LoadedImage {
    fn drop(&mut self) {
        let _ = try_docker(&["rmi", "--force", &self.0]);
    }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A name that no other test uses.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "hf2ms-test-{what}-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A Docker network and the sandbox in it. Both go with this value.
pub struct Network {
    /// The network's name.
    pub name: String,
    /// The sandbox's container.
    pub sandbox: String,
    /// The sandbox's address in it, which this machine reaches too.
    pub address: String,
}

impl Network {
    fn new() -> Self {
        let (name, sandbox) = (unique("network"), unique("sandbox"));
        // Somebody else may have a network that overlaps: then another is tried.
        for attempt in 0..50 {
            let part = (std::process::id() + attempt * 41) % 250;
            let (subnet, address) = (format!("10.213.{part}.0/24"), format!("10.213.{part}.2"));
            if try_docker(&[
                "network", "create", "--label", LABEL, "--subnet", &subnet, &name,
            ])
            .is_ok()
            {
                return Self {
                    name,
                    sandbox,
                    address,
                };
            }
        }
        panic!("no Docker network could be made: look at docker network ls");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A test that failed may leave workers beside the sandbox, and a network goes only when it is empty.
        let here = format!("network={}", self.name);
        let left = try_docker(&["ps", "--all", "--quiet", "--filter", &here]).unwrap_or_default();
        for container in left.lines() {
            let _ = try_docker(&["rm", "--force", container]);
        }
        let _ = try_docker(&["network", "rm", &self.name]);
    }
}

impl World {
    /// A world whose sandbox is a container: this machine and the containers of [`World::network`] reach it alike.
    pub fn in_docker() -> Self {
        let network = Network::new();
        let host = network.address.clone();
        Self::in_network(network, &host)
    }

    /// The same, but known to other containers by the name `sandbox`, which this machine can't resolve.
    pub fn in_docker_by_name() -> Self {
        Self::in_network(Network::new(), "sandbox")
    }

    fn in_network(network: Network, host: &str) -> Self {
        let mut command = Command::new("docker");
        // Its stdin is this process: when that goes, the sandbox ends and its container with it.
        command.args([
            "run",
            "--rm",
            "--interactive",
            "--label",
            LABEL,
            "--name",
            &network.sandbox,
        ]);
        command.args([
            "--network",
            &network.name,
            "--ip",
            &network.address,
            "--network-alias",
            "sandbox",
        ]);
        command.args([
            &image("hf2ms-sandbox"),
            "--parent-stdin",
            "--advertise",
            host,
        ]);
        let mut world = Self::started(&mut command, tempfile::tempdir().unwrap());
        world.addresses["admin"] = format!("http://{}:{PORT_OF_ADMIN}", network.address).into();
        world.network = Some(network);
        world
    }

    /// The network that the sandbox's container is in.
    pub fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }
}
