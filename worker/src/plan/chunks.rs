//! The cutting of work into chunks, by the sizes of files. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{PlannedFile, by_git};
use crate::protocol::{Chunking, Transport};

/// What a file costs besides its bytes, in bytes: its requests. It keeps a million tiny files from sharing one chunk.
pub const FILE_COST: u64 = 256 << 10;
/// Chunks are not cut smaller than this on average only to have more of them.
const SMALLEST_AVERAGE: u64 = 256 << 20;
/// A chunk has no fewer files on average only to have more chunks. A worker moves up to 32 files at a time. At the end of each chunk
/// some of its streams have nothing left to do.
const FEWEST_FILES: usize = 128;
/// Chunks a container, in order of preference: several, so that a slow or lost container costs little.
const CHUNKS_A_CONTAINER: [usize; 5] = [4, 3, 2, 1, 8];
/// A preferred cut may take this much longer than the best one.
const SLACK: f64 = 1.01;

/// Cuts files of these sizes into chunks of indices, the heaviest chunk first, the largest file first in
/// each. Every index is in exactly one chunk and no chunk is empty. Deterministic; the order of the sizes
/// matters only among equal ones.
pub fn cut(sizes: &[u64], chunking: Chunking) -> Vec<Vec<u32>> {
    if sizes.is_empty() {
        return Vec::new();
    }
    match chunking {
        Chunking::Even { containers } => cut_evenly(&Load::with_cost(sizes), containers.max(1)),
        Chunking::Shared { bytes, at_most } => cut_evenly(
            &Load::with_cost(sizes),
            workers_for(total(sizes), bytes, at_most),
        ),
        Chunking::Sized { bytes, at_most } => {
            cut_to_size(&Load::plain(sizes), bytes.max(1), at_most.max(1))
        }
    }
}

/// Workers at a time for `chunks` chunks of these bytes that were cut so.
pub(super) fn workers_of(chunking: Chunking, chunks: usize, bytes: u64) -> u32 {
    let most = match chunking {
        Chunking::Even { containers } => containers,
        Chunking::Shared { bytes: a, at_most } => workers_for(bytes, a, at_most),
        Chunking::Sized { at_most, .. } => at_most,
    };
    u32::try_from(most.min(chunks).max(1)).unwrap_or(u32::MAX)
}

fn total(sizes: &[u64]) -> u64 {
    sizes.iter().fold(0, |sum, size| sum.saturating_add(*size))
}

/// A worker for each `share` of these bytes, one at least.
pub fn workers_for(bytes: u64, share: u64, at_most: usize) -> usize {
    usize::try_from(bytes.div_ceil(share.max(1)))
        .unwrap_or(usize::MAX)
        .clamp(1, at_most.max(1))
}

/// When the last of `workers` ends, if each takes the next of `loads` as soon as it is free.
pub fn makespan(loads: impl IntoIterator<Item = u64>, workers: usize) -> u64 {
    let mut ends: BinaryHeap<Reverse<u64>> = (0..workers.max(1)).map(|_| Reverse(0)).collect();
    for load in loads {
        if let Some(mut soonest) = ends.peek_mut() {
            soonest.0 = soonest.0.saturating_add(load);
        }
    }
    ends.into_iter().map(|Reverse(end)| end).max().unwrap_or(0)
}

/// The weights of files, heaviest first.
struct Load {
    heaviest_first: Vec<(u64, u32)>,
    total: u64,
}

/// One cut: its chunks and their loads, heaviest first.
struct Cut {
    chunks: Vec<Vec<u32>>,
    loads: Vec<u64>,
}

impl Load {
    fn plain(sizes: &[u64]) -> Self {
        Self::of(sizes.iter().copied())
    }

    fn with_cost(sizes: &[u64]) -> Self {
        Self::of(sizes.iter().map(|size| size.saturating_add(FILE_COST)))
    }

    fn of(weights: impl Iterator<Item = u64>) -> Self {
        let mut heaviest_first: Vec<(u64, u32)> = weights.zip(0..).collect();
        heaviest_first.sort_unstable_by_key(|&(weight, index)| (Reverse(weight), index));
        let total = heaviest_first
            .iter()
            .fold(0, |sum: u64, (weight, _)| sum.saturating_add(*weight));
        Self {
            heaviest_first,
            total,
        }
    }

    fn files(&self) -> usize {
        self.heaviest_first.len()
    }

