//! `hf2ms login` and `hf2ms logout`: tokens that are kept for this user.

use hf2ms_hub::{Hub, Kind, Redactor, Token};
use hf2ms_worker::protocol::Exit;

use crate::args::route::hub;
use crate::settings::account::{account, any_repo, described};
use crate::settings::hub_errors::{AccessMode, explain, token_page};
use crate::settings::logins::{Login, LoginFile, of_client};
use crate::settings::{
    self, Access, Environment, Settings, ValueOrigin, environment, plain_http_warning,
    short_secret_warning,
};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::input;
use crate::ui::screen::Screen;

/// Log in: check a token at its hub, and keep it for this user
///
/// At a terminal the token of each hub is asked for and not shown; an empty line leaves that hub out. A token that the hub refuses is not
/// kept. The others are kept in credentials.toml of the config folder (on Linux ~/.config/hf2ms), which this user alone can read. A
/// token counts at the endpoint where it was checked, and where neither the environment nor .env sets another.
#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// hf or ms [default: each is asked for]
    #[arg(value_name = "HUB", value_parser = login_hub)]
    hub: Option<Hub>,
    /// Take the token from standard input instead of asking for it
    #[arg(long, requires = "hub")]
    with_token: bool,
}

/// Log out: remove the tokens that `hf2ms login` keeps
///
/// The hub still takes a token that is removed here, until it is revoked on the hub's page.
#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// hf or ms [default: all]
    #[arg(value_name = "HUB", value_parser = login_hub)]
    hub: Option<Hub>,
}

/// The hub of a login. Modal's own client logs in to Modal.
fn login_hub(text: &str) -> Result<Hub, String> {
    match text {
        "modal" => Err("Modal's own login counts here too: pip install modal, then modal token set; or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET".to_owned()),
        _ => hub(text),
    }
}

/// The hubs that are meant: one, or all.
fn hubs(named: Option<Hub>) -> Vec<Hub> {
    named.map_or_else(|| Hub::with_api().collect(), |hub| vec![hub])
}

/// The file of logins, with what it holds.
fn file() -> CliResult<LoginFile> {
    let path = LoginFile::usual().ok_or_else(|| {
        CliError::usage("there is no place for logins: set XDG_CONFIG_HOME to a folder")
    })?;
    LoginFile::to_change(&path)
}

