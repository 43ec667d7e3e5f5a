//! Loopback hubs that behave like Hugging Face and ModelScope, with faults on request.
//!
//! [`Sandbox::start`] runs them in this process; the binary of this crate runs them in one of their own.

mod accounts;
mod admin;
mod answer;
mod call;
mod clock;
mod content;
mod counters;
mod digest;
mod faults;
mod hf;
mod hub;
mod ms;
mod quota;
mod repo;
mod server;
mod settings;
mod shape;
mod sign;
mod store;
mod sync;
mod tree;
mod world;

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use call::Origin;
use world::World;

/// The ports to listen on; 0 is any free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// huggingface.co.
    pub hf: u16,
    /// The object storage behind it.
    pub hf_storage: u16,
    /// modelscope.cn.
    pub ms: u16,
    /// The object storage behind it.
    pub ms_storage: u16,
    /// What tests steer the sandbox with.
    pub admin: u16,
}

/// Starts sandboxes.
pub struct Sandbox;

/// A sandbox that runs until this value goes.
pub struct Running {
    /// `http://127.0.0.1:PORT` of huggingface.co.
    pub hf: String,
    /// The object storage behind it.
    pub hf_storage: String,
    /// modelscope.cn.
    pub ms: String,
    /// The object storage behind it.
    pub ms_storage: String,
    /// What tests steer the sandbox with.
    pub admin: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Runs a sandbox on free ports with its blobs under `dir`.
    pub async fn start(dir: &Path) -> io::Result<Running> {
        Self::start_at(dir, Ports::default()).await
    }

    /// Runs a sandbox on these ports with its blobs under `dir`.
    pub async fn start_at(dir: &Path, ports: Ports) -> io::Result<Running> {
        let mut listeners = Vec::new();
        for (origin, port) in Origin::ALL.into_iter().zip([ports.hf, ports.hf_storage, ports.ms, ports.ms_storage, ports.admin]) {
            listeners.push((origin, TcpListener::bind(("127.0.0.1", port)).await?));
        }
        let mut bases: [String; 5] = Default::default();
        for (base, (_, listener)) in bases.iter_mut().zip(&listeners) {
            *base = format!("http://{}", listener.local_addr()?);
        }
        let world = Arc::new(World::new(dir, bases.clone())?);
        let serve = |(origin, listener)| tokio::spawn(server::serve(Arc::clone(&world), origin, listener));
        let tasks = listeners.into_iter().map(serve).collect();
        let [hf, hf_storage, ms, ms_storage, admin] = bases;
        Ok(Running { hf, hf_storage, ms, ms_storage, admin, tasks })
    }
}

impl Running {
    /// What there is to know to use the sandbox: its origins and accounts.
    pub fn described(&self) -> Value {
        json!({
            "hf": self.hf,
            "ms": self.ms,
            "hf_storage": self.hf_storage,
            "ms_storage": self.ms_storage,
            "admin": self.admin,
            "accounts": accounts::listed(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
