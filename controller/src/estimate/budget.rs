//! The cost of all repos of one command together: it is compared with the limit, and confirmed once.

use std::collections::HashMap;
use std::sync::PoisonError;

use hf2ms_hub::RepoAt;
use tokio::sync::Mutex;

use super::confirm::{ask, confirm};
use super::rates::Rates;
use super::{CostArgs, Estimate};
use crate::args::workers::EngineKind;
use crate::runs::Runs;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, dollars};

/// The cost of the repos that were begun, and its limit.
#[derive(Debug, Default)]
pub struct CostBudget {
    cost: CostArgs,
    /// Locked while a question waits for its answer.
    so_far: Mutex<SoFar>,
    /// By both endpoints.
    rates: std::sync::Mutex<HashMap<[String; 2], Rates>>,
}

#[derive(Debug, Default)]
struct SoFar {
    agreed: bool,
    sum: Option<Estimate>,
}

impl CostBudget {
    /// An empty budget. `agreed`: there is no question to the user.
    pub fn new(cost: CostArgs, agreed: bool) -> Self {
        Self {
            cost,
            so_far: Mutex::new(SoFar { agreed, sum: None }),
            rates: std::sync::Mutex::default(),
        }
    }

    /// The rates between two hubs, read from earlier runs once.
    pub fn rates(
        &self,
        runs: &Runs,
        on: EngineKind,
        source: &RepoAt,
        destination: &RepoAt,
    ) -> Rates {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let between = [source.endpoint.clone(), destination.endpoint.clone()];
        rates
            .entry(between)
            .or_insert_with(|| Rates::of(runs, on, source, destination))
            .clone()
    }

    /// Adds a repo, if it may be begun, and returns the bytes of all repos so far.
    ///
    /// # Errors
    /// It would cost too much, together with those before it; or a person says no, and then that is for all.
    pub async fn admit(&self, estimate: &Estimate, screen: &Screen) -> CliResult<u64> {
        let mut so_far = self.so_far.lock().await;
        let sum = so_far
            .sum
            .as_ref()
            .map_or_else(|| estimate.clone(), |before| before.and(estimate));
        self.allow(&sum, so_far.sum.is_some())?;
        screen.bars().hide();
        let agreed = confirm(&sum, so_far.agreed, screen).await;
        screen.bars().show();
        so_far.agreed |= agreed.map_err(CliError::for_all)?;
        let bytes = sum.bytes;
        so_far.sum = Some(sum);
        Ok(bytes)
    }

    /// The user's answer to a question of one of the repos, while no other one asks; `None` without a terminal.
    pub async fn ask(&self, question: &str, screen: &Screen) -> Option<bool> {
        let _alone = self.so_far.lock().await;
        screen.bars().hide();
        let answer = ask(question, screen).await;
        screen.bars().show();
        answer
    }

    fn allow(&self, sum: &Estimate, has_others: bool) -> CliResult<()> {
        let allowed = sum.allowed_by(&self.cost);
        match (allowed, self.cost.max_cost) {
            (Err(failure), Some(limit)) if has_others => Err(CliError::new(
                failure.exit(),
                format!(
                    "with the repos before it this would cost about {} $, and --max-cost allows {limit} $: it was not begun; give more, or use --include",
                    dollars(sum.dollars)
                ),
            )),
            (allowed, _) => allowed,
        }
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::Exit;

    use super::*;
    use crate::ui::screen::Mode;

    fn costing(dollars: f64) -> Estimate {
        let rates = Rates {
            stream: 1.0,
            streams: 8,
            container: 1.0,
            total: None,
            runs: 0,
            measured: false,
        };
        let (files, bytes, there, there_bytes) = (1, 10, 0, 0);
        Estimate {
            files,
            bytes,
            stored: 0,
            stored_bytes: 0,
            up_to: false,
            there,
            there_bytes,
            on: EngineKind::Modal,
            workers: 1,
            containers: 1,
            seconds: 1.0,
            dollars,
            rates,
        }
    }

    #[tokio::test]
    async fn repos_share_one_limit_and_what_does_not_fit_costs_only_itself() {
        let budget = CostBudget::new(
            CostArgs {
                max_cost: Some(5.0),
            },
            false,
        );
        let screen = Screen::of(Mode::Json);
        assert_eq!(budget.admit(&costing(3.0), &screen).await, Ok(10));
        let failure = budget.admit(&costing(2.5), &screen).await.unwrap_err();
        assert_eq!((failure.exit(), failure.ends_all()), (Exit::Refused, false));
        assert_eq!(
            failure.to_string(),
            "with the repos before it this would cost about 5.5 $, and --max-cost allows 5 $: it was not begun; give more, or use --include"
        );
        assert_eq!(budget.admit(&costing(2.0), &screen).await, Ok(20));
    }
}
