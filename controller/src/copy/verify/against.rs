//! One side checked alone, by a file of checksums: what is missing, what differs, and what the file does not name.

use std::collections::BTreeMap;

use hf2ms_hub::{File, Listing, Refused, RepoAt, RepoPath, Sha256};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{
    ChunkPurpose, Chunking, ContentsRead, Exit, PlanSummary, Transport, Verification, VerifyLevel,
    WorkerOptions,
};

use super::hashing::{HashedFiles, Hashing};
use super::options::VerifyOptions;
use crate::args::filter::Filter;
use crate::args::route::Route;
use crate::copy::inspect::SourceRepo;
use crate::runs::{JournalEntry, NewRun, RunDir, RunVerb, State};
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// Checksums by name, as a file has them.
pub type Checksums = BTreeMap<String, Sha256>;

/// A side that was checked.
pub struct CheckedSide {
    /// The repo, at its pinned commit.
    pub at: RepoAt,
    /// What was found: `missing` and `different` are those of the file's names, `extra` has what it does not name.
    pub found: Verification,
    /// The paths that were compared.
    pub paths: Vec<RepoPath>,
    /// Entries of the repo that can't be read, and why.
    pub refused: Vec<Refused>,
    /// Small files that were read because the listing tells no SHA-256 of them.
    pub hashed: u64,
}

impl CheckedSide {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.found.exit()
    }

    /// What was compared, in half a sentence for people.
    pub fn scope(&self) -> String {
        match (self.found.level, self.hashed) {
            (VerifyLevel::Deep, hashed) => format!("every byte read of {hashed}"),
            (_, 0) => "by the SHA-256 that the hub lists".to_owned(),
            (_, hashed) => {
                format!("by the SHA-256 that the hub lists, or read and hashed, as {hashed} were")
            }
        }
    }
}

/// Checks the source of this route by these checksums, as a run with a journal.
///
/// # Errors
/// The repo can't be read.
pub async fn check(
    route: &Route,
    sums: &Checksums,
    options: &VerifyOptions<'_>,
    screen: &Screen,
) -> CliResult<CheckedSide> {
    let (settings, stop) = (options.settings, options.stop);
    let find = async {
        let mut source = SourceRepo::find(route, settings).await?;
        let listing = source.list(settings).await?;
        CliResult::Ok((source, listing))
    };
    let (source, listing) = stop.unless(find).await?;
    let repo = &source.repo;
    repo.warnings.iter().for_each(|line| screen.warn(line));
    let mut run = options.runs.begin(NewRun {
        verb: RunVerb::Verify,
        on: options.worker_args.on,
        source: &repo.at,
        destination: &repo.at,
        plan: &summary(&repo.at, &listing),
    })?;
    screen.enter_run(run.path());
    let check = Check {
        at: &repo.at,
        options,
        run: &run,
        screen,
        transport: repo.transport,
    };
    let checked = check.run(listing, sums, route.filter()).await;
    let checked = match checked {
        Ok(checked) => checked,
        Err(failure) => return run.fail(&failure, screen).and(Err(failure)),
    };
    run.end(match checked.found.is_good() {
        true => State::Done,
        false => State::Incomplete,
    })?;
    run.note(&JournalEntry::Verified(checked.found.clone()))?;
    Ok(checked)
}

fn summary(at: &RepoAt, listing: &Listing) -> PlanSummary {
    let files = listing.files.iter().map(|listed| listed.file.clone());
    let even = Chunking::Even { containers: 1 };
    Plan::of_blobs(at.clone(), at.clone(), files.collect(), even).summary()
}

struct Check<'a> {
    at: &'a RepoAt,
    options: &'a VerifyOptions<'a>,
    run: &'a RunDir,
    screen: &'a Screen,
    transport: Transport,
}

impl Check<'_> {
    async fn run(
        &self,
        listing: Listing,
        sums: &Checksums,
        filter: &Filter,
    ) -> CliResult<CheckedSide> {
        let is_deep = self.options.level == VerifyLevel::Deep;
        let mut sorted = Sorted::of(&listing, sums, filter, is_deep);
        let files: Vec<File> = sorted
            .unknown
            .iter()
            .map(|(file, _)| file.clone())
            .collect();
        let hashing = Hashing {
            options: self.options,
            run: self.run,
            screen: self.screen,
            worker_options: WorkerOptions {
                transport: self.transport,
                ..WorkerOptions::default()
            },
        };
        let sides = (self.at.clone(), self.at.clone());
        let hashed = hashing.hash(ChunkPurpose::HashSource, sides, files).await?;
        let read = sorted.check_read(&hashed);
        let mut found = sorted.found;
        if is_deep {
            found.level = VerifyLevel::Deep;
            found.contents = Some(read.clone());
        }
        Ok(CheckedSide {
            at: self.at.clone(),
            found,
            paths: sorted.paths,
            refused: listing.refused,
            hashed: read.files,
        })
    }
}

/// The files of a repo and the names of a file of checksums, sorted by what is known of them before anything is read.
struct Sorted {
    found: Verification,
    paths: Vec<RepoPath>,
    /// Files that have to be read, and the SHA-256 that they must have.
    unknown: Vec<(File, Sha256)>,
}

