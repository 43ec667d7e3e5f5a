//! `push`: writes the refs of a mirror, each to the commit that was scanned, and lists them afterwards. A ref that the host refuses costs
//! only itself: where a hook refuses a whole push for one ref, the others are pushed without it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hf2ms_hub::git::{Advertisement, Bare, PushResponse, Pushed, Rejection, is_exact, lfs_address};
use hf2ms_hub::{Error, Kind, Result, Sha256};

use super::scan::lacking;
use super::updates::{PushBudget, PushResults, Refusal, conflict, halves, sort_answers, specs};
use super::{MirrorRepos, close_folder, exit_or_report};
use crate::events::Events;
use crate::protocol::{
    Event, Exit, FailedFile, Force, LfsPolicy, PushJob, PushReport, RefOutcome, RefScope, RefState,
    RefUpdate, Safeguard,
};
use crate::settings::Settings;

/// Pushes the refs, and reports each of them as an event.
pub async fn push(job: &PushJob, settings: &Settings, events: &Arc<Events>) -> Exit {
    events.start("push", &job.run, 0, job.updates.len() as u64, 0);
    exit_or_report(events, push_refs(job, settings, events).await)
}

async fn push_refs(job: &PushJob, settings: &Settings, events: &Arc<Events>) -> Result<Exit> {
    let failed = job.receipts.iter().flat_map(|receipt| &receipt.failed);
    if let Some(fatal) = FailedFile::fatal(failed) {
        return Err(fatal.to_error());
    }
    let sides = MirrorRepos::open(&job.source, &job.destination, settings, events)?;
    let bare = sides.fetch(job.scope, &job.folder).await?;
    let pushing = RefPush {
        job,
        lost: &lost(job),
        sides: &sides,
        bare: &bare,
        events,
        has_waited: AtomicBool::new(false),
    };
    let landed = pushing.run().await;
    close_folder(bare, &job.folder);
    let landed = landed?;
    let exit = if landed
        .refs
        .iter()
        .any(|outcome| outcome.state == RefState::Refused)
    {
        Exit::Incomplete
    } else {
        Exit::Done
    };
    events.say(&Event::Pushed(landed));
    Ok(exit)
}

/// The LFS objects that the target lacks for good: those that it does not take, and those that no chunk has stored.
fn lost(job: &PushJob) -> HashSet<Sha256> {
    let brought: HashSet<Sha256> = job
        .receipts
        .iter()
        .flat_map(|receipt| &receipt.files)
        .map(|stored| stored.sha256)
        .collect();
    let awaited = job
        .awaited
        .iter()
        .filter(|sha256| !brought.contains(sha256));
    job.lost.iter().chain(awaited).copied().collect()
}

/// One push under way.
struct RefPush<'a> {
    job: &'a PushJob,
    lost: &'a HashSet<Sha256>,
    sides: &'a MirrorRepos,
    bare: &'a Bare,
    events: &'a Arc<Events>,
    /// The pause for the target's list of LFS objects was made.
    has_waited: AtomicBool,
}

