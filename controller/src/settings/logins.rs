//! The tokens of logins: those that `hf2ms login` keeps in `credentials.toml` of the config folder, and that of a hub's own client. A
//! token counts for the endpoint at which it was checked, and for no other.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use hf2ms_hub::{Hub, Token};
use serde::{Deserialize, Serialize};

use super::owned_file::OwnedFile;
use super::{GetVariable, config_dir, environment};
use crate::platform::{System, create_private_folder, places, replace};
use crate::ui::errors::{CliError, CliResult};

/// The file's name in the config folder.
const FILE: &str = "credentials.toml";

/// Values of a client's opt-out that mean yes (huggingface_hub 2.4.0, `constants.py`, `ENV_VARS_TRUE_VALUES`).
const OPTED_OUT: [&str; 4] = ["1", "ON", "YES", "TRUE"];

/// A token that someone has logged in with.
#[derive(Debug, Clone)]
pub struct Login {
    /// The variable that it stands for.
    pub variable: String,
    /// Where it was checked.
    pub endpoint: String,
    /// Whose it is, where that is known.
    pub account: String,
    /// The token itself.
    pub token: Token,
    /// Where it is kept, for people.
    pub origin: String,
}

/// The logins of this user, the first of a variable and an endpoint counting.
#[derive(Debug, Clone, Default)]
pub struct Logins(Vec<Login>);

impl Logins {
    /// Those of this program, then those of the hubs' own clients.
    ///
    /// # Errors
    /// As [`LoginFile::read`].
    pub fn read() -> CliResult<Self> {
        let mut all = match LoginFile::usual() {
            Some(path) => LoginFile::read(&path)?.logins,
            None => Vec::new(),
        };
        all.extend(Hub::with_api().filter_map(|hub| of_client(hub, &environment)));
        Ok(Self(all))
    }

    /// The login for this variable at this endpoint.
    pub fn at(&self, variable: &str, endpoint: &str) -> Option<&Login> {
        let mut all = self.0.iter();
        all.find(|login| login.variable == variable && login.endpoint == endpoint)
    }

    /// The endpoints other than this for which there is a login with this variable.
    pub fn elsewhere(&self, variable: &str, endpoint: &str) -> impl Iterator<Item = &str> {
        let all = self.0.iter();
        let other = move |login: &&Login| login.variable == variable && login.endpoint != endpoint;
        all.filter(other).map(|login| login.endpoint.as_str())
    }

    /// Logins with these variables, endpoints and tokens.
    #[cfg(test)]
    pub fn of(all: &[(&str, &str, &str)]) -> Self {
        let login = |(variable, endpoint, token): &(&str, &str, &str)| Login {
            variable: (*variable).to_owned(),
            endpoint: (*endpoint).to_owned(),
            account: "alice".to_owned(),
            token: Token::parse(token).unwrap(),
            origin: "the test".to_owned(),
        };
        Self(all.iter().map(login).collect())
    }
}

/// The token of the hub's own client. It counts at the hub's public address: the client does not note where it was checked.
pub fn of_client(hub: Hub, get: GetVariable<'_>) -> Option<Login> {
    let (profile, set) = (hub.profile(), |name: &str| {
        let value = get(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(expanded(&value, get)))
    });
    let client = profile.client_login?;
    if set(client.opt_out)
        .is_some_and(|value| OPTED_OUT.contains(&value.to_string_lossy().to_uppercase().as_str()))
    {
        return None;
    }
    let caches =
        || set("XDG_CACHE_HOME").or_else(|| Some(places::home(System::THIS, get)?.join(".cache")));
    let home = || set(client.home).or_else(|| Some(caches()?.join(client.folder)));
    let path = set(client.path).or_else(|| Some(home()?.join(client.file)))?;
    let Ok(OwnedFile::Content(text, _)) = OwnedFile::read(&path) else {
        return None;
    };
    Some(Login {
        variable: profile.variables.token_name().to_owned(),
        endpoint: profile.endpoint?.to_owned(),
        account: String::new(),
        token: Token::parse(text.trim()).ok()?,
        origin: path.display().to_string(),
    })
}