impl Sorted {
    fn of(listing: &Listing, sums: &Checksums, filter: &Filter, all_are_read: bool) -> Self {
        let mut sorted = Self {
            found: Verification {
                head: listing.commit.clone(),
                ..Verification::default()
            },
            paths: Vec::new(),
            unknown: Vec::new(),
        };
        let mut left = sums.clone();
        for listed in &listing.files {
            let path = &listed.file.path;
            match left.remove(path.as_str()) {
                Some(sum) => sorted.compare(&listed.file, sum, all_are_read),
                None => sorted.found.extra.push(path.clone()),
            }
        }
        for name in left.into_keys() {
            match name.parse::<RepoPath>() {
                Ok(path) if !filter.passes(&path) => (),
                Ok(path) => {
                    sorted.found.checked += 1;
                    sorted.paths.push(path.clone());
                    sorted.found.missing.push(path);
                }
                Err(bad) => {
                    sorted.found.checked += 1;
                    sorted.found.unread.push(Refused {
                        path: hf2ms_hub::path::escape(&name),
                        reason: bad.to_string(),
                    });
                }
            }
        }
        sorted.found.extra.sort_unstable();
        sorted
    }

    fn compare(&mut self, file: &File, sum: Sha256, is_read: bool) {
        self.found.checked += 1;
        self.paths.push(file.path.clone());
        let listed = file.digest.sha256();
        let of_nothing = (file.size == 0).then(|| Sha256::of(b""));
        match of_nothing.or(listed) {
            Some(known) if known != sum => self.found.different.push(file.path.clone()),
            Some(_) if !is_read || file.size == 0 => self.found.equal += 1,
            _ => self.unknown.push((file.clone(), sum)),
        }
    }

    /// Takes the digests of the files that were read.
    fn check_read(&mut self, hashed: &HashedFiles) -> ContentsRead {
        let mut read = ContentsRead {
            of: self.unknown.len() as u64,
            ..ContentsRead::default()
        };
        for (file, sum) in std::mem::take(&mut self.unknown) {
            match hashed.get(&file.path) {
                Ok(stored) if stored.sha256 == sum => {
                    self.found.equal += 1;
                    read.files += 1;
                    read.bytes += stored.size;
                }
                Ok(_) => {
                    // The listing tells the right digest, and the content is another.
                    if file.digest.sha256() == Some(sum) {
                        read.wrong.push(file.path.clone());
                    }
                    self.found.different.push(file.path);
                }
                Err(why) => self.found.unread.push(Refused {
                    path: file.path.to_string(),
                    reason: format!("it is listed, but its content can't be read: {why}"),
                }),
            }
        }
        self.found.different.sort_unstable();
        read
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Digest, GitSha1, Listed};

    use super::*;
    use crate::args::filter::FilterArgs;

    fn listed(path: &str, content: &[u8], lfs: bool) -> Listed {
        let digest = match lfs {
            true => Digest::Sha256(Sha256::of(content)),
            false => Digest::GitSha1(GitSha1::of(content)),
        };
        let (path, size) = (path.parse().unwrap(), content.len() as u64);
        let file = File { path, size, digest };
        Listed { file, lfs }
    }

    #[test]
    fn what_the_listing_tells_is_not_read_unless_every_byte_is_asked_for() {
        let listing = Listing {
            files: vec![
                listed("same.bin", b"1", true),
                listed("other.bin", b"2", true),
                listed("small.txt", b"3", false),
                listed("empty", b"", false),
                listed("more", b"4", true),
            ],
            ..Listing::default()
        };
        let sum = |name: &str, content: &[u8]| (name.to_owned(), Sha256::of(content));
        let sums = Checksums::from([
            sum("same.bin", b"1"),
            sum("other.bin", b"x"),
            sum("small.txt", b"3"),
            sum("empty", b""),
            sum("gone", b"5"),
            sum("left/out", b"6"),
            sum("../up", b"7"),
        ]);
        let filter = Filter::new(&FilterArgs {
            exclude: vec!["left/*".to_owned()],
            ..FilterArgs::default()
        })
        .unwrap();
        for (all_are_read, unknown) in [
            (false, &["small.txt"][..]),
            (true, &["same.bin", "small.txt"]),
        ] {
            let sorted = Sorted::of(&listing, &sums, &filter, all_are_read);
            let read: Vec<&str> = sorted
                .unknown
                .iter()
                .map(|(file, _)| file.path.as_str())
                .collect();
            assert_eq!(read, unknown);
            let paths = |paths: &[RepoPath]| -> Vec<String> {
                paths.iter().map(ToString::to_string).collect()
            };
            let found = sorted.found;
            assert_eq!(paths(&found.missing), ["gone"]);
            assert_eq!(paths(&found.different), ["other.bin"]);
            assert_eq!(paths(&found.extra), ["more"]);
            assert_eq!(found.unread[0].path, "../up");
            assert_eq!(found.checked, 6);
        }
    }
}