impl RefPush<'_> {
    async fn run(&self) -> Result<PushReport> {
        self.check_lfs_objects().await?;
        let (may, mut refused) = self.allowed_updates().await?;
        let pushed = self.push_in_groups(may).await?;
        refused.extend(pushed);
        self.confirmed(refused).await
    }

    /// Asks once more for the LFS objects, since the refs that name them are pushed next.
    async fn check_lfs_objects(&self) -> Result<()> {
        if self.job.lfs == LfsPolicy::Missing {
            return Ok(());
        }
        let files = self.bare.pointers().await?;
        let files: Vec<_> = files
            .into_iter()
            .filter(|file| {
                file.digest
                    .sha256()
                    .is_none_or(|sha256| !self.lost.contains(&sha256))
            })
            .collect();
        let store = self.sides.store(
            &self.sides.to_side,
            &lfs_address(&self.sides.to_url),
            &self.job.destination.revision,
        )?;
        match lacking(&store, &files).await?.wanted.len() {
            0 => Ok(()),
            count => Err(Error::new(
                Kind::Conflict,
                format!(
                    "{count} LFS objects are not at the target: the source moved on, or they were lost"
                ),
            )),
        }
    }

    /// Which refs may be pushed, and why others may not.
    async fn allowed_updates(&self) -> Result<(Vec<RefUpdate>, Vec<RefOutcome>)> {
        let new: Vec<String> = self
            .job
            .updates
            .iter()
            .filter_map(|update| update.new.clone())
            .collect();
        let known = self.bare.known(new.clone()).await?;
        let tainted = match self.lost.is_empty() {
            true => HashSet::new(),
            false => {
                self.bare
                    .reaching(
                        new.into_iter().filter(|oid| known.contains(oid)).collect(),
                        self.lost.clone(),
                    )
                    .await?
            }
        };
        let (mut may, mut refused) = (Vec::new(), Vec::new());
        for update in &self.job.updates {
            let why = match &update.new {
                _ if !is_exact(&update.name) => {
                    Some("its name is not UTF-8, and such a name is not written: rename it")
                }
                Some(new) if !known.contains(new) => {
                    Some("it moved on at the source meanwhile: run again")
                }
                Some(new) if tainted.contains(new) => {
                    Some("it leads to LFS objects that are not at the target")
                }
                Some(new) if !self.may_go_to(update, new).await? => {
                    Some("it is not a continuation of what stands there, and nothing is forced")
                }
                _ => None,
            };
            match why {
                Some(why) => refused.push(refusal(update, why)),
                None => may.push(update.clone()),
            }
        }
        Ok((may, refused))
    }

    async fn may_go_to(&self, update: &RefUpdate, new: &str) -> Result<bool> {
        match (&update.old, self.job.force) {
            (Some(old), Force::Never) if update.name.starts_with("refs/heads/") => {
                self.bare.continues(new, old).await
            }
            (Some(_), Force::Never) => Ok(false),
            _ => Ok(true),
        }
    }

    /// Pushes these refs together. Refs that are refused because of others are pushed again without those, in ever smaller groups,
    /// as long as the budget lasts; then the rest is refused with the hook's words.
    async fn push_in_groups(&self, updates: Vec<RefUpdate>) -> Result<Vec<RefOutcome>> {
        let (mut outcomes, mut budget) = (Vec::new(), PushBudget::new());
        let mut groups = VecDeque::from([updates
            .into_iter()
            .map(Refusal::none_yet)
            .collect::<Vec<_>>()]);
        while let Some(group) = groups.pop_front() {
            if group.is_empty() || !budget.has_room() {
                outcomes.extend(group.into_iter().map(Refusal::outcome));
                continue;
            }
            let updates: Vec<RefUpdate> = group.into_iter().map(|refusal| refusal.update).collect();
            let PushResults {
                outcomes: settled,
                declined,
            } = self.push_group(&updates, &mut budget).await?;
            outcomes.extend(settled);
            match halves(&declined) {
                Some((one, other)) => groups.extend([one, other]),
                None => outcomes.extend(declined.into_iter().map(Refusal::outcome)),
            }
        }
        Ok(outcomes)
    }

    /// Pushes these refs together; once in a run, what was declined for the LFS objects' sake again after a while.
    async fn push_group(
        &self,
        updates: &[RefUpdate],
        budget: &mut PushBudget,
    ) -> Result<PushResults> {
        let response = self.push_until_settled(updates).await?;
        budget.spend(response.bytes);
        let mut results = sort_answers(updates, response.refs);
        if self.wait_for_lfs_list(&results.declined).await {
            let again: Vec<RefUpdate> = std::mem::take(&mut results.declined)
                .into_iter()
                .map(|refusal| refusal.update)
                .collect();
            let response = self.push_until_settled(&again).await?;
            budget.spend(response.bytes);
            let second = sort_answers(&again, response.refs);
            results.outcomes.extend(second.outcomes);
            results.declined = second.declined;
        }
        Ok(results)
    }

    /// Waits once, since GitLab's list of LFS objects may lag some seconds behind their upload.
    async fn wait_for_lfs_list(&self, declined: &[Refusal]) -> bool {
        let is_late = declined
            .iter()
            .any(|refusal| refusal.why.contains("LFS objects are missing"));
        if !is_late || self.has_waited.swap(true, Ordering::Relaxed) {
            return false;
        }
        let pause = self.sides.http.retry.base * 5 / 2;
        self.events.retry(
            &Error::new(
                Kind::Transient,
                "the target does not find the LFS objects yet",
            )
            .about("the target"),
            pause,
        );
        self.sides.http.clock.sleep(pause).await;
        true
    }

    /// Pushes until each ref has an answer. After a broken push, or one that met a locked ref, the refs that have not changed are
    /// pushed again. A ref that stays locked is refused.
    async fn push_until_settled(&self, updates: &[RefUpdate]) -> Result<PushResponse> {
        let retry = &self.sides.http.retry;
        let mut attempts = self.sides.http.attempts();
        let mut left = updates.to_vec();
        let mut done = PushResponse::default();
        loop {
            let mut locked: Vec<Pushed> = Vec::new();
            let specs = specs(&left, self.job.force);
            let pushed = self
                .bare
                .push(
                    &self.sides.to,
                    &specs.iter().map(String::as_str).collect::<Vec<_>>(),
                    |name, now| self.conflict(&left, name, now),
                )
                .await;
            let error = match pushed {
                Ok(response) => {
                    let (met, settled): (Vec<_>, Vec<_>) =
                        response.refs.into_iter().partition(is_locked);
                    done.bytes += response.bytes;
                    done.refs.extend(settled);
                    locked = met;
                    left.retain(|update| locked.iter().any(|pushed| pushed.name == update.name));
                    match left.is_empty() {
                        true => return Ok(done),
                        false => Error::new(
                            Kind::Transient,
                            format!("{} refs are locked at the target", left.len()),
                        ),
                    }
                }
                Err(error) if retry.covers(&error) => error,
                Err(error) => return Err(error.about("the target")),
            };
            if let Err(error) = attempts.wait_after_if(true, error).await {
                return match locked.is_empty() {
                    true => Err(error.about("the target")),
                    false => {
                        done.refs.extend(locked);
                        Ok(done)
                    }
                };
            }
            let there = by_name(&self.target_refs().await?);
            left.retain(|update| !is_applied(update, &there));
        }
    }

    /// Why one of these refs is left alone, unless the user waived that: it stands at `now` at the target.
    fn conflict(&self, updates: &[RefUpdate], name: &str, now: Option<&str>) -> Option<String> {
        match self.job.safeguards.moved_refs {
            Safeguard::Waived => None,
            Safeguard::Kept => {
                let update = updates.iter().find(|update| update.name == name)?;
                conflict(update, now)
            }
        }
    }

    /// The target's refs now.
    async fn target_refs(&self) -> Result<Advertisement> {
        self.sides
            .to
            .writable()
            .await
            .map_err(|error| error.about("the target"))
    }

    /// The outcomes, corrected by the refs that the target has now.
    async fn confirmed(&self, outcomes: Vec<RefOutcome>) -> Result<PushReport> {
        let refs = self.target_refs().await?;
        let there = by_name(&refs);
        let updates: HashMap<&str, &RefUpdate> = self
            .job
            .updates
            .iter()
            .map(|update| (update.name.as_str(), update))
            .collect();
        let confirm = |outcome: RefOutcome| match updates.get(outcome.name.as_str()) {
            Some(update) if outcome.state != RefState::Refused && !is_applied(update, &there) => {
                refusal(
                    update,
                    "the target took it, and it does not stand there now: run again",
                )
            }
            _ => outcome,
        };
        Ok(PushReport {
            refs: outcomes.into_iter().map(confirm).collect(),
            there: self.job.scope.of(&refs),
        })
    }
}

