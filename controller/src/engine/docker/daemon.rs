//! The Docker daemon: where it is, how it is reached, and its errors. `DOCKER_HOST` names it; without it the
//! usual sockets are tried: Docker's, rootless Docker's, podman's.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::API_DEFAULT_VERSION;
use bollard::errors::Error;
use hf2ms_hub::path::escape;
use hf2ms_worker::protocol::Exit;

use crate::binaries::Architecture;
use crate::platform::{System, docker_at, is_socket_there, places};
use crate::settings::GetVariable;
use crate::ui::errors::{CliError, CliResult};

/// Seconds that the daemon may take to answer. Starting a hundred containers keeps it busy.
const PATIENCE: u64 = 120;
/// How long it may take to answer for the first time.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A daemon that answers.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Its API. Requests name no version: each daemon speaks its own.
    pub api: bollard::Docker,
    /// Its version.
    pub version: String,
    /// The processor of its containers.
    pub architecture: Architecture,
    place: DaemonAddress,
}

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DaemonAddress {
    /// At this socket.
    Socket(PathBuf),
    /// At this host and port.
    Tcp(String),
}

/// Why the daemon can't be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonError {
    /// It is not there, or not any more.
    Away(String),
    /// We may not speak to it.
    Denied,
    /// It refuses, with this status and for this reason.
    Refused(u16, String),
}

impl Daemon {
    /// Reaches the daemon that the environment names. `screen` gets warnings about the connection.
    ///
    /// # Errors
    /// There is none, it can't be reached, or we may not speak to it.
    pub async fn open(get: GetVariable<'_>, warn: impl Fn(&str)) -> CliResult<Self> {
        let place = DaemonAddress::find(System::THIS, get, &is_socket_there)?;
        if place.is_open_to_listeners() {
            warn(&format!(
                "{place} is not encrypted: tokens can be read on the way; forward its socket with ssh and use unix://"
            ));
        }
        let api = place
            .connect()
            .map_err(|error| place.failure(&DaemonError::of(&error)))?;
        let version = match tokio::time::timeout(FIRST_ANSWER, api.version()).await {
            Ok(answer) => {
                understood(answer).map_err(|error| place.failure(&DaemonError::of(&error)))?
            }
            Err(_) => {
                return Err(place.failure(&DaemonError::Away(format!(
                    "no answer in {} s",
                    FIRST_ANSWER.as_secs()
                ))));
            }
        };
        let architecture = version.arch.as_deref().and_then(Architecture::named);
        Ok(Self {
            api,
            version: version.version.unwrap_or_default(),
            architecture: architecture.unwrap_or(Architecture::X86_64),
            place,
        })
    }

    /// The CPUs that its containers share.
    ///
    /// # Errors
    /// It does not say.
    pub async fn cpus(&self) -> CliResult<u32> {
        let info = understood(self.api.info().await).map_err(|error| self.failure(&error))?;
        Ok(info
            .ncpu
            .and_then(|cpus| u32::try_from(cpus).ok())
            .unwrap_or(1)
            .max(1))
    }

