//! Plans written as manifests of other systems.

pub mod kubernetes;