fn by_name(refs: &Advertisement) -> HashMap<String, String> {
    RefScope::All
        .of(refs)
        .into_iter()
        .map(|found| (found.name, found.oid))
        .collect()
}

fn is_locked(pushed: &Pushed) -> bool {
    pushed.refused.as_ref().is_some_and(Rejection::is_lock)
}

fn is_applied(update: &RefUpdate, there: &HashMap<String, String>) -> bool {
    there.get(&update.name) == update.new.as_ref()
}

fn refusal(update: &RefUpdate, why: &str) -> RefOutcome {
    RefOutcome {
        name: update.name.clone(),
        state: RefState::Refused,
        why: Some(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{How, Receipt, Stored};

    #[test]
    fn what_no_receipt_has_is_lost() {
        let [refused, brought, absent] = [b"a", b"b", b"c"].map(|content| Sha256::of(content));
        let job = serde_json::json!({
            "version": 1, "run": "r", "scope": "branches", "updates": [], "force": "always", "lfs": "moved",
            "source": {"hub": "git", "endpoint": "https://h/a/b.git", "kind": "model", "id": "a/b", "revision": "main"},
            "destination": {"hub": "git", "endpoint": "https://h/c/d.git", "kind": "model", "id": "c/d", "revision": "main"},
            "lost": [refused], "awaited": [brought, absent],
        });
        let stored = Stored {
            path: "w.bin".parse().unwrap(),
            sha256: brought,
            git_sha1: None,
            size: 1,
            how: How::Streamed,
        };
        let job = PushJob {
            receipts: vec![Receipt {
                files: vec![stored],
                ..Receipt::default()
            }],
            ..serde_json::from_value(job).unwrap()
        };
        assert_eq!(lost(&job), HashSet::from([refused, absent]));
    }
}
