//! The container of a worker: it can write nowhere, has no capability that moving bytes does not need, and its labels name
//! the run and the chunk.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, ContainerState, HostConfig, HostConfigLogConfig};

use crate::engine::output::ExitStatus;

/// The label with the identity of the state folder that a container's run is kept in.
pub const CONTROLLER: &str = "hf2ms.controller";
/// The label with the run.
pub const RUN: &str = "hf2ms.run";
/// The label with the worker's verb.
pub const VERB: &str = "hf2ms.verb";
/// The label with the chunk's number, from 0.
pub const CHUNK: &str = "hf2ms.chunk";

/// Threads and processes of one worker: a thread a core, and those that read files and names.
const PIDS: i64 = 512;

/// The settings that the containers of one run share.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerTemplate {
    /// The image they are made of.
    pub image: String,
    /// The network they are in; else the daemon's own.
    pub network: Option<String>,
    /// The memory in bytes of a container that carries a chunk; more kills it.
    pub memory: u64,
    /// What others have besides: the finalizer knows every file.
    pub files_memory: u64,
    /// How many of these bytes files in its temporary folder may take; without them it can write nowhere.
    pub scratch: Option<u64>,
    /// CPUs that each may use.
    pub cpus: f64,
    /// The identity of the state folder of the run.
    pub controller: String,
    /// The run.
    pub run: String,
}

/// The command of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The worker's verb.
    pub verb: String,
    /// Its further arguments.
    pub args: Vec<String>,
    /// The chunk, if it is about one.
    pub chunk: Option<u32>,
    /// The part of its name and its log's name that names the command.
    pub label: String,
}

impl ContainerTemplate {
    /// The name of the container for a command; `serial` distinguishes attempts.
    pub fn name(&self, spec: &ContainerSpec, serial: u32) -> String {
        format!("hf2ms-{}-{}-{serial}", self.run.to_lowercase(), spec.label)
    }