    /// Largest first onto the emptiest of `bins`; empty bins are left out.
    fn pack(&self, bins: usize) -> Cut {
        let bins = bins.clamp(1, self.files());
        let mut chunks = vec![Vec::new(); bins];
        let mut emptiest: BinaryHeap<Reverse<(u64, usize)>> =
            (0..bins).map(|bin| Reverse((0, bin))).collect();
        for &(weight, index) in &self.heaviest_first {
            if let Some(mut least) = emptiest.peek_mut() {
                least.0.0 = least.0.0.saturating_add(weight);
                chunks[least.0.1].push(index);
            }
        }
        let mut packed: Vec<_> = emptiest
            .into_iter()
            .map(|Reverse((load, bin))| (load, bin))
            .collect();
        packed.sort_unstable_by_key(|&(load, bin)| (Reverse(load), bin));
        packed.retain(|&(_, bin)| !chunks[bin].is_empty());
        Cut {
            loads: packed.iter().map(|(load, _)| *load).collect(),
            chunks: packed
                .iter()
                .map(|(_, bin)| std::mem::take(&mut chunks[*bin]))
                .collect(),
        }
    }
}

fn cut_evenly(load: &Load, containers: usize) -> Vec<Vec<u32>> {
    let worth_it = |bins: usize| {
        let is_large = load.total / bins as u64 >= SMALLEST_AVERAGE;
        bins <= containers || (is_large && load.files() / bins >= FEWEST_FILES)
    };
    let cuts: Vec<(u64, Cut)> = CHUNKS_A_CONTAINER
        .iter()
        .map(|times| {
            if containers == 1 {
                1
            } else {
                times.saturating_mul(containers)
            }
        })
        .filter(|bins| worth_it(*bins))
        .map(|bins| load.pack(bins))
        .map(|cut| (makespan(cut.loads.iter().copied(), containers), cut))
        .collect();
    let soonest = cuts.iter().map(|(end, _)| *end).min().unwrap_or(0);
    let good_enough = |end: u64| end as f64 <= soonest as f64 * SLACK;
    cuts.into_iter()
        .find(|(end, _)| good_enough(*end))
        .map(|(_, cut)| cut.chunks)
        .unwrap_or_default()
}

fn cut_to_size(load: &Load, bytes: u64, at_most: usize) -> Vec<Vec<u32>> {
    let most = at_most.min(load.files());
    let mut bins = usize::try_from(load.total.div_ceil(bytes))
        .unwrap_or(most)
        .clamp(1, most);
    loop {
        let cut = load.pack(bins);
        let fits = cut
            .chunks
            .iter()
            .zip(&cut.loads)
            .all(|(chunk, load)| *load <= bytes || chunk.len() == 1);
        if fits || bins >= most {
            return cut.chunks;
        }
        bins = (bins + bins / 20 + 1).min(most);
    }
}

/// The chunks of the files that move. By Git each chunk with a file outside LFS fetches the pack, so that those files share one.
pub(super) fn of_files(
    files: &[PlannedFile],
    chunking: Chunking,
    transport: Transport,
) -> Vec<Vec<u32>> {
    let moving = |index: &u32| files[*index as usize].moves_here();
    let indices = (0..).take(files.len()).filter(moving);
    let apart =
        |index: &u32| transport == Transport::Git && by_git::is_outside(&files[*index as usize]);
    let (packed, others): (Vec<u32>, Vec<u32>) = indices.partition(apart);
    let mut chunks = cut_of(files, &others, chunking);
    if chunks.len() == 1 && matches!(chunking, Chunking::Even { containers: 1 }) {
        chunks[0].extend(&packed);
    } else if !packed.is_empty() {
        let weight = |chunk: &Vec<u32>| {
            chunk
                .iter()
                .map(|index| files[*index as usize].file.size.saturating_add(FILE_COST))
                .sum::<u64>()
        };
        let place = chunks
            .iter()
            .position(|chunk| weight(chunk) < weight(&packed))
            .unwrap_or(chunks.len());
        chunks.insert(place, packed);
    }
    chunks
}

