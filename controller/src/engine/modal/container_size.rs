//! The size of the containers that Modal is asked for.

/// What a container reserves. Modal bills at least this, and more only if more is used. A worker uses less than one core
/// for as long as it waits for the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContainerSize {
    /// Cores.
    pub cores: f64,
    /// MiB of memory.
    pub mib: u64,
}

/// A container that carries a chunk.
pub const WORKER: ContainerSize = ContainerSize {
    cores: 1.0,
    mib: 512,
};
/// MiB that a finalizer reserves at least, and what it needs of them for itself.
const LEAST: u64 = 256;
const OWN: u64 = 128;

/// The container that waits for the others, commits and verifies (`finalize` in modal/app.py), where what is known of all files takes
/// so many bytes. Only a few sizes exist: each is an app of its own.
pub fn finalizer(files_memory: u64) -> ContainerSize {
    let mib = OWN.saturating_add(files_memory >> 20).next_power_of_two();
    ContainerSize {
        cores: 0.125,
        mib: mib.max(LEAST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finalizer_is_as_large_as_what_it_knows_of_the_files() {
        let mib = |files_memory| finalizer(files_memory).mib;
        assert_eq!(
            [0, 128 << 20, 129 << 20, 1 << 30].map(mib),
            [256, 256, 512, 2048]
        );
    }
}
