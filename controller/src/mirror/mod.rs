//! Mirroring a Git repo with its history: look at both sides, scan, stream LFS objects, push refs. The controller moves no bytes:
//! workers do each step ([`hf2ms_worker::mirror`], and `run` for the objects).
//!
//! [`sides`] reads addresses and logins, [`options`] is what is asked, [`round`] is one mirroring, which [`cloud`] leaves to Modal,
//! [`work`] and [`report`] what came of it, [`watch`] repeats it. [`remote`] has GitLab do it all.

pub mod cloud;
pub mod endpoints;
mod errors;
pub mod options;
mod refs;
pub mod remote;
pub mod report;
pub mod run;
mod scan_report;
pub mod watch;
pub mod work;
