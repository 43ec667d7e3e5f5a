//! How a container reaches the hubs: its network, and the settings that its worker is told on standard input.

use super::daemon::{Daemon, DaemonError, understood};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::settings::{PASSED_ON, Settings, environment};
use crate::ui::errors::{CliError, CliResult};

/// The network settings for containers in `network`, or in the daemon's own network.
///
/// # Errors
/// There is no such network.
pub async fn network(daemon: &Daemon, network: Option<&str>) -> CliResult<NetworkSettings> {
    if let Some(network) = network.filter(|network| !is_mode(network)) {
        is_there(daemon, network).await?;
    }
    let location = if network == Some("host") {
        Location::ThisNetwork
    } else {
        Location::Container
    };
    Ok(NetworkSettings::of(&environment, location).await)
}

/// Whether this is one of the modes that Docker or podman have instead of a network (podman-run(1), `--network`).
fn is_mode(network: &str) -> bool {
    const MODES: [&str; 7] = [
        "bridge",
        "default",
        "host",
        "none",
        "pasta",
        "private",
        "slirp4netns",
    ];
    MODES.contains(&network) || network.starts_with("container:")
}

async fn is_there(daemon: &Daemon, network: &str) -> CliResult<()> {
    match understood(daemon.api.inspect_network(network, None).await) {
        Ok(_) => Ok(()),
        Err(error) if DaemonError::of(&error).is_absence() => Err(CliError::usage(format!(
            "Docker has no network {network}: make it with docker network create, or leave --network out"
        ))),
        Err(error) => Err(daemon.failure(&error)),
    }
}

/// A worker's settings on one line: tokens and their endpoints, how patient to be, and how the network is reached.
pub fn variables(settings: &Settings, network: &NetworkSettings) -> String {
    let tokens = settings
        .token_variables()
        .into_iter()
        .filter_map(|(name, token)| Some((name, token?.expose().to_owned())));
    let passed_on = PASSED_ON
        .into_iter()
        .filter_map(|name| Some((name, environment(name)?)));
    let known = settings.endpoint_variables().into_iter();
    let all = tokens.chain(known).chain(passed_on);
    serde_json::Value::from_iter(all.chain(network.variables.clone())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_one_line_with_the_tokens() {
        let settings =
            Settings::read(&|name| (name == "MODELSCOPE_TOKEN").then(|| "ms-\"x".to_owned()))
                .unwrap();
        let network = NetworkSettings {
            variables: vec![("HTTPS_PROXY", "http://me:secret@proxy:3128".to_owned())],
            left_out: None,
        };
        let line = variables(&settings, &network);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (
                read["MODELSCOPE_TOKEN"].as_str(),
                read.get("HF_TOKEN"),
                line.contains('\n')
            ),
            (Some("ms-\"x"), None, false)
        );
        assert_eq!(read["HTTPS_PROXY"], "http://me:secret@proxy:3128");
    }

    #[test]
    fn modes_are_no_networks() {
        assert!(
            ["host", "none", "bridge", "slirp4netns", "container:4f1c"]
                .into_iter()
                .all(is_mode)
        );
        assert!(!["hubs", "host2", "containers"].into_iter().any(is_mode));
    }
}
