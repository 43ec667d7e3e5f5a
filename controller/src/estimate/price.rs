//! What containers cost: Modal's price list, and the size of the containers that are asked for there. What runs on a
//! machine of the user's own costs nothing here.

use crate::args::workers::On;

/// What a container has reserved. Modal bills at least this, more only if more is used, and a worker uses less than
/// one core for as long as it waits for the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reservation {
    /// Cores.
    pub cores: f64,
    /// MiB of memory.
    pub mib: u64,
}

/// A container that carries a chunk.
pub const WORKER: Reservation = Reservation {
    cores: 1.0,
    mib: 512,
};
/// The container that waits for the others, commits and verifies (`finalize` in modal/app.py).
pub const COORDINATOR: Reservation = Reservation {
    cores: 0.125,
    mib: 256,
};

/// Dollars a core-second of a function (modal.com/pricing, November 2026).
const CORE_SECOND: f64 = 0.000_013_1;
/// Dollars a GiB-second of a function (modal.com/pricing, November 2026).
const GIB_SECOND: f64 = 0.000_002_22;

impl Reservation {
    /// Dollars a second.
    pub fn dollars(self) -> f64 {
        self.cores * CORE_SECOND + self.mib as f64 / 1024.0 * GIB_SECOND
    }
}

/// Dollars for so many seconds of workers, all added up, in a run that takes `seconds`.
pub fn dollars(on: On, worker_seconds: f64, seconds: f64) -> f64 {
    match on {
        On::Modal => worker_seconds * WORKER.dollars() + seconds * COORDINATOR.dollars(),
        On::Local | On::Docker => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_containers_for_an_hour_cost_what_the_list_says() {
        let by_hand = 100.0 * 3600.0 * (0.000_013_1 + 0.000_001_11)
            + 3600.0 * (0.000_001_637_5 + 0.000_000_555);
        assert!(
            (dollars(On::Modal, 360_000.0, 3600.0) - by_hand).abs() < 1e-9,
            "{by_hand}"
        );
        assert_eq!(dollars(On::Docker, 360_000.0, 3600.0), 0.0);
    }
}
