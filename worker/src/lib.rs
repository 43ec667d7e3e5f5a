//! hf2ms-worker
