//! hf2ms-sandbox
