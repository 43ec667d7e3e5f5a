//! One revision, looked at on both sides and planned. A commit that several branches stand at is listed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::{Listing, RefKind, Refs, Revision};
use hf2ms_worker::plan::{DigestCache, GitFiles, Plan};
use hf2ms_worker::protocol::Transport;
use serde::Serialize;

use super::summary::{Row, Standing};
use super::targets::{Named, Place, Target};
use crate::args::route::Route;
use crate::copy::Task;
use crate::copy::inspect::{Here, There};
use crate::copy::plan::{Sides, Wishes};
use crate::copy::sync_state::{Proof, Proofs};
use crate::runs::report::Report;
use crate::ui::errors::{Failure, Outcome};
use crate::ui::screen::Screen;

/// A revision as it was found.
pub struct Looked {
    /// Where it goes.
    pub target: Target,
    /// What stands there.
    pub there: There,
    /// Where words about it go.
    pub screen: Screen,
    /// What is to be done.
    pub found: Found,
}

/// A plan, and the branches and tags that it is for.
#[derive(Serialize)]
pub struct OfRevisions<'a> {
    revisions: Vec<&'a Named>,
    #[serde(flatten)]
    plan: Plan,
}

impl<'a> OfRevisions<'a> {
    /// Of a revision about which something is to be done.
    pub fn new(one: &'a Looked) -> Option<Self> {
        Some(Self {
            revisions: one.target.names().collect(),
            plan: plan_named(one.plan()?, &one.target),
        })
    }
}

/// The plan, whose run goes by the name that the revision is to have.
pub fn plan_named(plan: &Plan, target: &Target) -> Plan {
    let mut plan = plan.clone();
    if let Some(named) = target.first() {
        plan.destination.revision = named.destination.clone();
    }
    plan
}

impl Looked {
    /// What is to be done, if anything is.
    pub fn plan(&self) -> Option<&Plan> {
        if let Found::Planned(plan) = &self.found {
            Some(plan)
        } else {
            None
        }
    }

    /// A row a name: what would come of it.
    pub fn planned(&self) -> Vec<Row> {
        let row = |named: &Named| match &self.found {
            Found::Planned(plan) => Row::planned(named, &plan.summary()),
            Found::Proven(report) => {
                Row::reported(named, report, Standing::Unchanged, self.there.head.clone())
            }
        };
        self.target.names().map(row).collect()
    }

    /// Its files and their bytes.
    pub fn extent(&self) -> (u64, u64) {
        match &self.found {
            Found::Planned(plan) => (plan.summary().files, plan.summary().bytes),
            Found::Proven(report) => (report.tally.files, report.tally.bytes),
        }
    }
}

/// What is to be done about a revision.
pub enum Found {
    /// Nothing: an earlier run proves that it is there.
    Proven(Box<Report>),
    /// This.
    Planned(Box<Plan>),
}

/// What all revisions of a repo are looked at with.
pub struct Looking<'a> {
    task: &'a Task<'a>,
    route: &'a Route,
    here: &'a Here,
    there: &'a There,
    theirs: &'a Refs,
    known: DigestCache,
    proofs: Proofs,
    listings: Mutex<HashMap<Revision, Arc<tokio::sync::Mutex<Option<Seen>>>>>,
}

/// A commit that was listed.
struct Seen {
    listing: Listing,
    transport: Transport,
    outside: GitFiles,
}

impl<'a> Looking<'a> {
    /// Of these sides; `theirs` is what the destination has, and `known` what earlier runs have learned.
    pub fn new(
        task: &'a Task<'a>,
        route: &'a Route,
        sides: (&'a Here, &'a There),
        theirs: &'a Refs,
        known: DigestCache,
    ) -> Self {
        let proofs = Proofs::of(task.runs, &sides.1.at);
        Self {
            task,
            route,
            here: sides.0,
            there: sides.1,
            theirs,
            known,
            proofs,
            listings: Mutex::default(),
        }
    }

    /// Looks at one.
    ///
    /// # Errors
    /// It can't be read, or not be compared.
    pub async fn look(&self, target: Target, screen: Screen) -> Outcome<Looked> {
        let settings = self.task.settings;
        let (mut here, mut there) = self.sides(&target)?;
        if let Some(report) = self.proven(&here, &there) {
            return Ok(Looked {
                target,
                there,
                screen,
                found: Found::Proven(Box::new(report)),
            });
        }
        if target.place != Place::Apart {
            there.listing = there.current(settings).await?;
        }
        let listing = self.listing(&mut here).await?;
        let prune = if target.place == Place::Apart {
            None
        } else {
            self.task.prune
        };
        let (cutting, visibility, card) = (
            self.task.cutting.clone(),
            self.task.visibility,
            self.route.card(),
        );
        let wishes = Wishes {
            cutting,
            visibility,
            prune,
            card,
        };
        let (mut plan, there) = Sides::of(here, there, listing)
            .plan(&wishes, &self.known, settings)
            .await?;
        plan.check_folder_limit(there.hub.limits().folder_entries)
            .map_err(|error| Failure::refused(error.message()))?;
        if target.place == Place::Apart {
            plan.creation.exists = false;
        }
        Ok(Looked {
            target,
            there,
            screen,
            found: Found::Planned(Box::new(plan)),
        })
    }

    /// Whether an earlier run proves that it is there.
    pub fn is_proven(&self, target: &Target) -> bool {
        self.sides(target)
            .is_ok_and(|(here, there)| self.proven(&here, &there).is_some())
    }

    fn sides(&self, target: &Target) -> Outcome<(Here, There)> {
        let first = target
            .first()
            .ok_or_else(|| Failure::usage("a revision without a name"))?;
        Ok((
            self.here
                .at_commit(&target.commit, &first.source, self.task.settings)?,
            self.place(target)?,
        ))
    }

    /// The destination, where this goes.
    fn place(&self, target: &Target) -> Outcome<There> {
        let at = |kind, named: &Named| {
            let head = self.theirs.find(kind, &named.destination).cloned();
            self.there
                .at_branch(&named.destination, head, self.task.settings)
        };
        match &target.place {
            Place::Standing(named) => at(RefKind::Branch, named),
            Place::Tagged(named) => at(RefKind::Tag, named),
            Place::Apart => {
                let branch = target
                    .branch_apart()
                    .ok_or_else(|| Failure::usage("a commit that is none"))?;
                self.there.at_branch(&branch, None, self.task.settings)
            }
        }
    }

    fn proven(&self, here: &Here, there: &There) -> Option<Report> {
        let proof = Proof::new(
            &here.at,
            &there.at,
            there.head.clone()?,
            self.route.filter(),
            self.task.prune,
        );
        self.proofs
            .find(&proof.with_card(self.route.card()), self.task.runs)
    }

    /// The files at a commit. Who looks at it after another takes over how it was read, too.
    async fn listing(&self, here: &mut Here) -> Outcome<Listing> {
        let cell = {
            let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
            listings
                .entry(here.at.revision.clone())
                .or_default()
                .clone()
        };
        let mut seen = cell.lock().await;
        if let Some(seen) = &*seen {
            here.take_over(seen.transport, seen.outside, self.task.settings)?;
            return Ok(seen.listing.clone());
        }
        let listing = here.list(self.task.settings).await?;
        *seen = Some(Seen {
            listing: listing.clone(),
            transport: here.transport,
            outside: here.outside,
        });
        Ok(listing)
    }
}
