//! Where each operating system keeps things, and what it calls them.

use std::path::PathBuf;

use hf2ms_hub::platform::System;
use hf2ms_worker::settings::GetVariable;

/// What programs of Windows need of the environment besides what programs need everywhere.
const OF_WINDOWS: [&str; 10] = [
    "APPDATA",
    "ComSpec",
    "LOCALAPPDATA",
    "PATHEXT",
    "ProgramData",
    "SystemRoot",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "windir",
];

/// The variables that programs of this system need to run, besides those that all need.
pub fn variables(system: System) -> &'static [&'static str] {
    match system {
        System::Linux | System::MacOs => &[],
        System::Windows => &OF_WINDOWS,
    }
}

/// The user's own folder.
pub fn home(system: System, get: GetVariable<'_>) -> Option<PathBuf> {
    let name = match system {
        System::Linux | System::MacOs => "HOME",
        System::Windows => "USERPROFILE",
    };
    folder(name, get)
}

/// Where this program's options and logins are, unless the user says otherwise; `None` where no folder of the user's is known.
pub fn config_dir(system: System, get: GetVariable<'_>) -> Option<PathBuf> {
    match system {
        System::Linux => Some(home(system, get)?.join(".config/hf2ms")),
        System::MacOs => Some(library(get)?.join("hf2ms")),
        System::Windows => Some(folder("APPDATA", get)?.join("hf2ms")),
    }
}

/// Where its runs are, unless the user says otherwise; `None` where no folder of the user's is known.
pub fn state_dir(system: System, get: GetVariable<'_>) -> Option<PathBuf> {
    match system {
        System::Linux => Some(home(system, get)?.join(".local/state/hf2ms")),
        System::MacOs => Some(library(get)?.join("hf2ms/state")),
        System::Windows => Some(folder("LOCALAPPDATA", get)?.join("hf2ms")),
    }
}

fn library(get: GetVariable<'_>) -> Option<PathBuf> {
    Some(home(System::MacOs, get)?.join("Library/Application Support"))
}

fn folder(name: &str, get: GetVariable<'_>) -> Option<PathBuf> {
    get(name).filter(|set| !set.is_empty()).map(PathBuf::from)
}

/// What a socket of a daemon on this machine is called in `DOCKER_HOST`.
pub fn socket_scheme(system: System) -> &'static str {
    match system {
        System::Linux | System::MacOs => "unix://",
        System::Windows => "npipe://",
    }
}

/// An address of such a socket, for people.
pub fn socket_example(system: System) -> &'static str {
    match system {
        System::Linux | System::MacOs => "unix:///path/to/docker.sock",
        System::Windows => "npipe:////./pipe/docker_engine",
    }
}

/// The usual sockets of Docker and podman, in the order in which they are tried. The first one is Docker's.
pub fn daemon_sockets(system: System, get: GetVariable<'_>) -> Vec<PathBuf> {
    let below = |folder: Option<PathBuf>, names: [&'static str; 2]| {
        let folder = folder.into_iter();
        folder.flat_map(move |folder| names.map(|name| folder.join(name)))
    };
    match system {
        System::Linux => {
            let runtime = below(
                folder("XDG_RUNTIME_DIR", get),
                ["docker.sock", "podman/podman.sock"],
            );
            let docker = ["/var/run/docker.sock"].map(PathBuf::from).into_iter();
            let podman = [PathBuf::from("/run/podman/podman.sock")];
            docker.chain(runtime).chain(podman).collect()
        }
        // Docker Desktop makes the first one only where it may; Colima has a socket of its own.
        System::MacOs => {
            let docker = ["/var/run/docker.sock"].map(PathBuf::from).into_iter();
            let own = [".docker/run/docker.sock", ".colima/default/docker.sock"];
            docker.chain(below(home(system, get), own)).collect()
        }
        System::Windows => ["//./pipe/docker_engine", "//./pipe/podman-machine-default"]
            .map(PathBuf::from)
            .to_vec(),
    }
}

/// The name of a program's file.
pub fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// The command that starts Python.
pub fn python(system: System) -> &'static str {
    match system {
        System::Linux | System::MacOs => "python3",
        System::Windows => "python",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEMS: [System; 3] = [System::Linux, System::MacOs, System::Windows];

    fn get(name: &str) -> Option<String> {
        let set = [
            ("HOME", "/h"),
            ("USERPROFILE", "/u"),
            ("APPDATA", "/u/AppData/Roaming"),
            ("LOCALAPPDATA", "/u/AppData/Local"),
            ("XDG_RUNTIME_DIR", "/run/user/7"),
        ];
        let mut known = set.iter().filter(|(set, _)| *set == name);
        known.next().map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn each_system_has_its_own_folders_and_none_without_a_user() {
        let config = SYSTEMS.map(|system| config_dir(system, &get).unwrap());
        let folders = [
            "/h/.config/hf2ms",
            "/h/Library/Application Support/hf2ms",
            "/u/AppData/Roaming/hf2ms",
        ];
        assert_eq!(config, folders.map(PathBuf::from));
        let state = SYSTEMS.map(|system| state_dir(system, &get).unwrap());
        let folders = [
            "/h/.local/state/hf2ms",
            "/h/Library/Application Support/hf2ms/state",
            "/u/AppData/Local/hf2ms",
        ];
        assert_eq!(state, folders.map(PathBuf::from));
        for system in SYSTEMS {
            let nobody = |name: &str| get(name).map(|_| String::new());
            assert_eq!(config_dir(system, &nobody), None);
            assert_eq!(state_dir(system, &|_| None), None);
        }
    }

    #[test]
    fn each_system_has_its_own_sockets_of_docker() {
        let sockets = SYSTEMS.map(|system| {
            let all = daemon_sockets(system, &get).into_iter();
            all.map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            sockets,
            [
                vec![
                    "/var/run/docker.sock",
                    "/run/user/7/docker.sock",
                    "/run/user/7/podman/podman.sock",
                    "/run/podman/podman.sock"
                ],
                vec![
                    "/var/run/docker.sock",
                    "/h/.docker/run/docker.sock",
                    "/h/.colima/default/docker.sock"
                ],
                vec!["//./pipe/docker_engine", "//./pipe/podman-machine-default"],
            ]
        );
    }
}
