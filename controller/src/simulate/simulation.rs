//! A plan and the Python tool's cut of the same files, played on the same containers, side by side.

use serde_json::{Value, json};

use super::python::{self, Moving};
use super::{Endless, Model, Played, play};
use crate::args::workers::On;
use crate::estimate::price;
use crate::ui::screen::{dollars, duration, size};

/// Both games.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What the containers can do.
    pub model: Model,
    /// Files that move.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds before which nothing could end.
    pub bound: f64,
    /// The plan's own chunks.
    pub plan: Game,
    /// The Python tool's.
    pub python: Game,
}

/// One way of cutting, played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Game {
    /// Chunks.
    pub chunks: usize,
    /// How it ended.
    pub played: Played,
    /// Times the lower bound; 1 when nothing moves.
    pub ratio: f64,
    /// The part of what the containers could have moved until the end that was moved, and not in vain.
    pub utilisation: f64,
    /// What it costs.
    pub dollars: f64,
}

impl Comparison {
    /// Plays both.
    ///
    /// # Errors
    /// One of them would not end.
    pub fn play(chunks: &[Vec<Moving>], model: Model, on: On) -> Result<Self, Endless> {
        let files: Vec<Moving> = chunks.iter().flatten().copied().collect();
        let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
        let (bytes, bound) = (sizes.iter().sum(), model.lower_bound(&sizes));
        let own: Vec<Vec<u64>> = chunks
            .iter()
            .map(|chunk| chunk.iter().map(|file| file.size).collect())
            .collect();
        let game = |chunks: &[Vec<u64>]| -> Result<Game, Endless> {
            let played = play(chunks, &model)?;
            Ok(Game::judge(chunks.len(), played, bytes, bound, &model, on))
        };
        Ok(Self {
            model,
            files: files.len(),
            bytes,
            bound,
            plan: game(&own)?,
            python: game(&python::chunks(&files))?,
        })
    }

    /// For a program.
    pub fn json(&self) -> Value {
        json!({
            "event": "simulation", "model": self.model, "files": self.files, "bytes": self.bytes, "lower_bound": self.bound,
            "plan": self.plan.json(), "python": self.python.json(),
        })
    }

    /// For a person: two columns.
    pub fn readable(&self) -> String {
        let both = |name: &str, value: &dyn Fn(&Game) -> String| {
            format!(
                "  {name:<20} {:<16} {}",
                value(&self.plan),
                value(&self.python)
            )
            .trim_end()
            .to_owned()
        };
        [
            format!(
                "simulated: {} files, {}, {}",
                self.files,
                size(self.bytes),
                in_words(&self.model)
            ),
            format!(
                "  {:<20} {:<16} {}",
                "", "this plan", "the Python tool's chunks"
            ),
            both("chunks", &|game| game.chunks.to_string()),
            both("makespan", &|game| duration(game.played.seconds)),
            format!("  {:<20} {}", "lower bound", duration(self.bound)),
            both("times the bound", &|game| format!("{:.3}", game.ratio)),
            both("utilisation", &|game| {
                format!("{:.1} %", game.utilisation * 100.0)
            }),
            both("cost", &|game| format!("{} $", dollars(game.dollars))),
            both("containers lost", &|game| game.played.lost.to_string()),
            both("moved in vain", &|game| size(game.played.vain as u64)),
            both("chunks given up", &|game| game.played.given_up.to_string()),
        ]
        .join("\n")
    }
}

impl Game {
    fn judge(chunks: usize, played: Played, bytes: u64, bound: f64, model: &Model, on: On) -> Self {
        let could = model.capacity(model.containers) * played.seconds;
        Self {
            chunks,
            played,
            ratio: if bound > 0.0 && chunks > 0 {
                played.seconds / bound
            } else {
                1.0
            },
            utilisation: if could > 0.0 {
                bytes as f64 / could
            } else {
                1.0
            },
            dollars: price::dollars(on, played.container_seconds, played.seconds),
        }
    }

    fn json(&self) -> Value {
        json!({
            "chunks": self.chunks, "makespan": self.played.seconds, "ratio": self.ratio, "utilisation": self.utilisation,
            "dollars": self.dollars, "container_seconds": self.played.container_seconds, "lost": self.played.lost,
            "vain": self.played.vain, "given_up": self.played.given_up,
        })
    }
}