    /// The error of a command for an error of its API.
    pub fn failure(&self, error: &Error) -> CliError {
        self.place.failure(&DaemonError::of(error))
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl DaemonAddress {
    fn find(
        system: System,
        get: GetVariable<'_>,
        exists: &dyn Fn(&Path) -> bool,
    ) -> CliResult<Self> {
        let set = |name: &str| get(name).filter(|value| !value.trim().is_empty());
        if let Some(host) = set("DOCKER_HOST") {
            return Self::parse(system, host.trim(), set("DOCKER_TLS_VERIFY").is_some());
        }
        let sockets = places::daemon_sockets(system, &set);
        let found = sockets.iter().find(|socket| exists(socket));
        found.cloned().map(Self::Socket).ok_or_else(|| {
            let usual = sockets.first().map(|socket| socket.display().to_string());
            CliError::usage(format!(
                "there is no Docker here: neither {} nor a socket of podman; start one, or set DOCKER_HOST",
                usual.unwrap_or_default()
            ))
        })
    }

    fn parse(system: System, host: &str, encrypted: bool) -> CliResult<Self> {
        let tcp = host
            .strip_prefix("tcp://")
            .or_else(|| host.strip_prefix("http://"))
            .map(|rest| rest.trim_end_matches('/'));
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        match (host.strip_prefix(places::socket_scheme(system)), tcp) {
            (Some(path), _) if path.starts_with('/') => Ok(Self::Socket(path.into())),
            (None, Some(_)) if encrypted => Err(CliError::usage(
                "DOCKER_TLS_VERIFY is set, but Docker is not spoken to over TLS: forward its socket with ssh and use unix://",
            )),
            (None, Some(host)) if !host.is_empty() && host.chars().all(is_host) => {
                Ok(Self::Tcp(with_port(host)))
            }
            _ => Err(CliError::usage(format!(
                "DOCKER_HOST is '{}': expected {} or tcp://host:port",
                escape(host),
                places::socket_example(system)
            ))),
        }
    }

    /// Whether others may read the connection.
    fn is_open_to_listeners(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            Self::Tcp(host) => !["127.", "localhost:", "[::1]:"]
                .iter()
                .any(|own| host.starts_with(own)),
        }
    }

    fn connect(&self) -> Result<bollard::Docker, Error> {
        match self {
            Self::Socket(path) => docker_at(path, PATIENCE),
            Self::Tcp(host) => bollard::Docker::connect_with_http(
                &format!("tcp://{host}"),
                PATIENCE,
                API_DEFAULT_VERSION,
            ),
        }
    }

    fn failure(&self, trouble: &DaemonError) -> CliError {
        match trouble {
            DaemonError::Away(why) => CliError::new(
                Exit::Incomplete,
                format!("Docker can't be reached at {self}: {why}; start it, or set DOCKER_HOST"),
            ),
            DaemonError::Denied => CliError::refused(format!(
                "no permission to use Docker at {self}: join the group that owns it, or use sudo or podman"
            )),
            DaemonError::Refused(_, why) => CliError::new(
                Exit::Incomplete,
                format!("Docker at {self} refuses: {why}; check it with hf2ms doctor --on docker"),
            ),
        }
    }
}

impl fmt::Display for DaemonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => f.write_str(&escape(&path.to_string_lossy())),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

fn with_port(host: &str) -> String {
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    if has_port {
        host.to_owned()
    } else {
        format!("{host}:2375")
    }
}

impl DaemonError {
    /// The meaning of an error of the API.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => Self::Refused(*status_code, escape(message.trim())),
            Error::DockerStreamError { error } => Self::Refused(500, escape(error.trim())),
            Error::SocketNotFoundError(_) => Self::Away("there is no such socket".to_owned()),
            Error::RequestTimeoutError => Self::Away(format!("no answer in {PATIENCE} s")),
            other => match io_error(other) {
                Some(error) if error.kind() == ErrorKind::PermissionDenied => Self::Denied,
                Some(error) => Self::Away(error.to_string()),
                None => Self::Away(escape(&other.to_string())),
            },
        }
    }

    /// Whether the object of the request does not exist.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Refused(404, _))
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(why) => write!(f, "Docker can't be reached: {why}"),
            Self::Denied => f.write_str("no permission to use Docker"),
            Self::Refused(_, why) => write!(f, "Docker refuses: {why}"),
        }
    }
}

/// What an API's good answer says. One that lacks a field, or has a word, by which it can't be read says nothing: daemons of other
/// versions and makes have other fields than bollard wants, and hardly any of them is used here.
///
/// # Errors
/// Any other.
pub fn understood<T: Default>(answer: Result<T, Error>) -> Result<T, Error> {
    match answer {
        Err(Error::JsonDataError { message, .. }) => {
            tracing::warn!("an answer of Docker's is passed over: {message}");
            Ok(T::default())
        }
        answer => answer,
    }
}

