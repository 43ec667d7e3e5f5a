//! `hf2ms plan --simulate`: its options, and the simulation of a plan as the user reads it. The simulation itself is
//! [`crate::estimate::play`], which every estimate uses.

pub mod args;
pub mod simulation;