fn in_words(model: &Model) -> String {
    let rate = |rate: f64| format!("{}/s", size(rate as u64));
    let total = if model.total_rate.is_finite() {
        format!(", {} in all", rate(model.total_rate))
    } else {
        String::new()
    };
    let death = if model.lifetime.is_finite() {
        format!("one dies after {}", duration(model.lifetime))
    } else {
        "none dies".to_owned()
    };
    let (each, start, file) = (
        rate(model.container_rate),
        duration(model.startup),
        duration(model.file_seconds),
    );
    format!(
        "{} containers of {each}{total}, ready after {start}, {file} a file, {death}",
        model.containers
    )
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::plan::chunks::cut;
    use hf2ms_worker::protocol::Chunking;

    use super::*;
    use crate::estimate::rates::Rates;

    const GB: u64 = 1_000_000_000;

    /// The published case: a dataset of 3.3 TB in 678 files, of which two are small ones outside LFS (a README and
    /// `.gitattributes`). The sizes of the archives were not published. Here they grow evenly from 4.764 to 5.0 GB, because
    /// six of them must fit into 30 GB, and seven into no chunk, for 676 to fill the 113 chunks that were; one takes what is
    /// missing to 3.3 TB, which is within the same range.
    fn published() -> Vec<Moving> {
        let even = (0..675_u64)
            .map(|n| 4_764_000_000 + n * 349_000)
            .map(|size| Moving { size, lfs: true });
        let small = [4_321, 2_468].map(|size| Moving { size, lfs: false });
        let mut files: Vec<Moving> = small.into_iter().chain(even).collect();
        let rest = 3_300 * GB - files.iter().map(|file| file.size).sum::<u64>();
        files.push(Moving {
            size: rest,
            lfs: true,
        });
        files
    }

    /// A hundred containers of which nothing is known: they are taken to be as the published run's were.
    fn containers() -> Model {
        Rates::assumed(On::Modal).model(On::Modal, 100)
    }

    fn compared(model: Model) -> Comparison {
        let files = published();
        let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
        let cut = cut(&sizes, Chunking::Even { containers: 100 });
        let chunks: Vec<Vec<Moving>> = cut
            .iter()
            .map(|chunk| chunk.iter().map(|index| files[*index as usize]).collect())
            .collect();
        let compared = Comparison::play(&chunks, model, On::Modal).unwrap();
        println!("{}\n", compared.readable());
        compared
    }

    #[test]
    fn the_published_case_is_678_files_of_3_3_tb_in_113_chunks() {
        let files = published();
        assert_eq!(
            (files.len(), files.iter().map(|file| file.size).sum::<u64>()),
            (678, 3_300 * GB)
        );
        let sizes: Vec<u64> = files
            .iter()
            .filter(|file| file.lfs)
            .map(|file| file.size)
            .collect();
        assert!(
            sizes
                .iter()
                .all(|size| (4_764_000_000..=5_000_000_000).contains(size)),
            "{:?}",
            sizes.last()
        );
        assert_eq!(python::chunks(&files).len(), 113);
    }

    #[test]
    fn the_published_case_ends_near_the_bound_and_long_before_the_python_tools_chunks() {
        let compared = compared(containers());
        assert!(compared.plan.ratio <= 1.05, "{}", compared.plan.ratio);
        assert!(compared.plan.played.seconds <= 0.9 * compared.python.played.seconds);
        // Those took 2 h 0 min, which two waves of chunks at the assumed rate come to.
        assert!(
            (compared.python.played.seconds - 7200.0).abs() < 180.0,
            "{}",
            compared.python.played.seconds
        );
    }

    #[test]
    fn the_published_case_stays_ahead_without_start_up_and_with_other_rates() {
        for container_rate in [8e6, 80e6, 400e6] {
            let compared = compared(Model {
                container_rate,
                startup: 0.0,
                file_seconds: 0.0,
                ..containers()
            });
            assert!(compared.plan.ratio <= 1.05, "{}", compared.plan.ratio);
            assert!(compared.plan.played.seconds <= 0.9 * compared.python.played.seconds);
        }
    }

    #[test]
    fn containers_that_die_cost_less_with_smaller_chunks() {
        let mortal = compared(Model {
            lifetime: 6.0 * 3600.0,
            ..containers()
        });
        assert!(mortal.plan.played.lost > 0 && mortal.plan.played.vain > 0.0);
        assert!(mortal.plan.played.seconds < mortal.python.played.seconds);
        assert!(mortal.plan.utilisation < compared(containers()).plan.utilisation);
    }

    #[test]
    fn a_line_that_is_full_anyway_is_shared_and_no_cut_beats_it() {
        let narrow = compared(Model {
            total_rate: 400e6,
            ..containers()
        });
        assert!(
            narrow.plan.ratio < 1.05 && narrow.python.ratio > narrow.plan.ratio,
            "{} {}",
            narrow.plan.ratio,
            narrow.python.ratio
        );
    }

    #[test]
    fn nothing_to_move_takes_no_time() {
        let none = Comparison::play(&[], containers(), On::Modal).unwrap();
        assert_eq!(
            (none.plan.played.seconds, none.plan.ratio, none.plan.dollars),
            (0.0, 1.0, 0.0)
        );
        assert!(none.readable().contains("0 files"));
    }
}
