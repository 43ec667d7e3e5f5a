//! The bound on what a pack unpacks to. libgit2 takes objects and deltas into memory whole, whatever their size: a pack of some
//! hundred KiB can fill a GiB. So a response is read along while libgit2 receives it, and its objects are unpacked here first,
//! into nothing. Facts: Git, `gitformat-pack` and `gitprotocol-pack`; libgit2 1.9, `smart_pkt.c` and `indexer.c`.

use flate2::{Decompress, FlushDecompress, Status};

use super::limits::GitLimits;
use crate::{Error, Kind, Result};

/// Bytes that are unpacked at a time.
const PIECE: usize = 16 << 10;
/// What is kept of a delta: the sizes of its base and of its result, in at most ten bytes each.
const DELTA_HEAD: usize = 20;
/// The types of objects that are deltas: against an offset in the pack, or against an object by its id.
const OFFSET_DELTA: u8 = 6;
const OBJECT_DELTA: u8 = 7;
/// Bytes of a pack's own header, and of an object's id.
const PACK_HEAD: usize = 12;
const ID: usize = 20;
/// The channel of the pack where a server sends messages beside it.
const PACK_CHANNEL: u8 = 1;

/// Reads the response to a fetch along, and refuses a pack that unpacks to more than the limits.
pub(super) struct PackCheck {
    packets: Packets,
    pack: PackReader,
}

impl PackCheck {
    pub(super) fn new(limits: GitLimits) -> Self {
        Self {
            packets: Packets::Length(Vec::new()),
            pack: PackReader::new(limits),
        }
    }

    /// Takes the next bytes of the response.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a pack that unpacks to too much, and for what is no response of this protocol.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let pack;
            (pack, bytes) = self.packets.next(bytes)?;
            self.pack.take(pack)?;
        }
        Ok(())
    }
}

/// The packets of a response, each behind four hex digits of its length. A server without channels sends the pack bare.
enum Packets {
    /// The digits so far.
    Length(Vec<u8>),
    /// The channel of a packet comes next, and then so many bytes.
    Channel(usize),
    /// Bytes of the pack.
    Pack(usize),
    /// Bytes of something else.
    Other(usize),
    /// The pack, until the end.
    Bare,
}

impl Packets {
    /// What the first of `bytes` hold of the pack, and the bytes after them.
    fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
        match self {
            Self::Length(digits) => {
                let (more, rest) = bytes.split_at(bytes.len().min(4 - digits.len()));
                digits.extend_from_slice(more);
                if digits.len() < 4 {
                    return Ok((b"", rest));
                }
                if digits == b"PACK" {
                    *self = Self::Bare;
                    return Ok((b"PACK", rest));
                }
                *self = match packet_length(digits)? {
                    // A flush, and the other marks without content.
                    0..=4 => Self::Length(Vec::new()),
                    length => Self::Channel(length - 4),
                };
                Ok((b"", rest))
            }
            Self::Channel(left) => {
                let (is_pack, left) = (bytes[0] == PACK_CHANNEL, *left - 1);
                *self = match (left, is_pack) {
                    (0, _) => Self::Length(Vec::new()),
                    (left, true) => Self::Pack(left),
                    (left, false) => Self::Other(left),
                };
                Ok((b"", &bytes[1..]))
            }
            Self::Pack(left) | Self::Other(left) => {
                let (these, rest) = bytes.split_at(bytes.len().min(*left));
                *left -= these.len();
                let (is_done, is_pack) = (*left == 0, matches!(self, Self::Pack(_)));
                if is_done {
                    *self = Self::Length(Vec::new());
                }
                Ok((if is_pack { these } else { b"" }, rest))
            }
            Self::Bare => Ok((bytes, b"")),
        }
    }
}

fn packet_length(digits: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    usize::from_str_radix(text, 16)
        .ok()
        .filter(|_| digits.iter().all(u8::is_ascii_hexdigit))
        .ok_or_else(|| no_pack("a packet's length is no number"))
}

/// The objects of a pack, one after the other.
struct PackReader {
    limits: GitLimits,
    step: PackStep,
    /// Objects that are still to come.
    left: u32,
    /// Bytes that all objects unpack to, so far.
    unpacked: u64,
    inflate: Decompress,
    piece: Box<[u8]>,
}

/// What comes next in a pack.
enum PackStep {
    /// Its own header.
    PackHead(Vec<u8>),
    /// The type and the size of an object.
    ObjectHead(ObjectHead),
    /// The place of a delta's base: a number of any length, or an id of so many bytes.
    Offset(ObjectHead),
    Base(ObjectHead, usize),
    /// The object, compressed.
    Content(ObjectContent),
    /// Its checksum.
    Ended,
}

/// The type and the size of an object, as far as they were read.
#[derive(Clone, Copy, Default)]
struct ObjectHead {
    kind: u8,
    size: u64,
    /// Bits of the size that are known; none before the first byte.
    bits: u32,
}

/// An object on its way.
struct ObjectContent {
    head: ObjectHead,
    /// Bytes that were unpacked.
    done: u64,
    /// The beginning of a delta.
    delta: Vec<u8>,
}

