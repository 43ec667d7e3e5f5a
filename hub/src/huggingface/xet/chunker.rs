//! Where a file is cut into chunks: by its content, so that what is equal is cut equally wherever it stands.
//! Facts: the Xet protocol specification ("Chunking").

/// No chunk but a file's last is smaller.
const LEAST: usize = 8 << 10;
/// None is larger.
pub(super) const MOST: usize = 128 << 10;
/// The rolling hash knows of so many bytes; what comes before them is not looked at.
const WINDOW: usize = 64;
/// A boundary is where these bits of the hash are zero: once in 64 KiB.
const MASK: u64 = 0xFFFF_0000_0000_0000;

/// Finds boundaries in bytes that come piece by piece.
pub(super) struct Chunker {
    hasher: gearhash::Hasher<'static>,
    /// Bytes of the chunk so far.
    length: usize,
}

impl Chunker {
    pub(super) fn new() -> Self {
        Self {
            hasher: gearhash::Hasher::default(),
            length: 0,
        }
    }

    /// How many of the next bytes still belong to this chunk, which ends with them; `None` if all do, and it goes on.
    pub(super) fn boundary(&mut self, next: &[u8]) -> Option<usize> {
        let end = next.len().min(MOST - self.length);
        let mut at = (LEAST - WINDOW - 1).saturating_sub(self.length).min(end);
        while let Some(matched) = self.hasher.next_match(&next[at..end], MASK) {
            at += matched;
            if self.length + at >= LEAST {
                return Some(self.end(at));
            }
        }
        if self.length + end == MOST {
            return Some(self.end(end));
        }
        self.length += end;
        None
    }

    fn end(&mut self, at: usize) -> usize {
        self.hasher.set_hash(0);
        self.length = 0;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(content: &[u8], piece: usize) -> Vec<usize> {
        let (mut chunker, mut ends, mut done) = (Chunker::new(), Vec::new(), 0);
        for mut piece in content.chunks(piece) {
            while let Some(at) = chunker.boundary(piece) {
                done += at;
                ends.push(done);
                piece = &piece[at..];
                if piece.is_empty() {
                    break;
                }
            }
            done += piece.len();
        }
        ends
    }

    fn random(bytes: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        std::iter::repeat_with(|| random.u8(..))
            .take(bytes)
            .collect()
    }

    #[test]
    fn the_pieces_that_content_comes_in_make_no_difference() {
        let content = random(3_000_000);
        let ends = cut(&content, content.len());
        assert!(ends.len() > 20, "{}", ends.len());
        for piece in [1, 63, 4096, 100_003] {
            assert_eq!(cut(&content, piece), ends, "{piece}");
        }
        let sizes = ends.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(
            sizes.clone().all(|size| (LEAST..=MOST).contains(&size)),
            "{:?}",
            sizes.collect::<Vec<_>>()
        );
    }

    #[test]
    fn content_without_a_boundary_is_cut_at_the_largest_size() {
        assert_eq!(
            cut(&vec![0; 3 * MOST + 5], 50_000),
            [MOST, 2 * MOST, 3 * MOST]
        );
    }

    #[test]
    fn the_same_content_further_on_is_cut_the_same() {
        let content = random(2_000_000);
        let moved = cut(&[&random(777)[..], &content].concat(), 1 << 20);
        let shared = cut(&content, 1 << 20)
            .iter()
            .filter(|end| moved.contains(&(*end + 777)))
            .count();
        assert!(shared > 10, "{shared}");
    }
}
