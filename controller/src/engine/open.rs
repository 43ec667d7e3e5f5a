//! The runner of a run: the engine of the command line, opened before anything is created anywhere.

use hf2ms_worker::plan::Plan;
use tokio::sync::{Mutex, OnceCell};

use crate::args::revisions::RevisionScope;
use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::binaries::{WORKER, find};
use crate::engine::Engine;
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::local::Local;
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

/// What the repos of one command share.
#[derive(Default)]
pub struct RunnerCache {
    /// The app on Modal, deployed for the first repo.
    app: OnceCell<DeployedApp>,
    /// Engines are opened one after the other: an image that the first one builds is there for the next.
    opening: Mutex<()>,
}

/// What a runner is opened for.
pub struct RunnerSpec<'a> {
    /// The engine.
    pub worker_args: &'a WorkerArgs,
    /// Workers at a time.
    pub workers: usize,
    /// How much of the repo is copied: all revisions are written one after the other, by this process.
    pub revisions: RevisionScope,
    /// What the runners of other repos have opened.
    pub shared: &'a RunnerCache,
    /// The image and the network of Docker's containers.
    pub containers: &'a ContainerArgs,
    /// The plan of the run.
    pub plan: &'a Plan,
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
    /// Opens the engine.
    ///
    /// # Errors
    /// It can't be reached, or something that it needs is missing.
    pub async fn open(opening: RunnerSpec<'_>, watch: DetachMode) -> CliResult<Self> {
        let RunnerSpec {
            worker_args,
            workers,
            revisions,
            shared,
            containers,
            plan,
            run,
            settings,
            screen,
            stop,
        } = opening;
        match worker_args.on {
            EngineKind::Local => {
                let (binary, logs) = (find(WORKER)?, Some(run.path().join("logs")));
                Ok(Self::Engine(Box::new(Local {
                    binary,
                    workers,
                    logs,
                    settings: settings.clone(),
                    stop: stop.clone(),
                })))
            }
            EngineKind::Docker => {
                let (memory, scratch, runs) = (
                    plan.options.memory,
                    plan.options.scratch,
                    Runs::new(&state_dir(&environment)?),
                );
                let terms = DockerOptions {
                    workers,
                    memory,
                    scratch,
                    settings: settings.clone(),
                    stop: stop.clone(),
                };
                let _alone = shared.opening.lock().await;
                let docker = Docker::open(
                    containers,
                    terms,
                    ContainerOwner {
                        runs: &runs,
                        run: Some(run),
                    },
                    screen,
                );
                Ok(Self::Engine(Box::new(stop.unless(docker).await?)))
            }
            EngineKind::Modal => {
                let open = || stop.unless(DeployedApp::deploy(workers, run, settings, screen));
                let app = shared.app.get_or_try_init(open).await?.clone();
                if revisions == RevisionScope::One {
                    return Ok(Self::Remote(app, watch));
                }
                app.note(run)?;
                let engine = ModalEngine::new(app, workers, stop.clone());
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