/// The path with `~` in front and `$NAME` or `${NAME}` anywhere replaced, as the clients do (`expanduser`, `expandvars` of Python): what is
/// not set stays as it is.
fn expanded(path: &str, get: GetVariable<'_>) -> String {
    let mut left = path;
    let mut out = String::new();
    if let Some(rest) = path.strip_prefix('~')
        && (rest.is_empty() || rest.starts_with('/'))
        && let Some(home) = places::home(System::THIS, get)
    {
        out = home.display().to_string();
        left = rest;
    }
    while let Some((before, after)) = left.split_once('$') {
        let braced = after
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let plain = after.find(|sign| !is_name(sign)).unwrap_or(after.len());
        let (name, rest) = braced.unwrap_or_else(|| after.split_at(plain));
        out.push_str(before);
        match get(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&left[before.len()..left.len() - rest.len()]),
        }
        left = rest;
    }
    out + left
}

/// The file that `hf2ms login` writes.
#[derive(Debug)]
pub struct LoginFile {
    path: PathBuf,
    logins: Vec<Login>,
}

/// The file's content. It has no `Debug`, which would show tokens.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    login: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    variable: String,
    endpoint: String,
    account: String,
    token: String,
}

impl LoginFile {
    /// Where the file is, if a config folder is known.
    pub fn usual() -> Option<PathBuf> {
        Some(config_dir(&environment)?.join(FILE))
    }

    /// Reads the file for its tokens; without one there is no login.
    ///
    /// # Errors
    /// It can't be read, is another user's, or others may read it. No error shows what it holds.
    pub fn read(path: &Path) -> CliResult<Self> {
        Self::unless(path, |shown, mode| {
            (mode & 0o077 != 0).then(|| {
                format!(
                    "{shown} can be read by others: chmod 600 {shown}, and hf2ms login with new tokens if anyone may have read it"
                )
            })
        })
    }

    /// Reads the file to write it anew, whoever may read it now.
    ///
    /// # Errors
    /// It can't be read, is another user's, or others may write it: its tokens may be theirs.
    pub fn to_change(path: &Path) -> CliResult<Self> {
        Self::unless(path, |shown, mode| {
            (mode & 0o022 != 0).then(|| {
                format!("{shown} can be written by others: remove it, then hf2ms login again")
            })
        })
    }

    /// Reads the file, unless there is an objection to its mode.
    fn unless(path: &Path, objection: impl Fn(&str, u32) -> Option<String>) -> CliResult<Self> {
        let (path, shown) = (path.to_owned(), path.display().to_string());
        let unreadable = |why: &str| {
            CliError::usage(format!("{shown} {why}: remove it, then hf2ms login again"))
        };
        let read = OwnedFile::read(&path).map_err(|error| CliError::file(&path, &error))?;
        let text = match read {
            OwnedFile::Absent => {
                let logins = Vec::new();
                return Ok(Self { path, logins });
            }
            OwnedFile::Foreign => {
                return Err(CliError::usage(format!(
                    "{shown} belongs to another user and is not read: set XDG_CONFIG_HOME to a folder of your own"
                )));
            }
            OwnedFile::Unusable => return Err(unreadable("is no file of logins")),
            OwnedFile::Content(text, mode) => match objection(&shown, mode) {
                Some(line) => return Err(CliError::usage(line)),
                None => text,
            },
        };
        let content: Content =
            toml::from_str(&text).map_err(|_| unreadable("is not as hf2ms login writes it"))?;
        let logins = content.login.into_iter().map(|entry| entry.login(&shown));
        let logins = logins.collect::<Option<_>>();
        let logins = logins.ok_or_else(|| unreadable("holds a token that can't be sent"))?;
        Ok(Self { path, logins })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a login, in place of an earlier one for the same endpoint.
    pub fn keep(&mut self, login: Login) {
        let is_same = |other: &Login| {
            (&other.variable, &other.endpoint) == (&login.variable, &login.endpoint)
        };
        self.logins.retain(|other| !is_same(other));
        self.logins.push(login);
    }

    /// Takes out the logins of this variable; returns them.
    pub fn remove(&mut self, variable: &str) -> Vec<Login> {
        let (gone, kept) = std::mem::take(&mut self.logins)
            .into_iter()
            .partition(|login| login.variable == variable);
        self.logins = kept;
        gone
    }

    /// Writes the file, which this user alone can read; one without logins goes.
    ///
    /// # Errors
    /// The folder can't be made or written.
    pub fn write(&self) -> CliResult<()> {
        let written = match self.logins.is_empty() {
            true => match fs::remove_file(&self.path) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
                {
                    Ok(())
                }
                removed => removed,
            },
            false => self.replace(),
        };
        written.map_err(|error| {
            CliError::usage(format!(
                "{} can't be written: {error}; set XDG_CONFIG_HOME to a folder that can be, or HF_TOKEN and its like in the environment",
                self.path.display()
            ))
        })
    }

