//! Uploads to a hub that takes blobs by HTTP and by Xet: each goes by the transport that [`FasterTransport`] says, is counted while it
//! goes, and begins again by the faster one where it ends sooner so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hf2ms_hub::{Blob, BlobTransport, Body, Error, File, Kind, Result, SeveralTransports};
use tokio::sync::watch;

use crate::context::TransferContext;
use crate::events::{UploadAttempt, total};
use crate::protocol::Transport;
use crate::transfer::faster::{FasterTransport, TransportChange, UploadEnd};

/// A smaller chunk goes by HTTP: it is over before both are measured.
const WORTH_MEASURING: u64 = 1_000_000_000;

/// The transports of a chunk's destination.
pub(super) struct Transports<'a> {
    context: &'a TransferContext,
    store: &'a dyn SeveralTransports,
    began: Instant,
    state: Mutex<State>,
    /// Changes with the transport.
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    faster: FasterTransport,
    uploads: Vec<Arc<Upload>>,
}

/// An upload under way.
struct Upload {
    transport: BlobTransport,
    size: u64,
    /// Its bytes so far, and how many of them are told.
    sent: Arc<AtomicU64>,
    told: AtomicU64,
}

impl<'a> Transports<'a> {
    /// Those of this chunk's destination, where there are several, none was asked for, and enough is to move.
    pub(super) async fn of(context: &'a TransferContext, files: &[File]) -> Option<Self> {
        let options = &context.options;
        let least = options
            .measured_above
            .map_or(WORTH_MEASURING, |bytes| bytes.0);
        let is_open = matches!(options.transport, Transport::Auto | Transport::Git);
        let store = context.store.several_transports();
        let store = store.filter(|_| is_open && total(files) > least)?;
        if !store.offers_xet().await {
            return None;
        }
        Some(Self {
            context,
            store,
            began: context.http.clock.now(),
            state: Mutex::default(),
            changes: watch::Sender::new(()),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.context
            .http
            .clock
            .now()
            .saturating_duration_since(self.began)
    }

    /// Stores a blob, whose body `attempt` counts.
    ///
    /// # Errors
    /// The destination's. What Xet fails with may pass: the next try goes by HTTP.
    pub(super) async fn put(&self, blob: Blob, body: Body, attempt: &UploadAttempt) -> Result<()> {
        let mut changes = self.changes.subscribe();
        let upload = self.begin(blob, attempt);
        let put = self.store.put_by(upload.transport, blob, body);
        let result = tokio::select! {
            result = put => result,
            () = self.overtaken(&upload, &mut changes) => {
                self.end(&upload, UploadEnd::GivenUp);
                return Err(begun_again(upload.transport));
            }
        };
        self.end(&upload, end_of(&result, attempt));
        result.map_err(|error| passing(error, &upload, attempt))
    }

    /// Chooses the transport, once both are known well enough; whether it is chosen.
    pub(super) fn decide(&self) -> bool {
        let now = self.now();
        let mut state = self.state();
        state.tell();
        let change = state.faster.decide(now);
        let is_chosen = state.faster.is_chosen();
        drop(state);
        self.changed(change);
        is_chosen
    }

    fn begin(&self, blob: Blob, attempt: &UploadAttempt) -> Arc<Upload> {
        let now = self.now();
        let mut state = self.state();
        let upload = Arc::new(Upload {
            transport: state.faster.begin(now),
            size: blob.size,
            sent: attempt.counter(),
            told: AtomicU64::new(0),
        });
        state.uploads.push(upload.clone());
        upload
    }

    fn end(&self, upload: &Arc<Upload>, end: UploadEnd) {
        let now = self.now();
        let mut state = self.state();
        state.tell();
        state.uploads.retain(|other| !Arc::ptr_eq(other, upload));
        let change = state.faster.ended(upload.transport, now, end);
        drop(state);
        self.changed(change);
    }

    fn changed(&self, change: Option<TransportChange>) {
        if let Some(change) = change {
            let events = &self.context.events;
            events.transport_changes(change.transport, change.reason, change.rates);
            self.changes.send_replace(());
        }
    }

    /// Returns once another transport was chosen by which the upload ends sooner if it begins again.
    async fn overtaken(&self, upload: &Upload, changes: &mut watch::Receiver<()>) {
        loop {
            // The sender is this value's own.
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let sent = upload.sent.load(Ordering::Relaxed);
            let state = self.state();
            if state
                .faster
                .ends_sooner_again(upload.transport, sent, upload.size)
            {
                return;
            }
        }
    }
}

impl State {
    fn tell(&mut self) {
        for upload in &self.uploads {
            let sent = upload.sent.load(Ordering::Relaxed);
            let told = upload.told.swap(sent, Ordering::Relaxed);
            self.faster
                .sent(upload.transport, sent.saturating_sub(told));
        }
    }
}

fn end_of(result: &Result<()>, attempt: &UploadAttempt) -> UploadEnd {
    match result {
        Ok(()) => UploadEnd::Stored,
        Err(error) if is_of_the_body(error, attempt) => UploadEnd::GivenUp,
        Err(error) if error.is_stall() => UploadEnd::Stalled,
        Err(_) => UploadEnd::Failed,
    }
}

/// Whether the source failed, or gave other bytes than it listed.
fn is_of_the_body(error: &Error, attempt: &UploadAttempt) -> bool {
    error.kind() == Kind::Corrupt || attempt.body_failed()
}

/// What Xet fails with says nothing about HTTP, which is tried next.
fn passing(error: Error, upload: &Upload, attempt: &UploadAttempt) -> Error {
    if upload.transport != BlobTransport::Xet || is_of_the_body(&error, attempt) {
        return error;
    }
    if error.is_stall() {
        return error.about("by Xet, going on by HTTP");
    }
    let error = format!("by Xet, going on by HTTP: {error}");
    Error::new(Kind::Transient, error)
}

fn begun_again(transport: BlobTransport) -> Error {
    let (left, chosen) = match transport {
        BlobTransport::Xet => ("Xet", "HTTP"),
        _ => ("HTTP", "Xet"),
    };
    Error::new(
        Kind::Transient,
        format!("by {left}, going on by {chosen}: the rest would take longer"),
    )
}
