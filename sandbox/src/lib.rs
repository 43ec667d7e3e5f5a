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
mod git;
mod hf;
mod hub;
mod ms;
mod multiparts;
pub mod platform;
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
#[cfg(feature = "xet")]
mod xet;
#[cfg(not(feature = "xet"))]
#[path = "without_xet.rs"]
mod xet;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use call::Origin;
use world::World;

pub use git::host::GitHost;

/// Whether Hugging Face can have Xet's storage here.
pub const HAS_XET: bool = cfg!(feature = "xet");

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
    /// The Xet storage behind Hugging Face.
    pub hf_cas: u16,
}

/// Where a sandbox is, and how others reach it.
#[derive(Clone, Debug)]
pub struct Address {
    /// The interface to listen on.
    pub bind: IpAddr,
    /// The host in every URL it hands out; `bind` when absent.
    pub advertise: Option<String>,
    /// The ports to listen on.
    pub ports: Ports,
    /// Bytes that the kernel takes on a connection before anyone reads them; what it likes when absent.
    pub receive_buffer: Option<u32>,
}

impl Default for Address {
    /// Free ports that only this machine reaches.
    fn default() -> Self {
        Self {
            bind: Ipv4Addr::LOCALHOST.into(),
            advertise: None,
            ports: Ports::default(),
            receive_buffer: None,
        }
    }
}

impl Address {
    fn listen(&self, port: u16) -> io::Result<TcpListener> {
        let socket = if self.bind.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind((self.bind, port).into())?;
        socket.listen(1024)
    }

    /// The base of URLs for this port.
    fn base(&self, port: u16) -> String {
        match &self.advertise {
            Some(host) => format!("http://{host}:{port}"),
            None => format!("http://{}", SocketAddr::new(self.bind, port)),
        }
    }
}

/// Starts sandboxes.
pub struct Sandbox;

/// A sandbox that runs until this value goes.
pub struct Running {
    /// `http://127.0.0.1:PORT` of huggingface.co, or what was to be advertised.
    pub hf: String,
    /// The object storage behind it.
    pub hf_storage: String,
    /// modelscope.cn.
    pub ms: String,
    /// The object storage behind it.
    pub ms_storage: String,
    /// What tests steer the sandbox with.
    pub admin: String,
    /// The Xet storage behind Hugging Face.
    pub hf_cas: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Runs a sandbox on free ports of the loopback with its blobs under `dir`.
    pub async fn start(dir: &Path) -> io::Result<Running> {
        Self::start_at(dir, &Address::default()).await
    }

    /// Runs a sandbox at this address with its blobs under `dir`.
    pub async fn start_at(dir: &Path, address: &Address) -> io::Result<Running> {
        let mut listeners = Vec::new();
        let ports = address.ports;
        let ports = [
            ports.hf,
            ports.hf_storage,
            ports.ms,
            ports.ms_storage,
            ports.admin,
            ports.hf_cas,
        ];
        for (origin, port) in Origin::ALL.into_iter().zip(ports) {
            listeners.push((origin, address.listen(port)?));
        }
        let mut bases: [String; 6] = Default::default();
        for (base, (_, listener)) in bases.iter_mut().zip(&listeners) {
            *base = address.base(listener.local_addr()?.port());
        }
        let world = Arc::new(World::new(dir, bases.clone())?);
        let serve =
            |(origin, listener)| tokio::spawn(server::serve(Arc::clone(&world), origin, listener));
        let tasks = listeners.into_iter().map(serve).collect();
        let [hf, hf_storage, ms, ms_storage, admin, hf_cas] = bases;
        Ok(Running {
            hf,
            hf_storage,
            ms,
            ms_storage,
            admin,
            hf_cas,
            tasks,
        })
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
            "hf_cas": self.hf_cas,
            "accounts": accounts::listed(),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_name_the_host_that_is_advertised() {
        let dir =
            std::env::temp_dir().join(format!("hf2ms-sandbox-advertised-{}", std::process::id()));
        let address = Address {
            advertise: Some("hubs.example".to_owned()),
            ..Address::default()
        };
        let running = Sandbox::start_at(&dir, &address).await.unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        for base in [
            &running.hf,
            &running.hf_storage,
            &running.ms,
            &running.ms_storage,
            &running.admin,
        ] {
            assert!(
                base.starts_with("http://hubs.example:") && !base.ends_with(":0"),
                "{base}"
            );
        }
    }

    #[test]
    fn an_address_without_a_name_is_its_own() {
        let six = Address {
            bind: std::net::Ipv6Addr::LOCALHOST.into(),
            ..Address::default()
        };
        assert_eq!(
            (Address::default().base(80), six.base(80)),
            (
                "http://127.0.0.1:80".to_owned(),
                "http://[::1]:80".to_owned()
            )
        );
    }
}
