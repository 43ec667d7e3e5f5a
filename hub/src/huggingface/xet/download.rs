//! A file's bytes out of xorbs, in order and as they arrive. The storage is asked what a segment of the file is made of. The
//! parts of xorbs that hold it are read one after the other. What comes out is not checked here, like any other source's bytes.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::Url;
use tokio::sync::Semaphore;

use super::cas;
use super::hash::Hash;
use super::repeats::{Place, Repeats};
use super::tokens::TokenCache;
use super::wire::{Reconstruction, Term};
use super::xorb::Chunks;
use crate::http::{Http, Request, expired_address};
use crate::lfs::safe;
use crate::{ByteStream, Error, Kind, Result};

/// Bytes of a file that the storage is asked about at once: the addresses that it names live for some minutes only.
const SEGMENT: u64 = 256 << 20;
/// Chunks of a xorb (xet-core-structures 1.8.0, `constants.rs`).
const MOST_CHUNKS: u32 = 8 << 10;

/// Opens `range` of the file. `room` is for what is kept of all files that are read, in KiB.
///
/// # Errors
/// What the storage says about the first segment.
pub(super) async fn open(
    grants: &TokenCache,
    hash: Hash,
    range: Range<u64>,
    room: Arc<Semaphore>,
) -> Result<ByteStream> {
    let segment = Segment::ask(grants, hash, &range, room.clone()).await?;
    let reading = Reading {
        grants: grants.clone(),
        hash,
        room,
        left: range,
        segment,
        open: None,
    };
    let frames = futures_util::stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(frame)) => Some((Ok(frame), Some(reading))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(frames.boxed())
}

/// What a segment of a file is made of.
struct Segment {
    parts: Vec<Part>,
    rows: VecDeque<Row>,
    /// Bytes of the first row that come before the segment.
    skip: u64,
    repeats: Repeats,
}

/// A part of a xorb that can be asked for.
struct Part {
    url: Url,
    bytes: Range<u64>,
    /// The number of its first chunk.
    first: u32,
}

/// Chunks of one part that the file has next.
struct Row {
    part: usize,
    chunks: Range<u32>,
    /// Of the chunks, together.
    length: u64,
}

impl Segment {
    /// Asks what the first bytes of `range` are made of.
    async fn ask(
        grants: &TokenCache,
        hash: Hash,
        range: &Range<u64>,
        room: Arc<Semaphore>,
    ) -> Result<Self> {
        let asked = range.start..range.end.min(range.start.saturating_add(SEGMENT));
        let told = cas::ask(grants, &format!("/v1/reconstructions/{hash}"), &asked).await?;
        let mut segment = Self::read(&told, grants.http(), room)?;
        let length = segment
            .rows
            .iter()
            .fold(0u64, |sum, row| sum.saturating_add(row.length));
        if length.saturating_sub(segment.skip) < asked.end - asked.start {
            return Err(refused("makes less of the file than was asked for"));
        }
        segment.drop_surplus(asked.end - asked.start);
        Ok(segment)
    }

    fn read(told: &Reconstruction, hub: &Http, room: Arc<Semaphore>) -> Result<Self> {
        let (mut parts, mut numbers) = (Vec::new(), HashMap::new());
        let mut rows = VecDeque::with_capacity(told.terms.len());
        for term in &told.terms {
            let (index, range) = part_of(term, told)?;
            let part = match numbers.get(&(&term.hash, index)) {
                Some(part) => *part,
                None => {
                    let Some(described) = told.fetch_info[&term.hash].get(index) else {
                        return Err(refused("has no such part"));
                    };
                    let bytes =
                        described.url_range.start..described.url_range.end.saturating_add(1);
                    parts.push(Part {
                        url: safe(&described.url, hub)?,
                        bytes,
                        first: described.range.start,
                    });
                    numbers.insert((&term.hash, index), parts.len() - 1);
                    parts.len() - 1
                }
            };
            rows.push_back(Row {
                part,
                chunks: range,
                length: term.unpacked_length,
            });
        }
        let chunks = rows
            .iter()
            .flat_map(|row| row.chunks.clone().map(|chunk| (row.part, chunk)));
        let repeats = Repeats::of(chunks, room);
        Ok(Self {
            parts,
            repeats,
            rows,
            skip: told.offset_into_first_range,
        })
    }

    /// Leaves out the rows behind so many bytes: the next question is about them.
    fn drop_surplus(&mut self, bytes: u64) {
        let mut wanted = bytes.saturating_add(self.skip);
        self.rows.retain(|row| {
            let is_wanted = wanted > 0;
            wanted = wanted.saturating_sub(row.length);
            is_wanted
        });
    }

