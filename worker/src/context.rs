//! The context of a verb: both sides, opened, the worker's events, and its memory.

use std::ops::Deref;
use std::sync::Arc;

use hf2ms_hub::git::GitLimits;
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{
    BlobSource, BlobStore, Destination, RepoAt, Result, ServerSideCopy, Side, Source,
    open_blob_source, open_blob_store, open_destination_over, open_server_side_copy,
    open_source_by_git, open_source_over,
};

use crate::events::Events;
use crate::protocol::{Transport, WorkerOptions};
use crate::settings::Settings;
use crate::transfer::bandwidth::BandwidthLimit;
use crate::transfer::budget::MemoryBudget;
use crate::transfer::reader::{BusyCount, Reader};
use crate::transfer::streams::ceiling;

/// Opens a repo for reading, by the way that the options say.
///
/// # Errors
/// What [`open_source_over`] fails with.
pub fn open_source_by(
    side: &Side,
    options: &WorkerOptions,
    http: HttpOptions,
) -> Result<Arc<dyn Source>> {
    let unbounded = GitLimits::default();
    match options.transport {
        Transport::Auto | Transport::Http | Transport::Xet => {
            open_source_over(side, http, options.transport.of_blobs())
        }
        Transport::Git => {
            let pack_bytes = options
                .scratch
                .map_or(unbounded.pack_bytes, |scratch| scratch.0);
            open_source_by_git(
                side,
                http,
                GitLimits {
                    pack_bytes,
                    ..unbounded
                },
            )
        }
    }
}

/// Opens what blobs are read from, by the way that the options say.
///
/// # Errors
/// What [`open_blob_source`] fails with.
fn open_blobs_by(
    side: &Side,
    options: &WorkerOptions,
    http: HttpOptions,
) -> Result<Arc<dyn BlobSource>> {
    match options.transport {
        Transport::Git => Ok(open_source_by(side, options, http)?),
        _ => open_blob_source(side, http, options.transport.of_blobs()),
    }
}

/// The HTTP settings of one worker among those that `options` tells of, whose retries become events.
pub fn shared_http(
    settings: &Settings,
    options: &WorkerOptions,
    events: &Arc<Events>,
) -> HttpOptions {
    events.with_retry_events(settings.http().shared_by(options.workers))
}

/// The context of moving blobs: a source to read from, and a store to write to.
pub struct TransferContext {
    /// Where blobs are read.
    pub source: Arc<dyn BlobSource>,
    /// Where blobs are stored.
    pub store: Arc<dyn BlobStore>,
    /// The hub's own way from the source to the store, where it has one.
    pub server_side: Option<Arc<dyn ServerSideCopy>>,
    /// The worker's events.
    pub events: Arc<Events>,
    /// Streams, memory and transport.
    pub options: WorkerOptions,
    /// The HTTP settings, whose retries become events.
    pub http: HttpOptions,
    /// The memory for contents.
    pub budget: MemoryBudget,
    /// How often the source was too busy.
    pub source_busy: BusyCount,
    /// The limit of bytes a second.
    pub bandwidth: BandwidthLimit,
}

impl TransferContext {
    /// Opens both sides; nothing is sent yet.
    ///
    /// # Errors
    /// What opening a side fails with.
    pub fn open(
        from: &RepoAt,
        to: &RepoAt,
        settings: &Settings,
        options: &WorkerOptions,
        events: Arc<Events>,
    ) -> Result<Self> {
        let http = shared_http(settings, options, &events);
        let source_busy = BusyCount::default();
        let source_http = source_busy.counting(http.clone());
        let source = open_blobs_by(&settings.source(from)?, options, source_http)?;
        let transport = options.transport.of_blobs();
        let to = settings.destination(to)?;
        let store = open_blob_store(&to, http.clone(), transport)?;
        let server_side = open_server_side_copy(from, &to, http.clone())?;
        Ok(Self {
            source,
            store,
            server_side,
            events,
            options: options.clone(),
            bandwidth: BandwidthLimit::of(options, &http.clock),
            http,
            budget: MemoryBudget::new(options),
            source_busy,
        })
    }

    /// A reader of the source.
    pub fn reader(&self) -> Reader {
        Reader::new(self.source.clone(), self.http.clone()).heeding(self.source_busy.clone())
    }

    /// The streams for so many files: as many as the options say, or else as may be, and whether their number may change.
    pub fn streams_for(&self, files: usize) -> (usize, bool) {
        streams_for(&self.options, files)
    }

