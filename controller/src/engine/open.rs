//! Who does the work of one run: the engine that was asked for, opened before anything is created anywhere.

use std::sync::Arc;

use hf2ms_worker::plan::Plan;
use tokio::sync::{Mutex, OnceCell};

use crate::args::revisions::RevisionScope;
use crate::args::workers::{ContainerArgs, EngineKind, WorkerArgs};
use crate::binaries::{WORKER, find, static_worker};
use crate::engine::Engine;
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::local::Local;
use crate::engine::modal::engine::ModalEngine;
use crate::engine::modal::{Deployment, Modal};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::engine::remote::DetachMode;
use crate::runs::{JournalEntry, RunDir, Runs};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// Who does the work.
pub enum Runner {
    /// Workers that are given one job after the other from here.
    Engine(Box<dyn Engine>),
    /// Calls in the cloud, all submitted at once.
    Remote(Arc<Modal>, Deployment, DetachMode),
}

/// What the repos of one command share.
#[derive(Default)]
pub struct RunnerCache {
    /// Modal with its app, opened for the first repo.
    cloud: OnceCell<(Arc<Modal>, Deployment)>,
    /// One engine is opened at a time: what the first one makes, an image say, the others find.
    opening: Mutex<()>,
}

/// What a crew is opened for.
pub struct RunnerSpec<'a> {
    /// Where.
    pub worker_args: &'a WorkerArgs,
    /// How many at a time.
    pub workers: usize,
    /// Of how much of the repo it is a part: all revisions of one are written in turn, from here.
    pub revisions: RevisionScope,
    /// What other repos of this command have opened.
    pub shared: &'a RunnerCache,
    /// What containers of Docker are made of.
    pub containers: &'a ContainerArgs,
    /// What it will do.
    pub plan: &'a Plan,
    /// Whose logs it writes.
    pub run: &'a RunDir,
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// Where words go.
    pub screen: &'a Screen,
    /// When to stop.
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
                let open = || stop.unless(deployed(workers, run, settings, screen));
                let (modal, deployment) = shared.cloud.get_or_try_init(open).await?.clone();
                if revisions == RevisionScope::All {
                    let (app, containers) = (deployment.app.clone(), deployment.containers as u64);
                    run.note(&JournalEntry::Deployed {
                        app: app.clone(),
                        containers,
                    })?;
                    return Ok(Self::Engine(Box::new(ModalEngine::new(
                        modal,
                        app,
                        workers,
                        stop.clone(),
                    ))));
                }
                Ok(Self::Remote(modal, deployment, watch))
            }
        }
    }

    /// Workers at a time.
    pub fn workers(&self) -> u64 {
        match self {
            Self::Engine(engine) => engine.workers() as u64,
            Self::Remote(_, deployment, _) => deployment.containers as u64,
        }
    }
}

/// Modal, with the app for so many containers.
///
/// # Errors
/// It can't be reached, or something that it needs is missing.
pub async fn deployed(
    workers: usize,
    run: &RunDir,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<(Arc<Modal>, Deployment)> {
    let network = NetworkSettings::of(&environment, Location::Cloud).await;
    network.left_out.iter().for_each(|line| screen.warn(line));
    let deployment = Deployment::new(static_worker()?, workers, settings, network);
    let modal = Modal::open(&state_dir(&environment)?, &run.log("bridge"), settings).await?;
    screen.status(format!(
        "deploying {} to Modal, unless it is there already",
        deployment.app
    ));
    modal.deploy(&deployment).await?;
    Ok((Arc::new(modal), deployment))
}
