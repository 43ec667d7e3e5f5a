//! Workers in containers, one a job, through the Docker Engine API. A container's standard
//! input is attached as a local worker's is: settings and the job go in, and its end asks the worker to stop.

mod cleanup;
mod container;
mod conversation;
mod daemon;
mod image;
mod network;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{Event, Memory};
use tokio::runtime::{Handle, RuntimeFlavor};
use ulid::Ulid;

use super::job::{Ended, WorkerCommand, WorkerJob, WorkerOutput};
use super::lifeline::WorkerInput;
use super::network_settings::NetworkSettings;
use super::output::{StopRequest, classify};
use super::{Engine, Listener, Network};
use crate::args::workers::ContainerArgs;
use crate::runs::{RunDir, Runs};
use crate::settings::{Settings, environment};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;
use container::{ContainerSpec, ContainerTemplate};
use conversation::ContainerResult;
use daemon::{Daemon, DaemonError, understood};
use image::Image;
use network::{network, variables};

/// A worker's budget is for its buffers and itself; what else a container has, the page cache of sockets say, is not more than that.
const MEMORY_OF_BUDGET: u64 = 2;
/// How long the removal of interrupted containers may take.
const CLEARING: Duration = Duration::from_secs(20);

/// Workers in containers.
pub struct Docker {
    daemon: Daemon,
    image: Image,
    template: ContainerTemplate,
    network: NetworkSettings,
    terms: DockerOptions,
    logs: Option<PathBuf>,
    begun: AtomicU32,
    /// Interrupted containers: they are removed when the engine is dropped.
    orphans: Mutex<Vec<String>>,
}

/// On what terms containers work.
#[derive(Clone)]
pub struct DockerOptions {
    /// Containers at a time.
    pub workers: usize,
    /// The budget of each.
    pub memory: Memory,
    /// Bytes that those besides get which know every file.
    pub files_memory: u64,
    /// Bytes that each may write in a folder that counts as memory.
    pub scratch: Option<Memory>,
    /// The tokens they get, and that no log keeps.
    pub settings: Settings,
    /// When to stop.
    pub stop: Stop,
}

/// Whose containers they are.
#[derive(Clone, Copy)]
pub struct ContainerOwner<'a> {
    /// Where runs are kept.
    pub runs: &'a Runs,
    /// The run; none for a look around.
    pub run: Option<&'a RunDir>,
}

impl Docker {
    /// Finds the daemon, the image and the network, clears what killed runs have left, and tries a container: whatever is
    /// wrong is found before anything is created elsewhere.
    ///
    /// # Errors
    /// One of them is not there, or the container can't work.
    pub async fn open(
        wish: &ContainerArgs,
        terms: DockerOptions,
        whose: ContainerOwner<'_>,
        screen: &Screen,
    ) -> CliResult<Self> {
        let ContainerOwner { runs, run } = whose;
        let daemon = Daemon::open(&environment, |warning| screen.warn(warning)).await?;
        let controller = runs.identity()?;
        for (run, count) in cleanup::sweep(&daemon, &controller, |run| !runs.is_alive(run)).await? {
            screen.status(cleanup::message(&run, count));
        }
        let image = match &wish.image {
            Some(name) => image::named(&daemon, name).await?,
            None => made(&daemon, screen).await?,
        };
        let network = network(&daemon, wish.network.as_deref()).await?;
        network.left_out.iter().for_each(|line| screen.warn(line));
        let cpus = (f64::from(daemon.cpus().await?) / terms.workers.max(1) as f64).max(1.0);
        let scratch = terms.scratch.map(|scratch| scratch.0);
        let memory = terms
            .memory
            .0
            .saturating_mul(MEMORY_OF_BUDGET)
            .saturating_add(scratch.unwrap_or(0));
        let id = run.map_or_else(|| Ulid::new().to_string(), |run| run.id().to_owned());
        let template = ContainerTemplate {
            image: image.name.clone(),
            network: wish.network.clone(),
            memory,
            files_memory: terms.files_memory,
            scratch,
            cpus,
            controller,
            run: id,
        };
        let mut docker = Self {
            daemon,
            image,
            template,
            network,
            terms,
            logs: None,
            begun: AtomicU32::new(0),
            orphans: Mutex::default(),
        };
        docker.try_out().await?;
        docker.logs = run.map(|run| run.path().join("logs"));
        Ok(docker)
    }

    /// The daemon, for the user.
    pub fn described(&self) -> String {
        format!("{} at {}", self.daemon.version, self.daemon)
    }

    /// The image of its containers.
    pub fn image(&self) -> &Image {
        &self.image
    }

    async fn try_out(&self) -> CliResult<()> {
        let spec = ContainerSpec {
            verb: "--version".to_owned(),
            args: Vec::new(),
            chunk: None,
            label: "trial".to_owned(),
        };
        let image = &self.image.name;
        let architecture = self.daemon.architecture;
        let cant = |why: &str| match self.image.other_processor(architecture, why) {
            Some(what) => CliError::usage(format!(
                "the image {image} {what} ({why}): give an --image for {}, or leave --image out to have it made",
                architecture.docker_name()
            )),
            None => CliError::new(
                hf2ms_worker::protocol::Exit::Incomplete,
                format!(
                    "a container of {image} can't work: {why}; check --image, or build the worker again with scripts/build-worker.sh"
                ),
            ),
        };
        let said = self
            .perform(&spec, WorkerInput::default(), &|_| ())
            .await
            .map_err(|trouble| cant(&trouble.to_string()))?;
        match said.exit_status.code {
            Some(0) => Ok(()),
            _ if self.terms.stop.is_asked() => Err(CliError::interrupted()),
            _ => Err(cant(&format!(
                "{} {}",
                said.exit_status.how, said.last_log_line
            ))),
        }
    }

