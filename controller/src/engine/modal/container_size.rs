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
/// The container that waits for the others, commits and verifies (`finalize` in modal/app.py).
pub const FINALIZER: ContainerSize = ContainerSize {
    cores: 0.125,
    mib: 256,
};
