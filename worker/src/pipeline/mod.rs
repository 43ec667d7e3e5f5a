//! The steps of a copy that `hf2ms migrate` and `hf2ms-worker migrate` share: [`source`] finds and pins the source, [`planning`]
//! makes the plan and [`card`] mends its README.md, [`creation`] creates the destination, [`finish`] commits and [`compare`]s; [`contents`] reads.

pub mod card;
pub mod compare;
pub mod contents;
pub mod creation;
pub mod finish;
pub mod planning;
pub mod source;
