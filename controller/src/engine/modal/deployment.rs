//! The app that is deployed: its two programs, which this binary contains, the worker, and the size of its containers. It is
//! named by all of that, so that a run never meets another version of itself.

use std::fs;
use std::path::{Path, PathBuf};

use hf2ms_hub::{Sha256, Token};
use serde_json::{Value, json};

use super::container_size::{ContainerSize, WORKER, finalizer};
use crate::binaries::StaticWorker;
use crate::engine::network_settings::NetworkSettings;
use crate::runs::{create_private, write_aside};
use crate::settings::{PASSED_ON, Settings, environment};
use crate::ui::errors::{CliError, CliResult};

const APP: &str = include_str!("../../../embedded/app.py");
const BRIDGE: &str = include_str!("../../../embedded/bridge.py");

/// Cores: reserved, and at most.
const CPU: [f64; 2] = [WORKER.cores, 4.0];
/// MiB of memory: reserved, and at most. The worker keeps under 128; the rest is Python.
const MEMORY: [u64; 2] = [WORKER.mib, 1024];

/// Digits of the digest by which an app is named.
const MARK: usize = 12;

/// MiB that a finalizer may have at least. It may have some times what it reserves: results pass through Python there.
const FINALIZER_LIMIT: u64 = 4096;
const FINALIZER_HEADROOM: u64 = 4;

/// The size of an app.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppSize {
    /// Containers at a time that carry chunks.
    pub containers: usize,
    /// The container that ends a run.
    pub finalizer: ContainerSize,
}

impl AppSize {
    /// So many containers, and a finalizer of the smallest size.
    pub fn of(containers: usize) -> Self {
        Self {
            containers,
            finalizer: finalizer(0),
        }
    }

    /// MiB of memory of the finalizer: reserved, and at most.
    fn finalizer_memory(self) -> [u64; 2] {
        let most = self.finalizer.mib.saturating_mul(FINALIZER_HEADROOM);
        [self.finalizer.mib, most.max(FINALIZER_LIMIT)]
    }
}

/// One app, as it is to be deployed.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its name.
    pub app: String,
    /// Its containers.
    pub size: AppSize,
    worker: PathBuf,
    /// What containers get besides tokens: the endpoints that those are for, and what they need of the network.
    variables: Vec<(&'static str, String)>,
}

impl Deployment {
    /// The app for this worker and of this size, with these settings' tokens and these of the network.
    pub fn new(
        worker: StaticWorker,
        size: AppSize,
        settings: &Settings,
        network: NetworkSettings,
    ) -> Self {
        let token = |(_, token): (_, Option<Token>)| {
            token.map(|token| Sha256::of(token.expose().as_bytes()).to_string())
        };
        let tokens: Vec<_> = settings.token_variables().into_iter().map(token).collect();
        let patience = PASSED_ON.map(environment);
        let variables = [settings.endpoint_variables(), network.variables].concat();
        let all = json!([
            Sha256::of(&worker.content).to_string(),
            APP,
            size.containers,
            CPU,
            MEMORY,
            size.finalizer_memory(),
            tokens,
            patience,
            variables
        ])
        .to_string();
        let version = env!("CARGO_PKG_VERSION").replace('.', "-");
        let mark = Sha256::of(all.as_bytes()).to_string();
        Self {
            app: format!("hf2ms-{version}-{}", &mark[..MARK]),
            size,
            worker: worker.path,
            variables,
        }
    }

    /// The request to the bridge.
    pub fn request(&self) -> Value {
        let variables: Value = self.variables.iter().cloned().collect();
        let (app, worker, size) = (&self.app, &self.worker, self.size);
        json!({"verb": "deploy", "app": app, "worker": worker, "containers": size.containers, "cpu": CPU, "memory": MEMORY,
            "finalizer": size.finalizer_memory(), "variables": variables})
    }
}

/// The version of this program that deployed an app of this name; `None` for an app of something else.
pub fn version_of_app(name: &str) -> Option<String> {
    let (version, mark) = name.strip_prefix("hf2ms-")?.rsplit_once('-')?;
    let is_mark = mark.len() == MARK && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mark.then(|| version.replacen('-', ".", 2))
}

/// Writes the programs below `home`, in a folder named by their content, and returns it.
///
/// # Errors
/// The disk's.
pub fn unpack(home: &Path) -> CliResult<PathBuf> {
    let mark = Sha256::of([APP, BRIDGE].concat().as_bytes()).to_string();
    let folder = home.join("modal").join(&mark[..12]);
    create_private(&folder)?;
    for (name, program) in [("app.py", APP), ("bridge.py", BRIDGE)] {
        let path = folder.join(name);
        if fs::read(&path).ok().as_deref() != Some(program.as_bytes()) {
            let write = |file: &mut std::io::BufWriter<fs::File>| {
                std::io::Write::write_all(file, program.as_bytes())
            };
            write_aside(&path, write).map_err(|error| CliError::state_file(&path, &error))?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn app(worker: &str, containers: usize, token: &str, proxy: &str, files_memory: u64) -> String {
        let settings =
            Settings::read(&|name| (name == "HF_TOKEN").then(|| token.to_owned())).unwrap();
        let worker = StaticWorker {
            path: "/w".into(),
            content: worker.into(),
        };
        let network = NetworkSettings {
            variables: vec![("HTTPS_PROXY", proxy.to_owned())],
            left_out: None,
        };
        let size = AppSize {
            containers,
            finalizer: finalizer(files_memory),
        };
        Deployment::new(worker, size, &settings, network).app
    }

    #[test]
    fn an_app_is_named_by_all_that_it_is() {
        let others = [
            app("two", 4, "hf_a", "", 0),
            app("one", 5, "hf_a", "", 0),
            app("one", 4, "hf_b", "", 0),
            app("one", 4, "hf_a", "p:1", 0),
            app("one", 4, "hf_a", "", 1 << 30),
        ];
        let names = [&[app("one", 4, "hf_a", "", 0)], &others[..]].concat();
        assert_eq!(
            names.iter().collect::<std::collections::HashSet<_>>().len(),
            6
        );
        assert_eq!(names[0], app("one", 4, "hf_a", "", 9));
        assert!(
            names[0].starts_with("hf2ms-0-") && !names[0].contains("hf_a"),
            "{names:?}"
        );
        let version = version_of_app(&names[0]);
        assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn the_programs_are_there_after_unpacking_twice() {
        let home = tempfile::tempdir().unwrap();
        let folder = unpack(home.path()).unwrap();
        assert_eq!(unpack(home.path()).unwrap(), folder);
        assert_eq!(fs::read_to_string(folder.join("app.py")).unwrap(), APP);
        for folder in [&folder, folder.parent().unwrap()] {
            let mode = fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }
}
