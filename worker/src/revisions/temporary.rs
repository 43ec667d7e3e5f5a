//! The temporary branch on which a revision is built before its branches and tags are made.

use hf2ms_hub::{Destination, Error, Kind, RefKind, RefStore, Result, Revision};

use crate::commit::create_ref;
use crate::plan::{DigestCache, Plan};

/// Creates the temporary branch at `base`, or takes the one that a killed run left. Brings the plan up to date with its files: it has to
/// hold those of the plan and no others.
///
/// # Errors
/// The hub's; [`Kind::Refused`] without a commit to begin at.
pub async fn prepare(
    plan: &mut Plan,
    branch: &Revision,
    base: Option<&Revision>,
    known: &DigestCache,
    (references, destination): (&dyn RefStore, &dyn Destination),
) -> Result<()> {
    let base = base.ok_or_else(|| {
        let (hub, id) = (plan.destination.hub, &plan.destination.id);
        let message = format!(
            "{hub} does not say where {id} stands, so that no branch can be made: run the same command again"
        );
        Error::new(Kind::Refused, message)
    })?;
    match create_ref(references, RefKind::Branch, branch, base).await {
        Err(error) if error.kind() == Kind::Conflict => (),
        made => made?,
    }
    plan.rebase_exactly_on(&destination.list_branch().await?, known);
    plan.creation.exists = true;
    plan.destination.revision = branch.clone();
    Ok(())
}

/// Deletes the temporary branch; `head` is its commit, if that is known.
///
/// # Errors
/// The hub's: the branch is still there.
pub async fn delete(
    references: &dyn RefStore,
    branch: &Revision,
    head: Option<Revision>,
) -> Result<()> {
    let at = match head {
        None => {
            let refs = references.refs().await?;
            refs.find(RefKind::Branch, branch).cloned()
        }
        head => head,
    };
    match at {
        None => Ok(()),
        Some(at) => references.delete_branch(branch, &at).await,
    }
}

/// The commit of this branch of the destination now, if its hub tells.
pub async fn head_of(
    branch: &Revision,
    destination: &dyn Destination,
    references: &dyn RefStore,
) -> Option<Revision> {
    match destination.head().await.ok().flatten() {
        None => {
            let refs = references.refs().await.ok()?;
            refs.find(RefKind::Branch, branch).cloned()
        }
        head => head,
    }
}