    /// The bytes of memory that one of `streams` blobs may fill.
    pub fn share(&self, streams: usize) -> u64 {
        let share = self.budget.share(streams);
        // What is sent side by side is buffered at its other end too.
        if self.store.sends_in_parts() {
            share / 5 * 4
        } else {
            share
        }
    }
}

fn streams_for(options: &WorkerOptions, files: usize) -> (usize, bool) {
    let ceiling = ceiling(options.memory.0);
    let most = options.streams.map_or(ceiling, |asked| asked.min(ceiling));
    (most.clamp(1, files.max(1)), options.streams.is_none())
}

/// The context of reading one repo, to which nothing can be written by it.
pub struct ReadContext {
    /// Where blobs are read.
    pub source: Arc<dyn BlobSource>,
    /// The worker's events.
    pub events: Arc<Events>,
    /// Streams, memory and transport.
    pub options: WorkerOptions,
    /// The HTTP settings, whose retries become events.
    pub http: HttpOptions,
    /// The memory for contents.
    pub budget: MemoryBudget,
    /// How often the repo's hub was too busy.
    busy: BusyCount,
}

impl ReadContext {
    /// Opens the repo; nothing is sent yet.
    ///
    /// # Errors
    /// What opening it fails with.
    pub fn open(
        side: &Side,
        settings: &Settings,
        options: &WorkerOptions,
        events: Arc<Events>,
    ) -> Result<Self> {
        let http = shared_http(settings, options, &events);
        let busy = BusyCount::default();
        let source = open_blobs_by(side, options, busy.counting(http.clone()))?;
        Ok(Self {
            busy,
            ..Self::new(source, events, options, http)
        })
    }

    /// A context of a repo that is open already.
    pub fn new(
        source: Arc<dyn BlobSource>,
        events: Arc<Events>,
        options: &WorkerOptions,
        http: HttpOptions,
    ) -> Self {
        Self {
            source,
            events,
            options: options.clone(),
            http,
            budget: MemoryBudget::new(options),
            busy: BusyCount::default(),
        }
    }

    /// A reader of the repo.
    pub fn reader(&self) -> Reader {
        Reader::new(self.source.clone(), self.http.clone()).heeding(self.busy.clone())
    }

    /// As [`TransferContext::streams_for`].
    pub fn streams_for(&self, files: usize) -> (usize, bool) {
        streams_for(&self.options, files)
    }
}

/// Both sides of a copy, opened: what moving blobs takes, and the branch.
pub struct Context {
    /// The source, with its listing.
    pub source: Arc<dyn Source>,
    /// The destination, with its branch.
    pub destination: Arc<dyn Destination>,
    /// The same sides, as far as moving blobs takes them.
    pub transfer: TransferContext,
}

impl Deref for Context {
    type Target = TransferContext;

    fn deref(&self) -> &TransferContext {
        &self.transfer
    }
}

impl Context {
    /// Opens both sides; nothing is sent yet.
    ///
    /// # Errors
    /// What opening a side fails with.
    pub fn open(
        from: &RepoAt,
        to: &RepoAt,
        settings: &Settings,
        options: &WorkerOptions,
        events: Arc<Events>,
    ) -> Result<Self> {
        let http = shared_http(settings, options, &events);
        let source_busy = BusyCount::default();
        let source_http = source_busy.counting(http.clone());
        let source = open_source_by(&settings.source(from)?, options, source_http)?;
        let transport = options.transport.of_blobs();
        let to = settings.destination(to)?;
        let destination = open_destination_over(&to, http.clone(), transport)?;
        let server_side = open_server_side_copy(from, &to, http.clone())?;
        let mut context = Self::new(source, destination, events, options, http);
        context.transfer.server_side = server_side;
        context.transfer.source_busy = source_busy;
        Ok(context)
    }

    /// A context of sides that are open already.
    pub fn new(
        source: Arc<dyn Source>,
        destination: Arc<dyn Destination>,
        events: Arc<Events>,
        options: &WorkerOptions,
        http: HttpOptions,
    ) -> Self {
        let transfer = TransferContext {
            source: source.clone(),
            store: destination.clone(),
            server_side: None,
            events,
            options: options.clone(),
            bandwidth: BandwidthLimit::of(options, &http.clock),
            http,
            budget: MemoryBudget::new(options),
            source_busy: BusyCount::default(),
        };
        Self {
            source,
            destination,
            transfer,
        }
    }
}
