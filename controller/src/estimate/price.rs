//! The price of containers, by Modal's price list. Workers on a machine of the user's own cost nothing here.

use crate::args::workers::EngineKind;
use crate::engine::modal::container_size::{ContainerSize, WORKER};

/// Dollars a core-second of a function (modal.com/pricing, November 2026).
const CORE_SECOND: f64 = 0.000_013_1;
/// Dollars a GiB-second of a function (modal.com/pricing, November 2026).
const GIB_SECOND: f64 = 0.000_002_22;

/// Dollars a second of a container.
fn dollars_a_second(size: ContainerSize) -> f64 {
    size.cores * CORE_SECOND + size.mib as f64 / 1024.0 * GIB_SECOND
}

/// Dollars of a run that takes `seconds` and has this finalizer, whose workers ran for `worker_seconds` in all.
pub fn dollars(on: EngineKind, worker_seconds: f64, seconds: f64, finalizer: ContainerSize) -> f64 {
    match on {
        EngineKind::Modal => {
            worker_seconds * dollars_a_second(WORKER) + seconds * dollars_a_second(finalizer)
        }
        EngineKind::Local | EngineKind::Docker => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::modal::container_size::finalizer;

    #[test]
    fn a_hundred_containers_for_an_hour_cost_what_the_list_says() {
        let by_hand = 100.0 * 3600.0 * (0.000_013_1 + 0.000_001_11)
            + 3600.0 * (0.000_001_637_5 + 0.000_000_555);
        assert!(
            (dollars(EngineKind::Modal, 360_000.0, 3600.0, finalizer(0)) - by_hand).abs() < 1e-9,
            "{by_hand}"
        );
        assert_eq!(
            dollars(EngineKind::Docker, 360_000.0, 3600.0, finalizer(0)),
            0.0
        );
    }
}
