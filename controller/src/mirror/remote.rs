//! `--pull-by gitlab`: GitLab pulls the repo by itself. This process uses GitLab's API only and moves no byte of the repo.

use hf2ms_hub::gitlab::{GitLab, MirrorState};
use hf2ms_hub::http::Origin;
use hf2ms_hub::{Error, Kind, Token, Url, Visibility};
use hf2ms_worker::protocol::{Exit, Scan};
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoints::GitEndpoint;
use crate::settings::remedies::remedy_of_mirror;
use crate::settings::{Environment, Settings, ValueOrigin};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The state is asked for after so many of the retry policy's shortest pauses.
const PAUSES: u32 = 5;

/// The host that pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Puller {
    /// GitLab, by its pull mirroring (Premium and above).
    Gitlab,
}

/// How a host is made to pull the repo by itself.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Pulled by the target's host")]
pub struct PullMirrorArgs {
    /// Have the target's host pull the source by itself: nothing passes this machine
    #[arg(long, value_name = "HOST", conflicts_with_all = ["dry_run", "watch", "no_force"])]
    pull_by: Option<Puller>,
    /// The same, on the platform that MIRROR_PLATFORM names [default: gitlab]
    #[arg(long, conflicts_with_all = ["dry_run", "watch", "no_force"])]
    use_remote_mirror: bool,
    /// Wait until the first pull has ended
    #[arg(long)]
    wait: bool,
    /// Create the project if it is absent, private unless --public
    #[arg(long)]
    create_project: bool,
    /// Create the project public
    #[arg(long, requires = "create_project")]
    public: bool,
}

/// A host pulls the repo by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "pull_mirror")]
pub struct PullMirrorEvent<'a> {
    /// The project that pulls.
    project: &'a str,
    /// The address that it pulls from.
    pull_url: &'a str,
    /// How the first pull ended, where it was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<&'a MirrorState>,
    /// LFS objects that the target lacks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lacking: Option<u64>,
    /// The exit code.
    exit: u8,
}

/// A pull mirror that is to be set up.
pub struct PullMirror<'a> {
    args: &'a PullMirrorArgs,
    source: &'a GitEndpoint,
    api: String,
    project: String,
    token: Token,
}

