//! What people and programs read: lines, progress, tables, errors.

pub mod counts;
pub mod errors;
pub mod progress;
pub mod screen;
pub mod table;