/// Asks for tokens, checks them, and keeps those that are good.
///
/// # Errors
/// There is nobody to ask, or no place for the file; the hub that was named refuses the token.
pub async fn run(args: &LoginArgs, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    if !args.with_token && !input::has_terminal() {
        return Err(CliError::usage(
            "there is no terminal to ask at: give a hub and --with-token, and the token on standard input",
        ));
    }
    let settings = settings::load()?;
    // Before anyone types a token that could not be kept.
    file()?;
    hubs(args.hub)
        .into_iter()
        .try_for_each(goes_where_the_user_says)?;
    let (mut exit, mut kept) = (Exit::Done, None::<LoginFile>);
    for hub in hubs(args.hub) {
        let access = settings.access(hub);
        let Some(text) = stop.unless(typed(hub, access, args, screen)).await? else {
            continue;
        };
        match stop.unless(checked(hub, &text, &settings, screen)).await {
            Ok((login, whose)) => {
                // Another login may have been made while this one was typed.
                let mut file = file()?;
                file.keep(login);
                file.write()?;
                kept = Some(file);
                screen.print(format!("logged in as {whose}"));
                remind(hub, screen);
            }
            Err(failure) if args.hub.is_none() && failure.exit() != Exit::Interrupted => {
                exit = exit.worse(failure.exit());
                screen.fail(&failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    match (kept, exit) {
        (Some(file), _) => screen.print(format!(
            "kept in {}, which you alone can read; hf2ms doctor says which tokens count",
            file.path().display()
        )),
        (None, Exit::Done) => {
            return Err(CliError::usage(
                "no token was given: nothing is kept; run hf2ms login again",
            ));
        }
        (None, _) => (),
    }
    Ok(exit)
}

/// A token that is typed goes to no address that a file of the working folder names.
fn goes_where_the_user_says(hub: Hub) -> CliResult<()> {
    let (names, environment) = (&hub.profile().variables, Environment::of_process());
    for name in [Some(names.endpoint), names.domain].into_iter().flatten() {
        if let Some(ValueOrigin::EnvFile(file)) = environment.origin(name) {
            return Err(CliError::usage(format!(
                "{name} of {file} would have the token sent to that address: set it in the environment to log in there, or log in from another folder"
            )));
        }
    }
    Ok(())
}

/// The token that a person types or a script writes; `None` for an empty line.
async fn typed(
    hub: Hub,
    access: &Access,
    args: &LoginArgs,
    screen: &Screen,
) -> CliResult<Option<String>> {
    let text = if args.with_token {
        input::all().await
    } else {
        let page = token_page(hub, &access.endpoint);
        let question = format!("token of {hub}, from {page} (not shown; empty to leave it out): ");
        let typed = input::secret_line(|| screen.ask(question)).await;
        typed.map_err(|error| {
            CliError::usage(format!(
                "the terminal can't hide a token: {error}; use --with-token"
            ))
        })?
    };
    let text = text.ok_or_else(|| {
        CliError::usage("standard input can't be read as text: write the token alone into it")
    })?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// The login of a token that its hub takes, and whose it is.
async fn checked(
    hub: Hub,
    text: &str,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<(Login, String)> {
    let token = Token::parse(text).map_err(|bad| {
        CliError::usage(format!(
            "the token of {hub} can't be used: {bad}; copy it again"
        ))
    })?;
    screen.hide(&Redactor::new([token.clone()]));
    if token.is_short() {
        screen.warn(short_secret_warning("the token"));
    }
    let access = Access {
        token: Some(token.clone()),
        token_name: "the token",
        ..settings.access(hub).clone()
    };
    let warning = plain_http_warning(&access.endpoint, "the token");
    warning.iter().for_each(|line| screen.warn(line));
    let at = any_repo(hub, &access).ok_or_else(|| {
        CliError::usage(format!(
            "{hub} has no accounts that can be asked for: set its token in the environment"
        ))
    })?;
    let account = account(&at, &access, settings).await.map_err(|error| {
        let failure = explain(&error, &at, &access, AccessMode::Account);
        let why = match error.kind() {
            Kind::RateLimited => format!(
                "{hub} answers this a few times in five minutes only: wait, then log in again"
            ),
            _ => failure.to_string(),
        };
        CliError::new(failure.exit(), format!("{why}; nothing is kept"))
    })?;
    let login = Login {
        variable: hub.profile().variables.token_name().to_owned(),
        endpoint: access.endpoint.clone(),
        account: account.name.clone(),
        token,
        origin: "hf2ms login".to_owned(),
    };
    Ok((login, described(hub, &account)))
}

/// Warns of a variable that counts before the login.
fn remind(hub: Hub, screen: &Screen) {
    let environment = Environment::of_process();
    for name in hub.profile().variables.token {
        if let Some(origin @ (ValueOrigin::Environment | ValueOrigin::EnvFile(_))) =
            environment.origin(name)
        {
            screen.warn(format!(
                "{name} of {origin} counts before this login: take it out there to use the login"
            ));
        }
    }
}

/// Removes the tokens that are kept.
///
/// # Errors
/// The file can't be read or written.
pub fn run_logout(args: &LogoutArgs, screen: &Screen) -> CliResult<Exit> {
    let mut file = file()?;
    for hub in hubs(args.hub) {
        let gone = file.remove(hub.profile().variables.token_name());
        if gone.is_empty() {
            screen.print(format!("no login is kept for {hub}"));
        }
        if let Some(login) = of_client(hub, &environment) {
            screen.warn(format!(
                "the login of {hub}'s own client counts as before, from {}: log out there, or set {} to nothing",
                login.origin, login.variable
            ));
        }
        for Login {
            endpoint, account, ..
        } in gone
        {
            let page = token_page(hub, &endpoint);
            screen.print(format!("logged out of {hub}: the token of {account} is removed here; revoke it at {page} if nobody is to use it any more"));
        }
    }
    file.write()?;
    Ok(Exit::Done)
}