    /// The chunk that comes next; `None` behind the last.
    fn next(&mut self) -> Result<Option<Place>> {
        while let Some(row) = self.rows.front_mut() {
            if let Some(chunk) = row.chunks.next() {
                return Ok(Some((row.part, chunk)));
            }
            if row.length > 0 {
                return Err(corrupt("shorter"));
            }
            self.rows.pop_front();
        }
        Ok(None)
    }

    /// Counts a chunk of the row in front.
    fn count(&mut self, bytes: u64) -> Result<()> {
        let Some(row) = self.rows.front_mut() else {
            return Ok(());
        };
        row.length = row
            .length
            .checked_sub(bytes)
            .ok_or_else(|| corrupt("longer"))?;
        Ok(())
    }
}

/// Which of its xorb's parts a term is in, and which chunks it is.
fn part_of(term: &Term, told: &Reconstruction) -> Result<(usize, Range<u32>)> {
    let parts = told
        .fetch_info
        .get(&term.hash)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let index = parts
        .iter()
        .position(|part| part.range.start <= term.range.start && term.range.end <= part.range.end);
    let index = index.ok_or_else(|| refused("does not say where a part of the file is"))?;
    let (part, range) = (&parts[index], term.range.start..term.range.end);
    if range.is_empty()
        || part.range.end - part.range.start > MOST_CHUNKS
        || part.url_range.start > part.url_range.end
    {
        return Err(refused("names a range that can't be"));
    }
    Ok((index, range))
}

/// A part that is being read.
struct Open {
    part: usize,
    /// The number of the chunk that it gives next.
    next: u32,
    chunks: Chunks,
}

impl Open {
    async fn new(grants: &TokenCache, number: usize, part: &Part) -> Result<Self> {
        let request = Request::get(part.url.clone())
            .signed()
            .once()
            .range(&part.bytes);
        let sent = cas::patiently(grants.http(), || grants.http().send(request.clone()));
        let response = sent.await.map_err(expired_address)?;
        let chunks = Chunks::new(response.exactly(part.bytes.end - part.bytes.start)?);
        Ok(Self {
            part: number,
            next: part.first,
            chunks,
        })
    }

    async fn chunk(&mut self, number: u32) -> Result<Bytes> {
        while self.next < number {
            self.chunks.skip().await?;
            self.next += 1;
        }
        self.next += 1;
        self.chunks.next().await
    }
}

struct Reading {
    grants: TokenCache,
    hash: Hash,
    room: Arc<Semaphore>,
    /// What is still to be handed on.
    left: Range<u64>,
    segment: Segment,
    open: Option<Open>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.left.is_empty() {
            match self.segment.next()? {
                Some(place) => {
                    let chunk = self.chunk(place).await?;
                    self.segment.count(chunk.len() as u64)?;
                    let frame = self.trimmed(chunk);
                    if !frame.is_empty() {
                        return Ok(Some(frame));
                    }
                }
                None => {
                    self.open = None;
                    self.segment =
                        Segment::ask(&self.grants, self.hash, &self.left, self.room.clone())
                            .await?;
                }
            }
        }
        Ok(None)
    }

    async fn chunk(&mut self, place: Place) -> Result<Bytes> {
        if let Some(chunk) = self.segment.repeats.get(place) {
            return Ok(chunk);
        }
        let (part, number) = place;
        let mut open = match self
            .open
            .take()
            .filter(|open| open.part == part && open.next <= number)
        {
            Some(open) => open,
            None => Open::new(&self.grants, part, &self.segment.parts[part]).await?,
        };
        let chunk = open.chunk(number).await?;
        self.open = Some(open);
        self.segment.repeats.used(place, &chunk);
        Ok(chunk)
    }

    /// What of a chunk is to be handed on.
    fn trimmed(&mut self, mut chunk: Bytes) -> Bytes {
        let skipped = self.segment.skip.min(chunk.len() as u64);
        self.segment.skip -= skipped;
        let _ = chunk.split_to(usize::try_from(skipped).unwrap_or(chunk.len()));
        chunk.truncate(usize::try_from(self.left.end - self.left.start).unwrap_or(usize::MAX));
        self.left.start += chunk.len() as u64;
        chunk
    }
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Refused, format!("the answer of Xet's storage {why}"))
}

fn corrupt(how: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        format!("a part of the file from Xet's storage is {how} than it says"),
    )
}
