//! Who does the work of one run: the engine that was asked for, opened before anything is created anywhere.

use hf2ms_worker::plan::Plan;

use crate::binaries::{WORKER, find, static_worker};
use crate::cloud::Watch;
use crate::cutting::{ContainerArgs, CuttingArgs, On};
use crate::engine::Engine;
use crate::engine::docker::{Docker, Terms, Whose};
use crate::engine::local::Local;
use crate::engine::modal::{Deployment, Modal};
use crate::explain::Outcome;
use crate::run_dir::{RunDir, Runs};
use crate::screen::Screen;
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;

/// Who does the work.
pub enum Crew {
    /// Workers that are given one job after the other from here.
    Engine(Box<dyn Engine>),
    /// Calls in the cloud, all submitted at once.
    Cloud(Box<Modal>, Deployment, Watch),
}

/// What a crew is opened for.
pub struct Opening<'a> {
    /// Where and how many.
    pub cutting: &'a CuttingArgs,
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

impl Crew {
    /// Opens the engine.
    ///
    /// # Errors
    /// It can't be reached, or something that it needs is missing.
    pub async fn open(opening: Opening<'_>, watch: Watch) -> Outcome<Self> {
        let Opening { cutting, containers, plan, run, settings, screen, stop } = opening;
        let workers = cutting.workers(plan.summary().blob_bytes).min(plan.chunks.len()).max(1);
        match cutting.on {
            On::Local => {
                let (binary, logs) = (find(WORKER)?, run.path().join("logs"));
                Ok(Self::Engine(Box::new(Local { binary, workers, logs, settings: settings.clone(), stop: stop.clone() })))
            }
            On::Docker => {
                let (memory, runs) = (plan.options.memory, Runs::new(&state_dir(&environment)?));
                let terms = Terms { workers, memory, settings: settings.clone(), stop: stop.clone() };
                let docker = Docker::open(containers, terms, Whose { runs: &runs, run: Some(run) }, screen);
                Ok(Self::Engine(Box::new(stop.unless(docker).await?)))
            }
            On::Modal => {
                let deployment = Deployment::new(static_worker()?, workers, settings);
                let modal = stop.unless(Modal::open(&state_dir(&environment)?, &run.log("bridge"), settings)).await?;
                screen.say(format!("deploying {} to Modal, unless it is there already", deployment.app));
                stop.unless(modal.deploy(&deployment)).await?;
                Ok(Self::Cloud(Box::new(modal), deployment, watch))
            }
        }
    }

    /// Workers at a time.
    pub fn workers(&self) -> u64 {
        match self {
            Self::Engine(engine) => engine.workers() as u64,
            Self::Cloud(_, deployment, _) => deployment.containers as u64,
        }
    }
}
