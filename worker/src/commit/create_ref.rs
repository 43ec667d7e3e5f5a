//! A branch or tag at a commit, made once however often it is asked for.

use hf2ms_hub::{Kind, RefKind, RefStore, Result, Revision};

/// Creates a branch or tag at a commit. If the response is lost, or says that the name exists, the refs are listed to learn where it
/// stands.
///
/// # Errors
/// The hub's; [`Kind::Conflict`] if the name exists at another commit.
pub async fn create_ref(
    references: &dyn RefStore,
    kind: RefKind,
    name: &Revision,
    at: &Revision,
) -> Result<()> {
    let asked = || async {
        match kind {
            RefKind::Branch => references.make_branch(name, at).await,
            RefKind::Tag => references.make_tag(name, at).await,
        }
    };
    match asked().await {
        Err(error) if matches!(error.kind(), Kind::Transient | Kind::Conflict) => {
            match references.refs().await?.find(kind, name) {
                Some(found) if found == at => Ok(()),
                None if error.kind() == Kind::Transient => asked().await,
                _ => Err(error),
            }
        }
        made => made,
    }
}
