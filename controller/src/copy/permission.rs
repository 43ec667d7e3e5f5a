//! What must not happen at the destination: content that is private shown to all, and bytes moved to where the token may not write.

use hf2ms_hub::{Blob, File, Kind, Sha256};
use hf2ms_worker::plan::Plan;

use super::inspect::DestinationRepo;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// Refuses a plan that the destination cannot hold, would show private content, or that the token may not write.
///
/// # Errors
/// [`Exit::Refused`](hf2ms_worker::protocol::Exit::Refused), with the reason.
pub async fn check_plan(
    plan: &Plan,
    destination: &DestinationRepo,
    settings: &Settings,
) -> CliResult<()> {
    check_folders(plan, destination)?;
    destination.check_not_exposed(plan.creation)?;
    if destination.info.is_none() || plan.is_done() || destination.is_ours() {
        return Ok(());
    }
    match destination.hub.missing(&[permission_blob(plan)]).await {
        Err(error)
            if matches!(
                error.kind(),
                Kind::Denied | Kind::Unauthorized | Kind::NotFound
            ) =>
        {
            Err(hub_error(
                &error.with_kind(Kind::Denied),
                &destination.at,
                settings,
                AccessMode::Write,
            ))
        }
        // Any other error meets the workers, which retry.
        _ => Ok(()),
    }
}

/// Refuses a plan with a folder of more entries than the destination's hub lists.
///
/// # Errors
/// The folder and the hub's limit.
pub fn check_folders(plan: &Plan, destination: &DestinationRepo) -> CliResult<()> {
    plan.check_folder_limit(destination.hub.limits().folder_entries)
        .map_err(|error| CliError::refused(error.message()))
}

/// The blob whose absence the hub is asked about to learn whether the token may write. A blob of the plan if there is one; the
/// question stores nothing, so any other blob serves too.
fn permission_blob(plan: &Plan) -> Blob {
    const ANY: &[u8] = b"hf2ms";
    let moving = plan
        .chunks
        .iter()
        .flatten()
        .filter_map(|index| plan.files.get(*index as usize));
    let blob = |file: &File| {
        Some(Blob {
            sha256: file.digest.sha256()?,
            size: file.size,
        })
    };
    moving
        .filter_map(|planned| blob(&planned.file))
        .next()
        .unwrap_or(Blob {
            sha256: Sha256::of(ANY),
            size: ANY.len() as u64,
        })
}
