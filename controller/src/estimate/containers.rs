//! How many containers pay: the fewest that take hardly longer than as many as there may be. Containers of the cloud cost
//! money as long as they run, and most of a run's time is often that of its largest file.

use hf2ms_worker::protocol::Chunking;

use super::model::Model;
use super::rates::Rates;
use crate::args::workers::{EngineKind, WorkerArgs};

/// So much longer than the bound of as many containers as there may be.
const SLACK: f64 = 1.05;

/// How files of these sizes are cut into chunks, on as few containers as pay where nobody asked for a number.
pub fn chunking(worker_args: &WorkerArgs, sizes: &[u64], rates: &Rates) -> Chunking {
    match worker_args.chunking(sizes.iter().sum()) {
        Chunking::Even { containers } if worker_args.may_take_fewer() => Chunking::Even {
            containers: fewest(rates, sizes, containers),
        },
        given => given,
    }
}

/// The fewest containers, `most` at most, that come close to the bound of `most`.
fn fewest(rates: &Rates, sizes: &[u64], most: usize) -> usize {
    let model = |containers| rates.model(EngineKind::Modal, containers);
    let enough = model(most).lower_bound(sizes) * SLACK;
    // More containers are never slower.
    let fewer: Vec<usize> = (1..most).collect();
    fewer.partition_point(|containers| seconds(&model(*containers), sizes) > enough) + 1
}

/// Seconds that the files take at most, where each container takes the largest file left: no container has more than its share of
/// the bytes and one file. Where it has more files than streams, the last one may be alone, and no faster than a stream.
fn seconds(model: &Model, sizes: &[u64]) -> f64 {
    let largest = sizes.iter().max().copied().unwrap_or(0) as f64;
    let share = sizes.iter().sum::<u64>() as f64 / model.containers as f64;
    let rate_of_last = model.rate_of(match sizes.len() > model.containers * model.streams {
        true => 1,
        false => model.streams,
    });
    let fullest = share / model.rate_of(model.streams) + largest / rate_of_last;
    model.lower_bound(sizes).max(model.startup + fullest)
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::plan::chunks::cut;

    use super::super::play::play;
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn containers(sizes: &[u64], rates: &Rates) -> usize {
        match chunking(&WorkerArgs::default().in_cluster(), sizes, rates) {
            Chunking::Even { containers } => containers,
            other => panic!("{other:?}"),
        }
    }

    /// The containers that the rule chooses, and their simulated time as a multiple of the bound of a hundred.
    fn played(sizes: &[u64], rates: &Rates) -> (usize, f64) {
        let containers = containers(sizes, rates);
        let chunks: Vec<Vec<u64>> = cut(sizes, Chunking::Even { containers })
            .iter()
            .map(|chunk| chunk.iter().map(|index| sizes[*index as usize]).collect())
            .collect();
        let model = |containers| rates.model(EngineKind::Modal, containers);
        let seconds = play(&chunks, &model(containers)).unwrap().seconds;
        (containers, seconds / model(100).lower_bound(sizes))
    }

    #[test]
    fn a_file_that_takes_long_needs_no_containers_beside_its_own() {
        let rates = Rates::assumed(EngineKind::Modal);
        assert_eq!(containers(&[40 * GB; 3], &rates), 1);
        assert_eq!(containers(&[1, 2, 3], &rates), 1);
        assert_eq!(containers(&[], &rates), 1);
    }

    #[test]
    fn a_number_that_was_asked_for_is_taken() {
        let rates = Rates::assumed(EngineKind::Modal);
        let mut asked = WorkerArgs::default().in_cluster();
        asked.containers = Some(7);
        assert_eq!(
            chunking(&asked, &[40 * GB; 3], &rates),
            Chunking::Even { containers: 7 }
        );
        let mut sized = WorkerArgs::default().in_cluster();
        sized.chunk_size = Some(GB);
        assert!(matches!(
            chunking(&sized, &[40 * GB; 3], &rates),
            Chunking::Sized { .. }
        ));
    }

    #[test]
    fn as_few_as_are_chosen_take_5_percent_more_than_the_bound_of_a_hundred_at_most() {
        let published: Vec<u64> = (0..676).map(|n| 4_764_000_000 + n * 349_000).collect();
        let small: Vec<u64> = vec![100_000_000; 20_000];
        let assumed = Rates::assumed(EngineKind::Modal);
        // A hundred containers behind one line of 1 Gbit/s.
        let one_line = Rates {
            total: Some(125e6),
            ..assumed.clone()
        };
        for (sizes, rates, most) in [
            (&published, &assumed, 60),
            (&published, &one_line, 2),
            (&small, &assumed, 100),
            (&small, &one_line, 2),
        ] {
            let (containers, ratio) = played(sizes, rates);
            println!("{containers} containers, {ratio:.3} of the bound");
            assert!(
                containers <= most && (containers == 100 || ratio <= 1.05),
                "{containers} containers, {ratio}"
            );
        }
    }
}