    /// Written aside, synced and renamed: a file that is torn would cost all logins.
    fn replace(&self) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        create_private_folder(folder)?;
        let content = Content {
            login: self.logins.iter().map(Entry::of).collect(),
        };
        let text = toml::to_string(&content).map_err(std::io::Error::other)?;
        // Such a file has the mode 600 from the start.
        let mut aside = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(
            aside,
            "# Written by hf2ms login. Whoever reads this file can use these accounts."
        )?;
        aside.write_all(text.as_bytes())?;
        aside.as_file().sync_all()?;
        replace(aside, &self.path)
    }
}

impl Entry {
    fn of(login: &Login) -> Self {
        Self {
            variable: login.variable.clone(),
            endpoint: login.endpoint.clone(),
            account: login.account.clone(),
            token: login.token.expose().to_owned(),
        }
    }

    fn login(self, origin: &str) -> Option<Login> {
        Some(Login {
            token: Token::parse(&self.token).ok()?,
            variable: self.variable,
            endpoint: self.endpoint,
            account: self.account,
            origin: origin.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_token_of_a_hubs_own_client_is_found_where_that_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "hf_client\n").unwrap();
        let (folder, path) = (
            folder.path().display().to_string(),
            token.display().to_string(),
        );
        let found = |pairs: &[(&str, &str)]| {
            let get = |name: &str| {
                let mut pairs = pairs.iter().filter(|(set, _)| *set == name);
                pairs.next().map(|(_, value)| (*value).to_owned())
            };
            let login = of_client(Hub::USUAL_SOURCE, &get)?;
            Some((
                login.endpoint,
                login.token.expose().to_owned(),
                login.origin,
            ))
        };
        let all = Some((
            "https://huggingface.co".to_owned(),
            "hf_client".to_owned(),
            path.clone(),
        ));
        assert_eq!(found(&[("HF_HOME", &folder)]), all);
        assert_eq!(
            found(&[("HF_HOME", "/nowhere"), ("HF_TOKEN_PATH", &path)]),
            all
        );
        for written in ["~", "~/.", "$HOME", "${HOME}/.", "/$NOWHERE"] {
            let token = found(&[("HF_HOME", written), ("HOME", &folder)]);
            assert_eq!(token.is_some(), written != "/$NOWHERE", "{written}");
        }
        let (implicit, home) = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", ("HF_HOME", &*folder));
        assert_eq!(found(&[(implicit, "0"), home]), all);
        assert_eq!(found(&[(implicit, "true"), home]), None);
        assert_eq!(found(&[("HOME", &folder)]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_login_replaces_that_for_the_same_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/credentials.toml");
        let mut file = LoginFile::read(&path).unwrap();
        for (endpoint, token) in [
            ("https://a", "one"),
            ("https://b", "two"),
            ("https://a", "three"),
        ] {
            file.keep(Logins::of(&[("T", endpoint, token)]).0.remove(0));
        }
        file.write().unwrap();
        let again = LoginFile::read(&path).unwrap();
        let tokens: Vec<_> = again
            .logins
            .iter()
            .map(|login| login.token.expose())
            .collect();
        assert_eq!(tokens, ["two", "three"]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let planted = LoginFile::to_change(&path).unwrap_err().to_string();
        assert!(planted.contains("can be written by others"), "{planted}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let mut again = LoginFile::to_change(&path).unwrap();
        assert_eq!(again.remove("T").len(), 2);
        again.write().unwrap();
        assert!(!path.exists());
        again.write().unwrap();
    }
}
