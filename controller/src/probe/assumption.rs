//! The table: one entry an assumption. The entries of a group stand beside what tries them.

use futures_util::future::BoxFuture;
use hf2ms_hub::Hub;

use super::finding::Tried;
use super::scratch::Scratch;
use super::{huggingface, modelscope};

/// Something that is believed of a hub.
pub struct Assumption {
    /// Its name, as `--only` takes it: `ms-git-agent`.
    pub id: &'static str,
    /// What is believed, in one sentence.
    pub says: &'static str,
    /// What tries it.
    pub look: fn(&Scratch) -> BoxFuture<'_, Tried>,
}

impl Assumption {
    /// The hub that it is about.
    pub fn hub(&self) -> Hub {
        if self.id.starts_with("hf-") {
            Hub::HuggingFace
        } else {
            Hub::ModelScope
        }
    }
}

/// Every assumption about a hub, in the order in which they are tried.
pub fn of_hub(hub: Hub) -> Vec<&'static Assumption> {
    match hub {
        Hub::HuggingFace => huggingface::assumptions(),
        Hub::ModelScope => modelscope::assumptions(),
        Hub::Git => Vec::new(),
    }
}

/// Every assumption.
pub fn all() -> Vec<&'static Assumption> {
    [of_hub(Hub::HuggingFace), of_hub(Hub::ModelScope)].concat()
}
