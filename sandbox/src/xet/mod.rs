//! Xet behind Hugging Face: the real CAS server of xet-core, on a port of its own that nobody else is told. This says which of the
//! hub's blobs are in it. It starts when it is first needed.

mod carrier;
pub mod door;

use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, oneshot};
use xet_client::cas_client::{DirectAccessClient, LocalClient, LocalServer};
use xet_client::cas_types::FileRange;
use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::MDBShardFileHeader;
use xet_core_structures::metadata_shard::file_structs::MDBFileInfo;
use xet_data::processing::configurations::TranslatorConfig;
use xet_data::processing::{FileUploadSession, Sha256Policy};
use xet_runtime::core::XetContext;

use crate::content::Content;
use crate::digest::Digest;
use crate::hub::Hub;
use crate::repo::Repo;
use crate::settings::Uploads;
use crate::sync::Guarded;

/// How much of a file is taken out of xorbs at once.
const SEGMENT: u64 = 32 << 20;

/// The storage, and which blobs it has.
pub struct Xet {
    dir: PathBuf,
    server: OnceCell<Server>,
    /// By SHA-256: Xet's hash and the size.
    files: Mutex<HashMap<Digest, (MerkleHash, u64)>>,
    /// Those that someone has sent there, and that are not in the hub yet.
    sent: Mutex<HashSet<Digest>>,
    /// Held while blobs are stored, so that each is stored once.
    storing: tokio::sync::Mutex<()>,
}

/// The CAS server; it ends with this value.
struct Server {
    context: XetContext,
    client: Arc<dyn DirectAccessClient>,
    address: SocketAddr,
    _end: oneshot::Sender<()>,
}

fn failed(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

impl Xet {
    /// Nothing yet, whose xorbs will be under `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.join("xet"),
            server: OnceCell::new(),
            files: Mutex::default(),
            sent: Mutex::default(),
            storing: tokio::sync::Mutex::default(),
        }
    }

    async fn server(&self) -> io::Result<&Server> {
        self.server
            .get_or_try_init(|| Server::start(&self.dir))
            .await
    }

    /// Xet's hash of a blob that is stored there.
    pub fn hash(&self, digest: &Digest) -> Option<String> {
        self.files.guarded().get(digest).map(|(hash, _)| hash.hex())
    }

    /// Stores what this repo has in LFS, as if it had come that way.
    pub async fn adopt(&self, hub: &Hub, repo: &Repo) -> io::Result<()> {
        let _alone = self.storing.lock().await;
        let commits: Vec<_> = repo.state().log.clone();
        for file in commits
            .iter()
            .flat_map(|commit| commit.tree.files())
            .map(|(_, file)| file)
            .filter(|file| file.lfs)
        {
            if self.hash(&file.digest).is_none()
                && let Some(content) = hub.store.get(&file.digest)
            {
                let stored = self.store(&content).await?;
                self.files.guarded().insert(file.digest, stored);
            }
        }
        Ok(())
    }

    /// Stores a content the way the official client does.
    async fn store(&self, content: &Content) -> io::Result<(MerkleHash, u64)> {
        let server = self.server().await?;
        let config = TranslatorConfig::test_server_config(
            &server.context,
            format!("http://{}", server.address),
            &self.dir,
        )
        .map_err(failed)?;
        let session = FileUploadSession::new(config.into())
            .await
            .map_err(failed)?;
        let (_, mut cleaner) = session
            .start_clean(None, Some(content.len()), Sha256Policy::Compute)
            .map_err(failed)?;
        let mut body = content.body(0, content.len())?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                cleaner.add_data_from_bytes(data).await.map_err(failed)?;
            }
        }
        let (info, _) = cleaner.finish().await.map_err(failed)?;
        session.finalize().await.map_err(failed)?;
        Ok((
            MerkleHash::from_hex(&info.hash).map_err(failed)?,
            content.len(),
        ))
    }

    /// Remembers the files that a shard names.
    fn remember(&self, shard: &[u8]) -> io::Result<()> {
        let mut reader = Cursor::new(shard);
        MDBShardFileHeader::deserialize(&mut reader).map_err(failed)?;
        while let Some(file) = MDBFileInfo::deserialize(&mut reader)? {
            let size = file
                .segments
                .iter()
                .map(|segment| u64::from(segment.unpacked_segment_bytes))
                .sum();
            let digest = file
                .metadata_ext
                .as_ref()
                .and_then(|ext| Digest::parse(&ext.sha256.hex()));
            if let Some(digest) = digest {
                self.sent.guarded().insert(digest);
                self.files
                    .guarded()
                    .insert(digest, (file.metadata.file_hash, size));
            }
        }
        Ok(())
    }

    /// Puts a blob that was sent this way into the hub's own store; whether there is one. What another repo has counts for none.
    pub async fn hand_over(&self, hub: &Hub, digest: &Digest) -> io::Result<bool> {
        let sent = self.sent.guarded().contains(digest);
        let file = self.files.guarded().get(digest).copied();
        let Some((hash, size)) = file.filter(|_| sent) else {
            return Ok(false);
        };
        let server = self.server().await?;
        let mut upload = hub.store.upload(size, Uploads::Keep)?;
        for start in (0..size).step_by(SEGMENT as usize) {
            let range = FileRange::new(start, size.min(start + SEGMENT));
            let piece: Bytes = server
                .client
                .get_file_data(&hash, Some(range))
                .await
                .map_err(failed)?;
            upload.write(&piece)?;
        }
        hub.store.put(*digest, upload.finish()?);
        Ok(true)
    }
}

impl Server {
    async fn start(dir: &Path) -> io::Result<Self> {
        // The crates of xet-core bring no TLS of their own here; nothing on loopback needs it, but their client asks for one.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let context = XetContext::default().map_err(failed)?;
        let client: Arc<dyn DirectAccessClient> =
            LocalClient::new(context.clone(), dir.join("cas"))
                .await
                .map_err(failed)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = LocalServer::from_client(
            Arc::clone(&client),
            None,
            address.ip().to_string(),
            address.port(),
        );
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move { server.serve_until_stopped(listener, ended).await });
        Ok(Self {
            context,
            client,
            address,
            _end: end,
        })
    }
}
