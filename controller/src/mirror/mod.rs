//! The mirror of a Git repo with its whole history: list the refs of both sides, scan, transfer LFS objects, push refs. Workers do each
//! step, and the controller moves no bytes ([`hf2ms_worker::mirror`], and `run` for the objects).
//!
//! [`endpoints`] reads addresses and logins, [`options`] is what the command asks, [`run`] is one mirror run, which [`cloud`] leaves to
//! Modal. [`work`] collects its result, [`report`] is its report, and [`watch`] repeats it. [`remote`] has GitLab pull instead, and [`check`] compares what was mirrored.

pub mod check;
pub mod cloud;
pub mod endpoints;
mod errors;
pub mod options;
mod refs;
pub mod remote;
pub mod report;
pub mod run;
pub mod run_report;
pub mod scan_report;
pub mod watch;
pub mod work;