impl<'a> PullMirror<'a> {
    /// What the command line and the environment ask for; `None` if no host is to pull.
    ///
    /// # Errors
    /// An unknown platform, no token, or one that belongs to another host.
    pub fn of(
        args: &'a PullMirrorArgs,
        source: &'a GitEndpoint,
        target: &GitEndpoint,
        environment: &Environment,
    ) -> CliResult<Option<Self>> {
        let asked = args.pull_by.is_some() || args.use_remote_mirror;
        if !asked {
            return match args.wait || args.create_project {
                true => Err(CliError::usage(
                    "--wait and --create-project go with --pull-by gitlab: give it too, or leave them out",
                )),
                false => Ok(None),
            };
        }
        let set = |name: &str| {
            environment
                .get(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        match set("MIRROR_PLATFORM") {
            Some(platform)
                if args.pull_by.is_none() && !platform.eq_ignore_ascii_case("gitlab") =>
            {
                let platform = hf2ms_hub::path::escape(&platform);
                return Err(CliError::usage(format!(
                    "MIRROR_PLATFORM is {platform}, and only gitlab can pull by itself: leave --use-remote-mirror out, and hf2ms mirrors"
                )));
            }
            _ => (),
        }
        let url = address(&target.at.endpoint)?;
        let api = set("GITLAB_API_BASE").unwrap_or_else(|| format!("{}/api/v4", origin_of(&url)));
        if !is_same_origin(&api, &url) {
            environment.keeps_token("GITLAB_API_BASE", "GITLAB_API_TOKEN")?;
        }
        let project = set("GITLAB_PROJECT_PATH").unwrap_or_else(|| {
            url.path()
                .trim_matches('/')
                .trim_end_matches(".git")
                .to_owned()
        });
        let token = token(set("GITLAB_API_TOKEN"), &api, &url, target)?;
        Ok(Some(Self {
            args,
            source,
            api,
            project,
            token,
        }))
    }

    /// The login by which the project can be asked for its objects, where the target has none of its own.
    ///
    /// # Errors
    /// The token can't be sent as a password.
    pub fn login(&self) -> CliResult<Token> {
        Token::login("oauth2", self.token.secret()).map_err(|bad| {
            CliError::usage(format!(
                "GITLAB_API_TOKEN can't be used: {bad}; copy it again"
            ))
        })
    }

    /// Sets the mirror up, starts it and, if that was asked, waits until GitLab says that it has pulled: how the mirror stands then.
    ///
    /// # Errors
    /// GitLab refuses; the pull fails.
    pub async fn set_up(
        &self,
        settings: &Settings,
        screen: &Screen,
        stop: &Stop,
    ) -> CliResult<Option<MirrorState>> {
        let gitlab = GitLab::open(&self.api, &self.project, &self.token, settings.http())
            .map_err(|error| self.said(&error, settings))?;
        let started = async {
            self.start(&gitlab, screen)
                .await
                .map_err(|error| self.said(&error, settings))
        };
        let before = stop.unless(started).await?;
        let (project, from) = (&self.project, &self.source.at.endpoint);
        screen.status(format!(
            "GitLab pulls {from} into {project} by itself from now on"
        ));
        if !self.args.wait {
            screen.json(&PullMirrorEvent {
                project,
                pull_url: from,
                mirror: None,
                lacking: None,
                exit: Exit::Done as u8,
            });
            return Ok(None);
        }
        stop.unless(self.wait_for_pull(&gitlab, &before, settings, stop))
            .await
            .map(Some)
    }

    /// Says how the pull ended, by what the target itself lacks then: GitLab may leave LFS objects out and say nothing of it.
    pub fn conclude(&self, state: &MirrorState, scan: &Scan, screen: &Screen) -> Exit {
        let (project, from) = (&self.project, &self.source.at.endpoint);
        let lacking = scan.missing.len() + scan.refused.len();
        let exit = if lacking == 0 {
            Exit::Done
        } else {
            Exit::Incomplete
        };
        screen.print(match exit {
            Exit::Done => format!("GitLab has pulled {from} into {project}, with all {} LFS objects", scan.pointers),
            _ => format!(
                "GitLab has pulled {from} into {project}, but {lacking} of {} LFS objects are not there: is Git LFS on in the project? \
                 The same command without --pull-by brings them",
                scan.pointers
            ),
        });
        screen.json(&PullMirrorEvent {
            project,
            pull_url: from,
            mirror: Some(state),
            lacking: Some(lacking as u64),
            exit: exit as u8,
        });
        exit
    }

    /// How the mirror stood before it was started.
    async fn start(&self, gitlab: &GitLab, screen: &Screen) -> hf2ms_hub::Result<MirrorState> {
        if !gitlab.exists().await? {
            if !self.args.create_project {
                return Err(Error::new(
                    Kind::NotFound,
                    "there is no such project: create it, or give --create-project",
                ));
            }
            let visibility = if self.args.public {
                Visibility::Public
            } else {
                Visibility::Private
            };
            gitlab.create(visibility).await?;
            screen.status(format!("created {visibility} project {}", self.project));
        }
        let from: Url = self
            .source
            .at
            .endpoint
            .parse()
            .map_err(|_| Error::new(Kind::Usage, "the source is no address"))?;
        // A project that is no mirror yet has no state.
        let before = gitlab.state().await.unwrap_or_default();
        gitlab.mirror(&from, self.login_for_gitlab(screen)).await?;
        gitlab.start().await?;
        Ok(before)
    }

    /// The source's login, which GitLab keeps: that of a variable, which someone set for this. What this user has logged in with stays here.
    fn login_for_gitlab(&self, screen: &Screen) -> Option<&Token> {
        let name = self.source.token_name;
        if matches!(
            Environment::of_process().origin(name),
            Some(ValueOrigin::Login(_))
        ) {
            screen.warn(format!(
                "GitLab gets no token for the source: set {name} in the environment if it is to read a private one"
            ));
            return None;
        }
        self.source.login.as_ref()
    }

    async fn wait_for_pull(
        &self,
        gitlab: &GitLab,
        before: &MirrorState,
        settings: &Settings,
        stop: &Stop,
    ) -> CliResult<MirrorState> {
        loop {
            let state = gitlab
                .state()
                .await
                .map_err(|error| self.said(&error, settings))?;
            match state.ended_since(before) {
                Some(Ok(())) => return Ok(state),
                Some(Err(why)) => {
                    let why = settings.redact(&hf2ms_hub::path::escape(&why));
                    return Err(CliError::new(
                        Exit::Incomplete,
                        format!(
                            "GitLab could not pull {}: {why}; check the source's login, or leave --pull-by out, and hf2ms mirrors",
                            self.source.at.endpoint
                        ),
                    ));
                }
                None => tokio::select! {
                    () = tokio::time::sleep(settings.http().retry.base * PAUSES) => (),
                    () = stop.asked() => return Err(CliError::interrupted()),
                },
            }
        }
    }

    /// GitLab's error in one line.
    fn said(&self, error: &Error, settings: &Settings) -> CliError {
        let (project, api) = (&self.project, &self.api);
        let line = match error.kind() {
            Kind::Unauthorized => {
                format!(
                    "{api} does not take GITLAB_API_TOKEN (or TARGET_TOKEN): set a valid token that has the scope api"
                )
            }
            Kind::Denied if error.status().is_some() => format!(
                "the token may not set up a mirror of {project}: give it the scope api and a maintainer's role ({})",
                error.message()
            ),
            Kind::NotFound => format!(
                "{project} on {api}: {}; check GITLAB_PROJECT_PATH, or give --create-project",
                error.message()
            ),
            Kind::Denied => format!(
                "{project} on {api}: {}; check GITLAB_API_TOKEN",
                error.message()
            ),
            Kind::Disabled => format!("{api}: {}; check GITLAB_API_BASE", error.message()),
            kind => format!("{project} on {api}: {error}; {}", remedy_of_mirror(kind)),
        };
        CliError::new(Exit::of(error.kind()), settings.redact(&line))
    }
}

fn address(endpoint: &str) -> CliResult<Url> {
    endpoint.parse().map_err(|_| {
        CliError::usage("the target is no address: expected https://host/path/repo.git")
    })
}

fn origin_of(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    )
}

fn is_same_origin(api: &str, target: &Url) -> bool {
    let api = api.parse().map(|api: Url| Origin::of(&api));
    matches!((api, Origin::of(target)), (Ok(Ok(a)), Ok(b)) if a == b)
}

/// The target's token is GitLab's too, where its API is at the same origin.
fn token(own: Option<String>, api: &str, target: &Url, endpoint: &GitEndpoint) -> CliResult<Token> {
    let bad = |bad| {
        CliError::usage(format!(
            "GITLAB_API_TOKEN can't be used: {bad}; copy it again"
        ))
    };
    if let Some(own) = own {
        return Token::parse(&own).map_err(bad);
    }
    if api.parse::<Url>().is_err() {
        let bad = "GITLAB_API_BASE is no address: expected https://host/api/v4";
        return Err(CliError::usage(bad));
    }
    if !is_same_origin(api, target) {
        return Err(CliError::usage(
            "GITLAB_API_BASE is at another host than the target: set GITLAB_API_TOKEN for it",
        ));
    }
    let login = endpoint.login.as_ref().ok_or_else(|| {
        CliError::refused(
            "neither GITLAB_API_TOKEN nor TARGET_TOKEN is set: set one that has the scope api",
        )
    })?;
    Token::parse(login.secret()).map_err(bad)
}
