//! Everything there is: both hubs and what bears on them.

use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::accounts::Accounts;
use crate::call::Origin;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::hub::Hub;
use crate::multiparts::Multiparts;
use crate::quota::Quotas;
use crate::settings::Settings;
use crate::shape::{Lines, Link};
use crate::sign::Signer;
use crate::store::BlobDir;
use crate::sync::Shared;
use crate::xet::Xet;

/// Everything there is.
pub struct World {
    /// Hugging Face.
    pub hf: Hub,
    /// ModelScope.
    pub ms: Hub,
    /// Uploads in parts that have begun on Hugging Face.
    pub multiparts: Multiparts,
    /// Whose tokens are good.
    pub accounts: Accounts,
    /// What goes wrong.
    pub faults: Faults,
    /// What was asked.
    pub counters: Counters,
    /// How often things were done.
    pub quotas: Quotas,
    /// Who signs URLs.
    pub signer: Signer,
    /// Hugging Face's Xet storage.
    pub xet: Xet,
    links: [[Arc<Link>; 2]; 2],
    bases: [String; 6],
    settings: RwLock<Settings>,
}

impl World {
    /// An empty world with its blobs under `dir`, reachable at `bases`.
    pub fn new(dir: &Path, bases: [String; 6]) -> io::Result<Self> {
        let blobs = Arc::new(BlobDir::new(dir)?);
        Ok(Self {
            hf: Hub::new("main", Arc::clone(&blobs)),
            ms: Hub::new("master", blobs),
            multiparts: Multiparts::default(),
            accounts: Accounts::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            quotas: Quotas::default(),
            signer: Signer::new(),
            xet: Xet::new(dir),
            links: Default::default(),
            bases,
            settings: RwLock::default(),
        })
    }

    /// `http://HOST:PORT` of an origin, as others reach it.
    pub fn base(&self, origin: Origin) -> &str {
        &self.bases[origin as usize]
    }

    /// What an origin calls itself: its base, unless the settings say otherwise.
    pub fn named(&self, origin: Origin) -> String {
        let told = if origin == Origin::Hf {
            self.settings.shared().hf_named.clone()
        } else {
            None
        };
        told.unwrap_or_else(|| self.base(origin).to_owned())
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Settings {
        self.settings.shared().clone()
    }

    /// Changes the settings.
    pub fn set(&self, settings: Settings) {
        self.links[0][0].limit(settings.hf_down);
        self.links[0][1].limit(settings.hf_up);
        self.links[1][0].limit(settings.ms_down);
        self.links[1][1].limit(settings.ms_up);
        *self.settings.exclusive() = settings;
        self.quotas.reset();
    }

    /// What limits the bodies from and to an origin; nothing at the admin.
    pub fn lines(&self, origin: Origin) -> Option<Lines<'_>> {
        let settings = self.settings.shared();
        let hub = hub_of(origin)?;
        let each = [
            [
                settings.connections.hf_down_each,
                settings.connections.hf_up_each,
            ],
            [
                settings.connections.ms_down_each,
                settings.connections.ms_up_each,
            ],
        ];
        Some(Lines {
            links: &self.links[hub],
            each: each[hub],
        })
    }

    /// The hub of an origin as routes begin, and how many requests it works on at a time where that is limited.
    pub fn most_at_once(&self, origin: Origin) -> Option<(&'static str, u64)> {
        let settings = self.settings.shared();
        let limits = [
            ("hf", settings.connections.hf_at_once),
            ("ms", settings.connections.ms_at_once),
        ];
        let (hub, most) = limits[hub_of(origin)?];
        Some((hub, most?))
    }

    /// An absolute URL at `origin` that allows `method` on `path` for `ttl`.
    pub fn signed(&self, origin: Origin, method: &str, path: &str, ttl: Duration) -> String {
        format!(
            "{}{}",
            self.named(origin),
            self.signer.sign(method, path, ttl)
        )
    }
}

/// The number of the hub that an origin belongs to.
fn hub_of(origin: Origin) -> Option<usize> {
    match origin {
        Origin::Hf | Origin::HfStorage | Origin::HfCas => Some(0),
        Origin::Ms | Origin::MsStorage => Some(1),
        Origin::Admin => None,
    }
}