impl PackReader {
    fn new(limits: GitLimits) -> Self {
        Self {
            limits,
            step: PackStep::PackHead(Vec::new()),
            left: 0,
            unpacked: 0,
            inflate: Decompress::new(true),
            piece: vec![0; PIECE].into(),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() && !matches!(self.step, PackStep::Ended) {
            let step = std::mem::replace(&mut self.step, PackStep::Ended);
            (self.step, bytes) = self.next(step, bytes)?;
        }
        Ok(())
    }

    /// The step after the first of `bytes`, and the bytes after them.
    fn next<'a>(&mut self, step: PackStep, bytes: &'a [u8]) -> Result<(PackStep, &'a [u8])> {
        let (first, rest) = (bytes[0], &bytes[1..]);
        let next = match step {
            PackStep::PackHead(mut head) => {
                head.push(first);
                self.after_pack_head(head)?
            }
            PackStep::ObjectHead(head) => match head.with(first)? {
                (head, true) => PackStep::ObjectHead(head),
                (head, false) => self.after_object_head(head)?,
            },
            PackStep::Offset(head) if first & 0x80 != 0 => PackStep::Offset(head),
            PackStep::Offset(head) | PackStep::Base(head, 1) => self.content(head),
            PackStep::Base(head, left) => PackStep::Base(head, left - 1),
            PackStep::Content(content) => return self.unpack(content, bytes),
            PackStep::Ended => PackStep::Ended,
        };
        Ok((next, rest))
    }

    fn after_pack_head(&mut self, head: Vec<u8>) -> Result<PackStep> {
        let Some(count) = head.get(8..PACK_HEAD) else {
            return Ok(PackStep::PackHead(head));
        };
        if !head.starts_with(b"PACK") {
            return Err(no_pack("it does not begin as one"));
        }
        self.left = count
            .iter()
            .fold(0, |count, byte| count << 8 | u32::from(*byte));
        Ok(self.object_or_end())
    }

    fn object_or_end(&mut self) -> PackStep {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                PackStep::ObjectHead(ObjectHead::default())
            }
            None => PackStep::Ended,
        }
    }

    fn after_object_head(&mut self, head: ObjectHead) -> Result<PackStep> {
        self.check_object(head.size)?;
        Ok(match head.kind {
            OFFSET_DELTA => PackStep::Offset(head),
            OBJECT_DELTA => PackStep::Base(head, ID),
            _ => self.content(head),
        })
    }

    fn content(&mut self, head: ObjectHead) -> PackStep {
        self.inflate.reset(true);
        PackStep::Content(ObjectContent {
            head,
            done: 0,
            delta: Vec::new(),
        })
    }

    /// Unpacks the next bytes of an object.
    fn unpack<'a>(
        &mut self,
        mut content: ObjectContent,
        bytes: &'a [u8],
    ) -> Result<(PackStep, &'a [u8])> {
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(bytes, &mut self.piece, FlushDecompress::None)
            .map_err(|error| {
                Error::new(Kind::Corrupt, format!("a Git pack is damaged: {error}"))
            })?;
        let taken = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(bytes.len());
        let made = usize::try_from(self.inflate.total_out() - before.1).unwrap_or(PIECE);
        content.done += made as u64;
        if content.done > content.head.size {
            return Err(no_pack("an object is larger than it says"));
        }
        if content.head.is_delta() {
            let room = DELTA_HEAD - content.delta.len();
            content
                .delta
                .extend_from_slice(&self.piece[..made.min(room)]);
        }
        if status == Status::StreamEnd {
            self.end_object(&content)?;
            return Ok((self.object_or_end(), &bytes[taken..]));
        }
        if taken == 0 && made == 0 {
            return Err(no_pack("an object does not end"));
        }
        Ok((PackStep::Content(content), &bytes[taken..]))
    }

    fn end_object(&mut self, content: &ObjectContent) -> Result<()> {
        let mut size = content.head.size;
        if content.head.is_delta() {
            let (base, rest) = delta_size(&content.delta)?;
            let (result, _) = delta_size(rest)?;
            self.check_object(base.max(result))?;
            size = result;
        }
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > self.limits.unpacked_bytes {
            let most = mebibytes(self.limits.unpacked_bytes);
            let message =
                format!("the Git server's pack unpacks to more than the {most} that are taken");
            return Err(Error::new(Kind::Refused, message));
        }
        Ok(())
    }

    fn check_object(&self, size: u64) -> Result<()> {
        let most = self.limits.object_bytes;
        if size <= most {
            return Ok(());
        }
        let (size, most) = (mebibytes(size), mebibytes(most));
        let message = format!(
            "the Git server's pack has an object of {size}, more than the {most} that are taken: files of this size belong into LFS"
        );
        Err(Error::new(Kind::Refused, message))
    }
}

impl ObjectHead {
    fn is_delta(self) -> bool {
        matches!(self.kind, OFFSET_DELTA | OBJECT_DELTA)
    }

    /// The head with its next byte, and whether more follow.
    fn with(self, byte: u8) -> Result<(Self, bool)> {
        let head = match self.bits {
            0 => Self {
                kind: byte >> 4 & 7,
                size: u64::from(byte & 15),
                bits: 4,
            },
            bits => Self {
                size: self.size | shifted(byte, bits)?,
                bits: bits + 7,
                ..self
            },
        };
        Ok((head, byte & 0x80 != 0))
    }
}

/// The first size in a delta, and the bytes after it.
fn delta_size(bytes: &[u8]) -> Result<(u64, &[u8])> {
    let mut size = 0;
    for (at, byte) in bytes.iter().enumerate() {
        size |= shifted(*byte, 7 * u32::try_from(at).unwrap_or(u32::MAX))?;
        if byte & 0x80 == 0 {
            return Ok((size, &bytes[at + 1..]));
        }
    }
    Err(no_pack("a delta has no sizes"))
}

/// Seven bits of a number at their place.
fn shifted(byte: u8, bits: u32) -> Result<u64> {
    let part = u64::from(byte & 0x7f);
    match bits {
        0..=56 => Ok(part << bits),
        _ => Err(no_pack("a size has too many digits")),
    }
}

fn no_pack(why: &str) -> Error {
    let message = format!("the Git server sends what is no pack: {why}");
    Error::new(Kind::Refused, message)
}

fn mebibytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

#[cfg(test)]
mod tests;
