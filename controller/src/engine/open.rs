//! The runner of a run: the engine of the command line, opened before anything is created anywhere.

use hf2ms_hub::Hub;
use hf2ms_worker::plan::Plan;
use tokio::sync::Mutex;

use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::binaries::find_worker;
use crate::engine::Engine;
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::local::Local;
use crate::engine::modal::AppSize;
use crate::engine::modal::container_size::finalizer;
use crate::engine::remote::DetachMode;
use crate::engine::remote::app::DeployedApp;
use crate::engine::remote::engine::ModalEngine;
use crate::runs::{RunDir, Runs};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// What does the jobs of a run.
pub enum Runner {
    /// An engine that is given one job after the other by this process.
    Engine(Box<dyn Engine>),
    /// An app in the cloud that is given all calls at once.
    Remote(DeployedApp, DetachMode),
}

/// The hubs of a run: source and destination.
type Hubs = (Hub, Hub);

/// What the repos of one command share.
#[derive(Default)]
pub struct RunnerCache {
    /// The apps on Modal by their hubs, source and destination, and the MiB of their finalizers: each is deployed for the first
    /// repo of these hubs and that size.
    apps: Mutex<Vec<((Hubs, u64), DeployedApp)>>,
    /// Engines are opened one after the other: an image that the first one builds is there for the next.
    opening: Mutex<()>,
}

/// How the chunks of a run become calls on Modal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallMode {
    /// All are submitted with the call that ends the run: they go on without this process.
    AllAtOnce,
    /// Each is submitted when a worker is free, and waited for.
    OneByOne,
}

/// What a runner is opened for.
pub struct RunnerSpec<'a> {
    /// The engine.
    pub worker_args: &'a WorkerArgs,
    /// Workers at a time.
    pub workers: usize,
    /// Whether all calls on Modal are submitted at once, or each chunk is one that this process waits for.
    pub calls: CallMode,
    /// What the runners of other repos have opened.
    pub shared: &'a RunnerCache,
    /// The image and the network of Docker's containers.
    pub containers: &'a ContainerArgs,
    /// The plan of the run.
    pub plan: &'a Plan,
    /// The bytes of memory for files that the run's last worker needs.
    pub files_memory: u64,
    /// The folder of the run, for its logs.
    pub run: &'a RunDir,
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// Where messages go.
    pub screen: &'a Screen,
    /// The flag that ends the work.
    pub stop: &'a Stop,
}

impl Runner {
    /// Opens the engine of the command line.
    ///
    /// # Errors
    /// It can't be reached, or a program that it needs is missing.
    pub async fn open(spec: RunnerSpec<'_>, detach: DetachMode) -> CliResult<Self> {
        match spec.worker_args.on {
            EngineKind::Local => Ok(Self::Engine(Box::new(spec.local()?))),
            EngineKind::Docker => Ok(Self::Engine(Box::new(spec.docker().await?))),
            EngineKind::Modal => {
                let app = spec.app().await?;
                if spec.calls == CallMode::AllAtOnce {
                    return Ok(Self::Remote(app, detach));
                }
                app.note(spec.run)?;
                let engine = ModalEngine::new(app, spec.workers, spec.stop.clone());
                Ok(Self::Engine(Box::new(engine)))
            }
        }
    }

    /// Workers at a time.
    pub fn workers(&self) -> u64 {
        match self {
            Self::Engine(engine) => engine.workers() as u64,
            Self::Remote(app, _) => app.containers(),
        }
    }
}

impl RunnerSpec<'_> {
    /// What workers of this run need: the tokens of its hubs.
    fn settings_of_job(&self) -> Settings {
        let (source, destination) = self.hubs();
        self.settings.of_job(source, destination)
    }

    fn hubs(&self) -> Hubs {
        (self.plan.source.hub, self.plan.destination.hub)
    }

    fn local(&self) -> CliResult<Local> {
        Ok(Local {
            binary: find_worker()?,
            workers: self.workers,
            logs: Some(self.run.path().join("logs")),
            settings: self.settings_of_job(),
            stop: self.stop.clone(),
        })
    }

    async fn docker(&self) -> CliResult<Docker> {
        let runs = Runs::new(&state_dir(&environment)?);
        let options = DockerOptions {
            workers: self.workers,
            memory: self.plan.options.memory,
            files_memory: self.files_memory,
            scratch: self.plan.options.scratch,
            settings: self.settings_of_job(),
            stop: self.stop.clone(),
        };
        let owner = ContainerOwner {
            runs: &runs,
            run: Some(self.run),
        };
        let _alone = self.shared.opening.lock().await;
        let docker = Docker::open(self.containers, options, owner, self.screen);
        self.stop.unless(docker).await
    }

    async fn app(&self) -> CliResult<DeployedApp> {
        let mut apps = self.shared.apps.lock().await;
        let finalizer = finalizer(self.files_memory);
        let of = (self.hubs(), finalizer.mib);
        if let Some((_, app)) = apps.iter().find(|(other, _)| *other == of) {
            return Ok(app.clone());
        }
        let settings = self.settings_of_job();
        let size = AppSize {
            containers: self.workers,
            finalizer,
        };
        let deploy = DeployedApp::deploy(size, self.run, &settings, self.screen);
        let app = self.stop.unless(deploy).await?;
        apps.push((of, app.clone()));
        Ok(app)
    }
}
