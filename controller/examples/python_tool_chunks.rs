//! How the Python tool cuts the same work, to be compared with: the small files (those outside LFS) in chunk 0, then the
//! large ones by next-fit decreasing, each into the last chunk if it fits there, else into a new one.

use std::cmp::Reverse;

/// Bytes a chunk, as in its published run.
const CHUNK: u64 = 30_000_000_000;
/// Containers at a time, and it makes chunks larger until their bytes would fit into so many.
const CONTAINERS: u64 = 100;

/// A file that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moving {
    /// Its bytes.
    pub size: u64,
    /// Whether the source keeps it in LFS.
    pub lfs: bool,
}

/// Its chunks, in its order, which is the order in which containers take them.
pub fn chunks(files: &[Moving]) -> Vec<Vec<u64>> {
    let total: u64 = files.iter().map(|file| file.size).sum();
    let limit = CHUNK.max(total / CONTAINERS + 1);
    let (mut large, small): (Vec<Moving>, Vec<Moving>) = files.iter().partition(|file| file.lfs);
    large.sort_by_key(|file| Reverse(file.size));
    let mut held: u64 = small.iter().map(|file| file.size).sum();
    let mut chunks = vec![small.iter().map(|file| file.size).collect::<Vec<u64>>()];
    for Moving { size, .. } in large {
        match chunks.last_mut() {
            Some(last) if last.is_empty() || held + size <= limit => last.push(size),
            _ => {
                chunks.push(vec![size]);
                held = 0;
            }
        }
        held += size;
    }
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn moving(size: u64, lfs: bool) -> Moving {
        Moving { size, lfs }
    }

    #[test]
    fn next_fit_looks_at_the_last_chunk_only() {
        let files = [
            moving(5, false),
            moving(10 * GB, true),
            moving(25 * GB, true),
            moving(4 * GB, true),
            moving(7, false),
        ];
        assert_eq!(chunks(&files), [vec![5, 7, 25 * GB], vec![10 * GB, 4 * GB]]);
        let files = [
            moving(12 * GB, true),
            moving(20 * GB, true),
            moving(5 * GB, true),
        ];
        assert_eq!(
            chunks(&files),
            [vec![20 * GB], vec![12 * GB, 5 * GB]],
            "no small files, no chunk of them"
        );
        assert!(chunks(&[]).is_empty());
    }

    #[test]
    fn chunks_grow_until_a_hundred_could_hold_all() {
        assert_eq!(
            chunks(&[moving(17 * GB, true); 400])[0].len(),
            4,
            "68 GB each"
        );
        assert_eq!(
            chunks(&[moving(40 * GB, true), moving(GB, true)]).len(),
            2,
            "a larger file stands alone"
        );
    }
}