    /// Has a container look whether it reaches these endpoints.
    ///
    /// # Errors
    /// It gave no answer; why.
    pub async fn check(&self, endpoints: &[String]) -> Result<Event, String> {
        let args = [&["--settings-on-stdin".to_owned()], endpoints].concat();
        let spec = ContainerSpec {
            verb: "check".to_owned(),
            args,
            chunk: None,
            label: "check".to_owned(),
        };
        let checked = Mutex::new(None);
        let hear = |event: &Event| {
            if matches!(event, Event::Checked { .. }) {
                *checked.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.clone());
            }
        };
        let told = WorkerInput {
            lines: &format!("{}\n", variables(&self.terms.settings, &self.network)),
            at_work: None,
        };
        let said = self
            .perform(&spec, told, &hear)
            .await
            .map_err(|trouble| trouble.to_string())?;
        let checked = checked.into_inner().unwrap_or_else(PoisonError::into_inner);
        checked.ok_or_else(|| format!("{} {}", said.exit_status.how, said.last_log_line))
    }

    async fn work_on(&self, job: &WorkerJob, listener: Listener<'_>) -> Ended {
        if self.terms.stop.is_asked() {
            return Ended::Stopped(WorkerOutput::default());
        }
        let spec = ContainerSpec {
            verb: job.verb.name().to_owned(),
            args: vec!["--attached".to_owned(), "--settings-on-stdin".to_owned()],
            chunk: (job.verb == WorkerCommand::Run).then_some(job.number),
            label: job.label(),
        };
        let variables = variables(&self.terms.settings, &self.network);
        let told = WorkerInput {
            lines: &format!("{variables}\n{}\n", job.json),
            at_work: job.at_work.as_ref(),
        };
        let asked = || {
            if self.terms.stop.is_asked() {
                StopRequest::Made
            } else {
                StopRequest::NotMade
            }
        };
        match self.perform(&spec, told, listener).await {
            Ok(ContainerResult {
                exit_status,
                output,
                last_log_line,
            }) => classify(asked(), &exit_status, output, &last_log_line),
            Err(_) if asked() == StopRequest::Made => Ended::Stopped(WorkerOutput::default()),
            Err(trouble @ (DaemonError::Denied | DaemonError::Refused(400..500, _))) => {
                Ended::Refused(Kind::Refused, trouble.to_string())
            }
            Err(trouble) => Ended::Crashed(trouble.to_string(), WorkerOutput::default()),
        }
    }

    /// Runs a command in a container of its own, which is removed before this returns.
    async fn perform(
        &self,
        spec: &ContainerSpec,
        told: WorkerInput<'_>,
        listener: Listener<'_>,
    ) -> Result<ContainerResult, DaemonError> {
        let name = self
            .template
            .name(spec, self.begun.fetch_add(1, Ordering::Relaxed));
        let mut held = Held {
            name,
            docker: self,
            is_there: true,
        };
        let options = CreateContainerOptionsBuilder::default()
            .name(&held.name)
            .build();
        let said = match understood(
            self.daemon
                .api
                .create_container(Some(options), self.template.container(spec))
                .await,
        ) {
            Ok(_) => self.converse(&held.name, spec, told, listener).await,
            Err(error) => Err(error),
        };
        held.is_there = cleanup::remove(&self.daemon, &held.name).await.is_err();
        said.map_err(|error| DaemonError::of(&error))
    }
}

impl Engine for Docker {
    fn workers(&self) -> usize {
        self.terms.workers
    }

    fn network(&self) -> Network {
        Network::OfEachWorker
    }

    fn work<'a>(&'a self, job: &'a WorkerJob, listener: Listener<'a>) -> BoxFuture<'a, Ended> {
        self.work_on(job, listener).boxed()
    }
}

/// A container that is removed when this is dropped, at the latest with the engine.
struct Held<'a> {
    name: String,
    docker: &'a Docker,
    is_there: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.is_there {
            self.docker
                .orphans
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(std::mem::take(&mut self.name));
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let orphans = std::mem::take(
            self.orphans
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let runtime = Handle::try_current()
            .ok()
            .filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        let (Some(runtime), false) = (runtime, orphans.is_empty()) else {
            return;
        };
        let cleared = tokio::time::timeout(CLEARING, clear(&self.daemon, orphans));
        // A container that is still there is found by its labels at the next start.
        tokio::task::block_in_place(|| runtime.block_on(cleared).unwrap_or_default());
    }
}

/// Removes containers; one whose creation was interrupted is waited for a little.
async fn clear(daemon: &Daemon, mut containers: Vec<String>) {
    for _ in 0..3 {
        let removed = join_all(containers.iter().map(|name| cleanup::remove(daemon, name))).await;
        containers = containers
            .into_iter()
            .zip(removed)
            .filter(|(_, removed)| !matches!(removed, Ok(true)))
            .map(|(name, _)| name)
            .collect();
        if containers.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The image of our own worker; says so when it had to be made.
async fn made(daemon: &Daemon, screen: &Screen) -> CliResult<Image> {
    let (image, is_new) = image::own(daemon).await?;
    if is_new {
        screen.status(format!("built image {}", image.name));
    }
    Ok(image)
}

/// Removes what a run has left in containers; says what.
///
/// # Errors
/// The daemon can't be asked, or can't remove one.
pub async fn clear_run(run: &str, runs: &Runs, screen: &Screen) -> CliResult<u64> {
    let daemon = Daemon::open(&environment, |warning| screen.warn(warning)).await?;
    let found = cleanup::sweep(&daemon, &runs.identity()?, |other| other == run).await?;
    found
        .iter()
        .for_each(|(run, count)| screen.status(cleanup::message(run, *count)));
    Ok(found.values().sum())
}
