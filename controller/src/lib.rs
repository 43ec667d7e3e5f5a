//! hf2ms