fn cut_of(files: &[PlannedFile], moving: &[u32], chunking: Chunking) -> Vec<Vec<u32>> {
    let sizes: Vec<u64> = moving
        .iter()
        .map(|index| files[*index as usize].file.size)
        .collect();
    let mut chunks = cut(&sizes, chunking);
    for index in chunks.iter_mut().flatten() {
        *index = moving[*index as usize];
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GB: u64 = 1_000_000_000;

    /// A generator that needs no seed from outside: the same sizes on every machine.
    fn shards(count: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..count).map(move |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            from + (state >> 33) % (to - from).max(1)
        })
    }

    /// The published case in several shapes: 678 files, about 3.3 TB.
    fn published() -> Vec<(&'static str, Vec<u64>)> {
        let scaled = |sizes: Vec<u64>| {
            let total: u64 = sizes.iter().sum();
            sizes
                .iter()
                .map(|size| (*size as f64 * 3300.0 * GB as f64 / total as f64) as u64)
                .collect::<Vec<_>>()
        };
        vec![
            ("equal shards", scaled(vec![GB; 678])),
            (
                "shards of 4.3 to 5 GB",
                scaled(shards(678, 43 * GB / 10, 5 * GB).collect()),
            ),
            (
                "600 shards and a tail",
                shards(600, 5 * GB, 6 * GB)
                    .chain(shards(78, 1000, 20_000_000))
                    .collect(),
            ),
            (
                "uniform from 0 to 10 GB",
                scaled(shards(678, 0, 10 * GB).collect()),
            ),
            (
                "geometric",
                scaled((0..678).map(|i| (1.01_f64.powi(i) * 1e6) as u64).collect()),
            ),
            (
                "one of 500 GB among many",
                std::iter::once(500 * GB)
                    .chain(shards(677, 4 * GB, 43 * GB / 10))
                    .collect(),
            ),
        ]
    }

    fn loads(sizes: &[u64], chunks: &[Vec<u32>]) -> Vec<u64> {
        chunks
            .iter()
            .map(|chunk| chunk.iter().map(|i| sizes[*i as usize]).sum())
            .collect()
    }

    #[test]
    fn there_are_as_many_workers_as_were_planned_for_and_no_more_than_chunks() {
        let shared = |bytes| Chunking::Shared { bytes, at_most: 8 };
        let sized = Chunking::Sized {
            bytes: GB,
            at_most: 100,
        };
        for (chunking, chunks, workers) in [
            (Chunking::Even { containers: 12 }, 48, 12),
            (Chunking::Even { containers: 12 }, 5, 5),
            (Chunking::Even { containers: 12 }, 0, 1),
            (shared(GB), 20, 3),
            (shared(1), 20, 8),
            (sized, 7, 7),
        ] {
            assert_eq!(workers_of(chunking, chunks, 3 * GB), workers);
        }
    }

    #[test]
    fn a_hundred_containers_end_together_on_the_published_case() {
        for (name, sizes) in published() {
            let chunks = cut(&sizes, Chunking::Even { containers: 100 });
            let bound = (sizes.iter().sum::<u64>() / 100).max(*sizes.iter().max().unwrap());
            let over = makespan(loads(&sizes, &chunks), 100) as f64 / bound as f64;
            println!(
                "{name}: {} chunks, {:.2} % over the bound",
                chunks.len(),
                (over - 1.0) * 100.0
            );
            assert!(over <= 1.05, "{name}: {over}");
        }
    }

    #[test]
    fn one_container_takes_one_chunk_and_small_work_is_not_shredded() {
        assert_eq!(
            cut(&[5, 3, 9], Chunking::Even { containers: 1 }),
            [[2, 0, 1]]
        );
        assert_eq!(cut(&[1000; 500], Chunking::Even { containers: 4 }).len(), 4);
        assert_eq!(cut(&[GB; 3], Chunking::Even { containers: 8 }).len(), 3);
        assert!(cut(&[], Chunking::Even { containers: 8 }).is_empty());
    }

    #[test]
    fn a_larger_file_stands_alone_and_a_hundred_chunks_suffice() {
        let sizes = [70 * GB, 10 * GB, 10 * GB, 10 * GB];
        let chunks = cut(
            &sizes,
            Chunking::Sized {
                bytes: 20 * GB,
                at_most: 100,
            },
        );
        assert_eq!(loads(&sizes, &chunks)[0], 70 * GB);
        assert!(
            loads(&sizes, &chunks)[1..]
                .iter()
                .all(|load| *load <= 20 * GB)
        );
        assert_eq!(
            cut(
                &[GB; 5000],
                Chunking::Sized {
                    bytes: GB,
                    at_most: 100
                }
            )
            .len(),
            100
        );
    }

    #[test]
    fn a_share_of_bytes_is_a_workers() {
        let even = |containers| cut(&[GB; 12], Chunking::Even { containers });
        let shared = |bytes, at_most| cut(&[GB; 12], Chunking::Shared { bytes, at_most });
        assert_eq!(shared(4 * GB, 100), even(3));
        assert_eq!((shared(GB, 5), shared(u64::MAX, 5)), (even(5), even(1)));
    }

    #[test]
    fn a_worker_is_had_for_each_share_that_was_begun() {
        for (bytes, share, at_most, workers) in [
            (9, 3, 100, 3),
            (10, 3, 100, 4),
            (10, 3, 2, 2),
            (0, 3, 100, 1),
            (5, 0, 100, 5),
            (5, 1, 0, 1),
        ] {
            assert_eq!(
                workers_for(bytes, share, at_most),
                workers,
                "{bytes}/{share}"
            );
        }
    }

    #[test]
    fn each_worker_takes_the_next_load_as_soon_as_it_is_free() {
        assert_eq!(makespan([5, 3, 4], 2), 7);
        assert_eq!((makespan([5, 3, 4], 0), makespan([], 3)), (12, 0));
        assert_eq!(makespan([u64::MAX, 1], 1), u64::MAX);
    }

    #[test]
    fn more_chunks_are_worth_a_little_time() {
        let sizes: Vec<u64> = shards(8 * 128, GB / 2, GB).collect();
        let two = Chunking::Even { containers: 2 };
        assert_eq!(cut(&sizes, two).len(), 8);
        assert_eq!(
            cut(&sizes[..255], two).len(),
            2,
            "a worker has many files to move at a time"
        );
    }

    #[test]
    fn chunks_of_a_size_are_as_few_as_the_files_allow() {
        let count =
            |sizes: &[u64], bytes, at_most| cut(sizes, Chunking::Sized { bytes, at_most }).len();
        assert_eq!(count(&[6; 4], 12, 100), 2, "filled to the size");
        assert_eq!(count(&[6; 4], 10, 100), 4, "two are too large");
        assert_eq!(count(&[6; 4], 10, 3), 3, "no more than allowed");
        assert_eq!(count(&[6; 60], 13, 100), 30, "two each");
        assert_eq!(count(&[13, 1, 1, 1, 1], 12, 100), 2, "a large one is alone");
    }

    fn any_chunking() -> impl Strategy<Value = Chunking> {
        prop_oneof![
            (1..120_usize).prop_map(|containers| Chunking::Even { containers }),
            (1..50 * GB, 1..101_usize)
                .prop_map(|(bytes, at_most)| Chunking::Sized { bytes, at_most }),
            (1..50 * GB, 1..101_usize)
                .prop_map(|(bytes, at_most)| Chunking::Shared { bytes, at_most }),
        ]
    }

    fn any_sizes() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(
            prop_oneof![
                0..10_000_u64,
                0..10 * GB,
                Just(4 * GB),
                Just(u64::MAX / 1000)
            ],
            0..300,
        )
    }

    proptest! {
        #[test]
        fn every_file_is_in_exactly_one_chunk(sizes in any_sizes(), chunking in any_chunking()) {
            let chunks = cut(&sizes, chunking);
            prop_assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
            let mut seen: Vec<u32> = chunks.into_iter().flatten().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sizes.len() as u32).collect::<Vec<_>>());
        }

        #[test]
        fn the_order_of_the_files_does_not_matter(sizes in any_sizes(), chunking in any_chunking(), turn in 0..300_usize) {
            let of_sizes = |sizes: &[u64]| {
                let chunks = cut(sizes, chunking);
                chunks.iter().map(|chunk| chunk.iter().map(|i| sizes[*i as usize]).collect::<Vec<_>>()).collect::<Vec<_>>()
            };
            let mut turned = sizes.clone();
            turned.rotate_left(turn % sizes.len().max(1));
            turned.reverse();
            prop_assert_eq!(of_sizes(&sizes), of_sizes(&turned));
        }

        #[test]
        fn no_worker_ends_later_than_list_scheduling_allows(sizes in any_sizes(), containers in 1..120_usize) {
            let weights: Vec<u64> = sizes.iter().map(|size| size + FILE_COST).collect();
            let end = makespan(loads(&weights, &cut(&sizes, Chunking::Even { containers })), containers);
            let bound = weights.iter().sum::<u64>() as f64 / containers as f64 + weights.iter().max().copied().unwrap_or(0) as f64;
            prop_assert!(end as f64 <= bound * 1.011, "{end} > {bound}");
        }

        #[test]
        fn sized_chunks_keep_their_number(sizes in any_sizes(), bytes in 1..50 * GB, at_most in 1..101_usize) {
            let chunks = cut(&sizes, Chunking::Sized { bytes, at_most });
            prop_assert!(chunks.len() <= at_most);
            let fits = loads(&sizes, &chunks).iter().zip(&chunks).all(|(load, chunk)| *load <= bytes || chunk.len() == 1);
            prop_assert!(fits || chunks.len() == at_most.min(sizes.len()));
        }
    }
}
