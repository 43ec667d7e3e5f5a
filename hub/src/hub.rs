//! Which hubs there are. What distinguishes one from another is in its [`Profile`], defined in the hub's own folder.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::git::profile::PROFILE as GIT;
use crate::huggingface::profile::PROFILE as HUGGING_FACE;
use crate::modelscope::profile::PROFILE as MODELSCOPE;
use crate::profile::Profile;

/// A hub. Code outside `open.rs` and the hubs' folders names no variant and asks [`Hub::profile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Hub {
    /// huggingface.co, or the server that `HF_ENDPOINT` names.
    HuggingFace,
    /// modelscope.cn, or the server that `MODELSCOPE_ENDPOINT` or `MODELSCOPE_DOMAIN` names.
    ModelScope,
    /// Any Git host with LFS; a repo there is known by its whole address.
    Git,
    /// The hub of the tests.
    #[cfg(feature = "toy-hub")]
    Toy,
}

impl Hub {
    /// Every hub, in the order in which they are named.
    pub const ALL: &'static [Self] = &[
        Self::HuggingFace,
        Self::ModelScope,
        Self::Git,
        #[cfg(feature = "toy-hub")]
        Self::Toy,
    ];

    /// The source of a copy whose command names no hub.
    pub const USUAL_SOURCE: Self = Self::HuggingFace;

    /// The destination of a copy whose command names no hub.
    pub const USUAL_DESTINATION: Self = Self::ModelScope;

    /// The hub's place in [`Hub::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The hub's facts.
    pub fn profile(self) -> &'static Profile {
        match self {
            Self::HuggingFace => &HUGGING_FACE,
            Self::ModelScope => &MODELSCOPE,
            Self::Git => &GIT,
            #[cfg(feature = "toy-hub")]
            Self::Toy => &crate::toy::profile::PROFILE,
        }
    }

    /// The hubs with an API and an endpoint, in the order in which they are named; a Git host has none.
    pub fn with_api() -> impl Iterator<Item = Self> {
        Self::ALL
            .iter()
            .copied()
            .filter(|hub| hub.profile().endpoint.is_some())
    }

    /// The hub with an API that the command line names by this word: `hf` or `huggingface`, in any case.
    pub fn by_prefix(word: &str) -> Option<Self> {
        let is_it = |name: &str| name.eq_ignore_ascii_case(word);
        Self::with_api().find(|hub| is_it(hub.profile().prefix) || is_it(hub.profile().id))
    }

    /// The hub whose web addresses have this host, in lower case and without `www.`.
    pub fn by_host(host: &str) -> Option<Self> {
        Self::with_api().find(|hub| {
            let profile = hub.profile();
            profile.hosts.contains(&host) || profile.mirrors.contains(&host)
        })
    }

    /// The other side of a copy that names this hub only.
    pub fn counterpart(self) -> Self {
        if self == Self::USUAL_SOURCE {
            Self::USUAL_DESTINATION
        } else {
            Self::USUAL_SOURCE
        }
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile().name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_hub_has_its_place_and_its_id_in_json() {
        for (index, hub) in Hub::ALL.iter().enumerate() {
            assert_eq!(hub.index(), index);
            assert_eq!(serde_json::to_value(hub).unwrap(), hub.profile().id);
        }
    }

    #[test]
    fn a_prefix_or_a_host_names_one_hub() {
        let mut seen = HashSet::new();
        for hub in Hub::with_api() {
            let profile = hub.profile();
            for word in HashSet::from([profile.prefix, profile.id]) {
                assert!(
                    seen.insert(word) && Hub::by_prefix(word) == Some(hub),
                    "{word}"
                );
            }
            for host in profile.hosts.iter().chain(profile.mirrors) {
                assert!(
                    seen.insert(host) && Hub::by_host(host) == Some(hub),
                    "{host}"
                );
            }
        }
        assert_eq!(
            Hub::by_prefix("git"),
            None,
            "a Git host's repo has an address"
        );
    }

    #[test]
    fn the_counterpart_of_a_hub_is_another() {
        for hub in Hub::ALL {
            assert_ne!(hub.counterpart(), *hub);
        }
    }
}
