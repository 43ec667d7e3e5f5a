//! The hubs that can be probed. A hub that is not in this table has no assumptions.

use hf2ms_hub::Hub;

use super::assumption::{Assumption, HubProbe};
use super::{huggingface, modelscope};

const PROBES: [HubProbe; 2] = [huggingface::PROBE, modelscope::PROBE];

/// The probe of this hub; `None` if there is none.
pub fn probe_of(hub: Hub) -> Option<&'static HubProbe> {
    PROBES
        .iter()
        .find(|probe| probe.prefix == hub.profile().prefix)
}

/// The hubs that can be probed, in order.
pub fn probed() -> Vec<Hub> {
    let hubs = PROBES.iter().map(|probe| Hub::by_prefix(probe.prefix));
    hubs.flatten().collect()
}

/// Every assumption about a hub, in the order in which they are tested.
pub fn of_hub(hub: Hub) -> Vec<&'static Assumption> {
    probe_of(hub).map_or_else(Vec::new, |probe| (probe.assumptions)())
}

/// Every assumption.
pub fn all() -> Vec<&'static Assumption> {
    probed().into_iter().flat_map(of_hub).collect()
}