fn io_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.filter_map(|error| error.downcast_ref()).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pairs: &[(&str, &str)], there: &[&str]) -> CliResult<String> {
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let exists = |path: &Path| there.iter().any(|known| Path::new(known) == path);
        DaemonAddress::find(System::Linux, &get, &exists).map(|place| place.to_string())
    }

    #[test]
    fn no_error_of_the_daemon_is_without_a_remedy() {
        let address = DaemonAddress::Socket("/var/run/docker.sock".into());
        for error in [
            DaemonError::Away("no answer".to_owned()),
            DaemonError::Denied,
            DaemonError::Refused(500, "no room".to_owned()),
        ] {
            // A new variant does not compile until it is above.
            match error {
                DaemonError::Away(_) | DaemonError::Denied | DaemonError::Refused(..) => (),
            }
            let line = address.failure(&error).to_string();
            assert!(
                crate::ui::errors::says_what_to_do(&line) && line.contains("/var/run/docker.sock"),
                "{line}"
            );
        }
    }

    #[test]
    fn the_usual_sockets_are_tried_in_their_order() {
        let runtime = [("XDG_RUNTIME_DIR", "/run/user/7")];
        let all = [
            "/run/podman/podman.sock",
            "/run/user/7/podman/podman.sock",
            "/run/user/7/docker.sock",
            "/var/run/docker.sock",
        ];
        for count in 1..=all.len() {
            assert_eq!(find(&runtime, &all[..count]).unwrap(), all[count - 1]);
        }
        assert!(
            find(&[], &all[1..3])
                .unwrap_err()
                .to_string()
                .contains("there is no Docker here")
        );
    }

    #[test]
    fn docker_host_wins_and_is_a_socket_or_a_host() {
        let host = |host: &str| find(&[("DOCKER_HOST", host)], &["/var/run/docker.sock"]);
        assert_eq!(host("unix:///s").unwrap(), "/s");
        assert_eq!(
            (host("tcp://h").unwrap(), host("tcp://h:1/").unwrap()),
            ("tcp://h:2375".into(), "tcp://h:1".into())
        );
        assert_eq!(
            (
                host("http://[::1]:9").unwrap(),
                host("tcp://[::1]").unwrap()
            ),
            ("tcp://[::1]:9".into(), "tcp://[::1]:2375".into())
        );
        assert_eq!(
            host(" ").unwrap(),
            "/var/run/docker.sock",
            "set to nothing is not set"
        );
        for bad in [
            "nonsense",
            "unix://relative",
            "ssh://me@host",
            "tcp://",
            "tcp://a b",
            "tcp://u:p@h",
            "unix://\u{1b}",
        ] {
            let failure = host(bad).unwrap_err();
            assert!(
                failure.exit() == Exit::Usage
                    && failure.to_string().starts_with("DOCKER_HOST is '"),
                "{failure}"
            );
            assert!(!failure.to_string().contains('\u{1b}'));
        }
        assert!(
            find(
                &[("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1")],
                &[]
            )
            .is_err()
        );
    }

    #[test]
    fn on_windows_a_socket_is_a_named_pipe() {
        let pipe = "//./pipe/docker_engine";
        let usual =
            DaemonAddress::find(System::Windows, &|_| None, &|path| path == Path::new(pipe));
        assert_eq!(usual.unwrap().to_string(), pipe);
        let parse = |host: &str| DaemonAddress::parse(System::Windows, host, false);
        let named = parse("npipe:////./pipe/other").unwrap();
        assert_eq!(named, DaemonAddress::Socket("//./pipe/other".into()));
        let line = parse("unix:///s").unwrap_err().to_string();
        assert!(
            line.contains("expected npipe:////./pipe/docker_engine or tcp://"),
            "{line}"
        );
    }

    #[test]
    fn only_the_way_through_a_network_is_warned_of() {
        for (host, open) in [
            ("tcp://127.0.0.1:1", false),
            ("tcp://localhost", false),
            ("tcp://10.0.0.1", true),
            ("unix:///s", false),
        ] {
            assert_eq!(
                DaemonAddress::parse(System::Linux, host, false)
                    .unwrap()
                    .is_open_to_listeners(),
                open,
                "{host}"
            );
        }
    }
}
