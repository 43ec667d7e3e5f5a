//! The app of a run in the cloud.

use std::sync::Arc;

use super::RemoteRun;
use crate::binaries::{Architecture, static_worker};
use crate::engine::modal::{AppSize, Deployment, Modal};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::runs::{JournalEntry, RunDir};
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// An app that is deployed on Modal. A clone is the same app.
#[derive(Clone)]
pub struct DeployedApp {
    /// Modal, connected.
    pub modal: Arc<Modal>,
    deployment: Arc<Deployment>,
}

impl DeployedApp {
    /// Connects to Modal, and deploys the app of this size unless it is there.
    ///
    /// # Errors
    /// Modal refuses or can't be reached, or a program that it needs is missing.
    pub async fn deploy(
        size: AppSize,
        run: &RunDir,
        settings: &Settings,
        screen: &Screen,
    ) -> CliResult<Self> {
        let network = NetworkSettings::of(&environment, Location::Cloud).await;
        network.left_out.iter().for_each(|line| screen.warn(line));
        let worker = static_worker(Architecture::X86_64)?;
        let deployment = Deployment::new(worker, size, settings, network);
        let modal = Modal::open(&state_dir(&environment)?, &run.log("bridge"), settings).await?;
        screen.status(format!(
            "deploying {} to Modal, unless it is there already",
            deployment.app
        ));
        modal.deploy(&deployment).await?;
        Ok(Self {
            modal: Arc::new(modal),
            deployment: Arc::new(deployment),
        })
    }

    /// The name of the app.
    pub fn name(&self) -> &str {
        &self.deployment.app
    }

    /// Containers at a time.
    pub fn containers(&self) -> u64 {
        self.deployment.size.containers as u64
    }

    /// Notes in the journal that the run uses this app.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn note(&self, run: &RunDir) -> CliResult<()> {
        run.note(&JournalEntry::Deployed {
            app: self.name().to_owned(),
            containers: self.containers(),
        })
    }

    /// Begins a run on this app.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn begin<'a>(
        &'a self,
        run: &'a RunDir,
        screen: &'a Screen,
        stop: &'a Stop,
    ) -> CliResult<RemoteRun<'a>> {
        self.note(run)?;
        Ok(RemoteRun {
            modal: &self.modal,
            app: self.name(),
            containers: self.containers(),
            run,
            screen,
            stop,
        })
    }
}

/// The app that a journal names, and how many containers it may have.
pub fn noted_app(journal: &[JournalEntry]) -> Option<(String, u64)> {
    journal.iter().rev().find_map(|entry| match entry {
        JournalEntry::Deployed { app, containers } => Some((app.clone(), *containers)),
        _ => None,
    })
}
