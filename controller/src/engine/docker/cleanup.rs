//! Containers that a killed controller left: found by their labels, and removed unless their run is alive.

use std::collections::{BTreeMap, HashMap};

use bollard::errors::Error;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use futures_util::future::join_all;

use super::container::{CONTROLLER, RUN};
use super::daemon::{Daemon, understood};
use crate::ui::errors::CliResult;

/// Removes a container, running or not. Returns whether it was there.
///
/// # Errors
/// The daemon's.
pub async fn remove(daemon: &Daemon, container: &str) -> Result<bool, Error> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    match daemon.api.remove_container(container, Some(options)).await {
        Ok(()) => Ok(true),
        // 409: it is being removed already.
        Err(Error::DockerResponseServerError {
            status_code: 404 | 409,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes what `controller` has left of runs that are to be cleared; how many there were of each run.
///
/// # Errors
/// The daemon can't be asked, or can't remove one.
pub async fn sweep(
    daemon: &Daemon,
    controller: &str,
    is_over: impl Fn(&str) -> bool,
) -> CliResult<BTreeMap<String, u64>> {
    let filters = HashMap::from([("label", vec![format!("{CONTROLLER}={controller}")])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let found = understood(daemon.api.list_containers(Some(options)).await)
        .map_err(|error| daemon.failure(&error))?;
    let over = found
        .into_iter()
        .filter_map(|container| Some((container.labels?.remove(RUN)?, container.id?)));
    let over: Vec<(String, String)> = over.filter(|(run, _)| is_over(run)).collect();
    let removed = join_all(over.iter().map(|(_, id)| remove(daemon, id))).await;
    let mut counts = BTreeMap::new();
    for ((run, _), removed) in over.into_iter().zip(removed) {
        if removed.map_err(|error| daemon.failure(&error))? {
            *counts.entry(run).or_default() += 1;
        }
    }
    Ok(counts)
}

/// The message about containers that were removed.
pub fn message(run: &str, count: u64) -> String {
    format!(
        "removed {count} container{} that run {run} had left",
        if count == 1 { "" } else { "s" }
    )
}