    /// The container for a command. It holds no secret, because every user of the daemon can read it.
    pub fn container(&self, spec: &ContainerSpec) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(self.image.clone()),
            cmd: Some(
                [&spec.verb]
                    .into_iter()
                    .chain(&spec.args)
                    .cloned()
                    .collect(),
            ),
            labels: Some(self.labels(spec)),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            // The end of the line that we hold is the end of the worker's input.
            stdin_once: Some(true),
            tty: Some(false),
            host_config: Some(self.limits(spec)),
            ..ContainerCreateBody::default()
        }
    }

    fn labels(&self, spec: &ContainerSpec) -> HashMap<String, String> {
        let own = [
            (CONTROLLER, &self.controller),
            (RUN, &self.run),
            (VERB, &spec.verb),
        ];
        let chunk = spec
            .chunk
            .map(|number| (CHUNK.to_owned(), number.to_string()));
        own.into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .chain(chunk)
            .collect()
    }

    /// The memory of the container for a command, in bytes.
    fn memory_of(&self, spec: &ContainerSpec) -> u64 {
        match spec.chunk {
            Some(_) => self.memory,
            None => self.memory.saturating_add(self.files_memory),
        }
    }

    fn limits(&self, spec: &ContainerSpec) -> HostConfig {
        let memory = i64::try_from(self.memory_of(spec)).unwrap_or(i64::MAX);
        HostConfig {
            readonly_rootfs: Some(true),
            tmpfs: self.scratch.map(|bytes| {
                [(
                    "/tmp".to_owned(),
                    format!("rw,noexec,nosuid,nodev,mode=1777,size={bytes}"),
                )]
                .into()
            }),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: Some(memory),
            memory_swap: Some(memory),
            nano_cpus: Some((self.cpus * 1e9) as i64),
            pids_limit: Some(PIDS),
            // Output comes by the attached streams: the daemon keeps none of it on its disk.
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            network_mode: self.network.clone(),
            ..HostConfig::default()
        }
    }

    /// The exit status of a command whose container is in this state.
    pub fn exit_status(&self, spec: &ContainerSpec, state: &ContainerState) -> ExitStatus {
        let code = state
            .exit_code
            .and_then(|code| i32::try_from(code).ok())
            .unwrap_or(-1);
        match (
            state.oom_killed,
            state.error.as_deref().filter(|error| !error.is_empty()),
            code,
        ) {
            (Some(true), _, 1..) => ExitStatus::unseen(format!(
                "out of memory: it may have {} MiB",
                self.memory_of(spec) >> 20
            )),
            (_, Some(error), _) => ExitStatus::unseen(hf2ms_hub::path::escape(error)),
            // A shell's way to say that a signal ended it, which is the daemon's too; 130 is the worker's own.
            (_, _, 129 | 131..) => ExitStatus::killed(code - 128),
            _ => ExitStatus::exited(code),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn template() -> ContainerTemplate {
        let (image, controller, run) = ("i".to_owned(), "c".to_owned(), "01K".to_owned());
        ContainerTemplate {
            image,
            network: Some("n".to_owned()),
            memory: 256 << 20,
            files_memory: 100 << 20,
            scratch: None,
            cpus: 0.5,
            controller,
            run,
        }
    }

    pub(crate) fn spec() -> ContainerSpec {
        let args = vec!["--attached".to_owned()];
        ContainerSpec {
            verb: "run".to_owned(),
            args,
            chunk: Some(3),
            label: "run-0003".to_owned(),
        }
    }

    #[test]
    fn a_container_may_do_nothing_but_work() {
        let body = template().container(&spec());
        let host = body.host_config.clone().unwrap();
        assert_eq!(
            (host.readonly_rootfs, host.cap_drop),
            (Some(true), Some(vec!["ALL".to_owned()]))
        );
        assert_eq!(host.security_opt.unwrap(), ["no-new-privileges"]);
        assert_eq!(
            (host.memory, host.memory_swap, host.nano_cpus),
            (Some(256 << 20), Some(256 << 20), Some(500_000_000))
        );
        assert_eq!(
            (
                host.log_config.unwrap().typ.unwrap(),
                host.network_mode.unwrap()
            ),
            ("none".to_owned(), "n".to_owned())
        );
        assert_eq!(
            (body.open_stdin, body.stdin_once, body.tty),
            (Some(true), Some(true), Some(false))
        );
        assert!(
            body.env.is_none(),
            "what is said there can be read by all who use the daemon"
        );
    }

    #[test]
    fn a_container_can_write_only_where_a_plan_wants_room_and_that_is_bounded() {
        let tmpfs = |scratch| {
            ContainerTemplate {
                scratch,
                ..template()
            }
            .container(&spec())
            .host_config
            .unwrap()
            .tmpfs
        };
        assert_eq!(tmpfs(None), None);
        let room = tmpfs(Some(9 << 20)).unwrap();
        assert_eq!(
            room["/tmp"],
            "rw,noexec,nosuid,nodev,mode=1777,size=9437184"
        );
    }

    #[test]
    fn a_container_that_is_about_no_chunk_has_room_for_every_file() {
        let finalize = ContainerSpec {
            chunk: None,
            ..spec()
        };
        let host = template().container(&finalize).host_config.unwrap();
        assert_eq!(host.memory, Some(356 << 20));
    }

    #[test]
    fn a_container_names_its_run() {
        assert_eq!(template().name(&spec(), 7), "hf2ms-01k-run-0003-7");
        let labels = template().container(&spec()).labels.unwrap();
        let of = |name: &str| labels[name].as_str();
        assert_eq!(
            (of(CONTROLLER), of(RUN), of(VERB), of(CHUNK)),
            ("c", "01K", "run", "3")
        );
    }

    #[test]
    fn an_exit_status_says_how_the_container_ended() {
        let exit_status = |code: i64, oom_killed: bool, error: &str| {
            let state = ContainerState {
                exit_code: Some(code),
                oom_killed: Some(oom_killed),
                error: Some(error.to_owned()),
                ..Default::default()
            };
            template().exit_status(&spec(), &state)
        };
        assert_eq!(
            exit_status(137, true, "").how,
            "out of memory: it may have 256 MiB"
        );
        assert_eq!(
            exit_status(0, true, ""),
            ExitStatus::exited(0),
            "something in it was killed, but it went on and ended well"
        );
        assert_eq!(
            (
                exit_status(137, false, "").how,
                exit_status(143, false, "").how
            ),
            ("killed by signal 9".into(), "killed by signal 15".into())
        );
        assert_eq!(
            (exit_status(130, false, ""), exit_status(3, false, "")),
            (ExitStatus::exited(130), ExitStatus::exited(3))
        );
        assert_eq!(
            exit_status(128, false, "exec: no such file").how,
            "exec: no such file"
        );
    }
}
