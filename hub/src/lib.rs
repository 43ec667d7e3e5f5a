//! hf2ms-hub
