//! Where the value of a variable comes from: the environment of this process, then the file, then a login. What of the file or of a
//! login goes to which address is decided here.

use std::collections::HashMap;
use std::fmt;

use hf2ms_hub::Hub;
use hf2ms_hub::profile::Variables;
use hf2ms_worker::settings::{BadSetting, Settings};

use super::env_file::FileChoice;
use super::logins::{Login, Logins};
use super::{EnvFile, FILE, LOGINS, ON_RETRY, ON_WAIT, UNREACHED};
use crate::ui::errors::{CliError, CliResult};

/// Variables of this process, below them those of a file, and below both the tokens of logins.
#[derive(Debug, Default)]
pub struct Environment {
    process: HashMap<String, String>,
    file: EnvFile,
    logins: Logins,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The environment of this process.
    Environment,
    /// The file of `--env-file`, or `.env`, by its name.
    EnvFile(String),
    /// A login: of this program, or of the hub's own client.
    Login(String),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("the environment"),
            Self::EnvFile(name) | Self::Login(name) => f.write_str(name),
        }
    }
}

/// Where a variable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Process,
    File,
}

impl Environment {
    /// The process's variables, those of its file, and its user's logins.
    pub fn of_process() -> Self {
        let process = std::env::vars_os()
            .map(|(name, value)| [name, value].map(|text| text.to_string_lossy().into_owned()))
            .map(|[name, value]| (name, value))
            .collect();
        Self {
            process,
            file: FILE.get().cloned().unwrap_or_default(),
            logins: LOGINS.get().cloned().unwrap_or_default(),
        }
    }

    /// These variables and no others.
    #[cfg(test)]
    pub fn of(process: HashMap<String, String>) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }

    /// A variable's value. One that the process sets, even to nothing, does not count in the file.
    pub fn get(&self, name: &str) -> Option<String> {
        let process = self.process.get(name).map(String::as_str);
        process.or_else(|| self.file.get(name)).map(str::to_owned)
    }

    /// The settings that they make, `more` variables winning over them.
    ///
    /// # Errors
    /// As [`super::load`].
    pub fn settings(&self, more: &[(&str, String)]) -> CliResult<Settings> {
        Hub::with_api().try_for_each(|hub| self.keeps_tokens(&hub.profile().variables))?;
        let told = |name: &str| {
            more.iter()
                .find(|(told, _)| *told == name)
                .map(|(_, value)| value.clone())
        };
        let bad = |bad: BadSetting| CliError::usage(bad.to_string());
        let set = |name: &str| told(name).or_else(|| self.get(name));
        let without_logins = Settings::read(&set).map_err(bad)?;
        let login = |name: &str| {
            let login = self.login(name, &without_logins)?;
            Some(login.token.expose().to_owned())
        };
        let settings = Settings::read(&|name| set(name).or_else(|| login(name))).map_err(bad)?;
        let mut http = settings.http();
        http.unreached = Some(UNREACHED);
        if let Some(on_retry) = ON_RETRY.get() {
            http.on_retry = on_retry.clone();
        }
        if let Some(on_wait) = ON_WAIT.get() {
            http.on_wait = on_wait.clone();
        }
        Ok(settings.with_http(http))
    }

    /// The login whose token a variable has, since neither the process nor the file sets one: that for the endpoint in use.
    fn login(&self, name: &str, settings: &Settings) -> Option<&Login> {
        Hub::with_api().find_map(|hub| {
            let names = &hub.profile().variables;
            let (from, to) = (settings.access(hub), settings.access_to(hub));
            let access = if name == names.token_name() {
                // A token that is set to nothing is one that is not wanted.
                let is_set = |name: &&str| self.process.contains_key(*name);
                Some(from).filter(|_| !names.token.iter().any(is_set))
            } else {
                let is_own = name == names.destination_token && to.token_name == name;
                Some(to).filter(|_| is_own && !self.process.contains_key(name))
            };
            let access = access.filter(|access| access.token.is_none())?;
            self.logins.at(names.token_name(), &access.endpoint)
        })
    }

    /// Where a variable's value comes from, if it has one.
    pub fn origin(&self, name: &str) -> Option<ValueOrigin> {
        match self.place(name) {
            Some(Place::Process) => Some(ValueOrigin::Environment),
            Some(Place::File) => Some(ValueOrigin::EnvFile(self.file.name())),
            None => {
                let settings = Settings::read(&|name| self.get(name)).ok()?;
                let login = self.login(name, &settings)?;
                Some(ValueOrigin::Login(login.origin.clone()))
            }
        }
    }

    /// The name of the file that sets a variable, where that lies in the working folder and nobody typed its name.
    pub fn file_of_folder(&self, name: &str) -> Option<String> {
        let is_of_folder = self.file.choice() == FileChoice::OfFolder;
        (is_of_folder && self.place(name) == Some(Place::File)).then(|| self.file.name())
    }

    /// The endpoints other than this for which there is a login with this variable.
    pub fn logins_elsewhere(&self, variable: &str, endpoint: &str) -> Vec<String> {
        let all = self.logins.elsewhere(variable, endpoint);
        all.map(str::to_owned).collect()
    }

    /// Checks that no endpoint of the file gets a token of the process.
    ///
    /// # Errors
    /// The file has this endpoint, and not the token that would go there.
    pub fn keeps_token(&self, endpoint: &str, token: &str) -> CliResult<()> {
        let of_file = |name| self.place(name) == Some(Place::File);
        if !of_file(endpoint) || of_file(token) {
            return Ok(());
        }
        Err(CliError::usage(format!(
            "{} sets {endpoint} without its token: set {token} there too, or {endpoint} in the environment",
            self.file.name()
        )))
    }

    /// The same for a hub, as a source and as a destination.
    fn keeps_tokens(&self, names: &Variables) -> CliResult<()> {
        let is_set = |name: &&&str| self.place(name).is_some();
        let token = names.token.iter().find(is_set).copied();
        let token = token.unwrap_or_else(|| names.token_name());
        let domain = names
            .domain
            .filter(|_| self.place(names.endpoint).is_none());
        let endpoint = domain.unwrap_or(names.endpoint);
        self.keeps_token(endpoint, token)?;
        let has = |name: &str| self.place(name).is_some();
        let (to_endpoint, to_token) = (names.destination_endpoint, names.destination_token);
        match (has(to_endpoint), has(to_token)) {
            (true, _) => self.keeps_token(to_endpoint, to_token),
            (false, true) => self.keeps_token(endpoint, to_token),
            (false, false) => Ok(()),
        }
    }

    /// Where a variable's value comes from, if it has one.
    fn place(&self, name: &str) -> Option<Place> {
        match self.process.get(name) {
            Some(value) => (!value.trim_matches(' ').is_empty()).then_some(Place::Process),
            None => self.file.get(name).map(|_| Place::File),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Set<'a> = &'a [(&'a str, &'a str)];

    fn environment(process: Set<'_>, file: Set<'_>) -> Environment {
        let all = |set: Set<'_>| -> HashMap<String, String> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            set.iter().map(owned).collect()
        };
        Environment {
            process: all(process),
            file: EnvFile::of(all(file)),
            ..Environment::default()
        }
    }

    fn with_logins(process: Set<'_>, file: Set<'_>) -> Environment {
        let logins = Logins::of(&[
            ("HF_TOKEN", "https://huggingface.co", "hf_login"),
            ("MODELSCOPE_TOKEN", "https://modelscope.cn", "ms-login"),
            ("MODELSCOPE_TOKEN", "https://modelscope.ai", "ms-other"),
        ]);
        Environment {
            logins,
            ..environment(process, file)
        }
    }

    /// The tokens of Hugging Face, of ModelScope, and of ModelScope as a destination.
    fn tokens(environment: &Environment) -> String {
        let settings = environment.settings(&[]).unwrap();
        let (hf, ms) = (Hub::USUAL_SOURCE, Hub::USUAL_DESTINATION);
        let all = [
            settings.access(hf),
            settings.access(ms),
            settings.access_to(ms),
        ];
        let exposed = all.map(|access| access.token.as_ref().map(hf2ms_hub::Token::expose));
        exposed.map(|token| token.unwrap_or("-")).join(" ")
    }

    #[test]
    fn a_login_counts_below_all_and_for_its_own_endpoint_only() {
        let other_site = ("MODELSCOPE_DESTINATION_ENDPOINT", "https://modelscope.ai");
        for (process, file, expected) in [
            (&[][..], &[][..], "hf_login ms-login ms-login"),
            (&[("HF_TOKEN", "hf_mine")], &[], "hf_mine ms-login ms-login"),
            (&[("HF_TOKEN", "")], &[], "- ms-login ms-login"),
            (&[], &[("HF_TOKEN", "hf_file")], "hf_file ms-login ms-login"),
            (
                &[("MODELSCOPE_API_TOKEN", "ms-old")],
                &[],
                "hf_login ms-old ms-old",
            ),
            (
                &[("HF_ENDPOINT", "https://mirror")],
                &[],
                "- ms-login ms-login",
            ),
            (&[other_site], &[], "hf_login ms-login ms-other"),
            (
                &[("MODELSCOPE_DOMAIN", "modelscope.ai")],
                &[],
                "hf_login ms-other ms-other",
            ),
        ] {
            assert_eq!(tokens(&with_logins(process, file)), expected, "{process:?}");
        }
        for name in ["HF_ENDPOINT", "MODELSCOPE_DESTINATION_ENDPOINT"] {
            let of_file = with_logins(&[], &[(name, "https://modelscope.ai")]);
            let line = of_file.settings(&[]).err().unwrap().to_string();
            assert!(line.contains("without its token"), "{name}");
        }
    }

    #[test]
    fn the_place_of_a_token_is_known() {
        let origin = |process, file| with_logins(process, file).origin("HF_TOKEN");
        let shown = |process, file| origin(process, file).map(|origin| origin.to_string());
        let set = &[("HF_TOKEN", "hf_mine")][..];
        assert_eq!(shown(set, set).as_deref(), Some("the environment"));
        assert_eq!(shown(&[], set).as_deref(), Some(".env"));
        assert_eq!(shown(&[], &[]).as_deref(), Some("the test"));
        assert_eq!(shown(&[("HF_ENDPOINT", "https://mirror")], &[]), None);
        let elsewhere = with_logins(&[], &[]);
        let elsewhere = elsewhere.logins_elsewhere("MODELSCOPE_TOKEN", "https://modelscope.cn");
        assert_eq!(elsewhere, ["https://modelscope.ai"]);
    }

    fn read(process: Set<'_>, file: Set<'_>) -> CliResult<Settings> {
        environment(process, file).settings(&[])
    }

    #[test]
    fn an_endpoint_of_the_file_counts_with_a_token_of_the_file() {
        let there = ("HF_ENDPOINT", "https://elsewhere");
        let settings = read(&[], &[there, ("HF_TOKEN", "hf_file")]).unwrap();
        assert_eq!(
            settings.access(Hub::USUAL_SOURCE).endpoint,
            "https://elsewhere"
        );
        let settings = read(&[("HF_ENDPOINT", "https://mine")], &[there]).unwrap();
        assert_eq!(settings.access(Hub::USUAL_SOURCE).endpoint, "https://mine");
    }

    #[test]
    fn an_endpoint_of_the_file_gets_no_token_of_the_process() {
        for (process, file) in [
            (&["HF_TOKEN"][..], &["HF_ENDPOINT"][..]),
            (&[], &["HF_ENDPOINT"]),
            (&["HF_TOKEN"], &["HF_ENDPOINT", "HF_TOKEN"]),
            (&["HF_DESTINATION_TOKEN"], &["HF_ENDPOINT", "HF_TOKEN"]),
            (&["HF_DESTINATION_TOKEN"], &["HF_DESTINATION_ENDPOINT"]),
            (&["HF_TOKEN"], &["HF_DESTINATION_ENDPOINT"]),
            (&["MODELSCOPE_API_TOKEN"], &["MODELSCOPE_DOMAIN"]),
        ] {
            let set = |names: &[&'static str]| -> Vec<_> {
                names
                    .iter()
                    .map(|name| (*name, "https://elsewhere"))
                    .collect()
            };
            let line = read(&set(process), &set(file))
                .err()
                .map(|line| line.to_string());
            assert!(
                line.is_some_and(|line| line.contains("without its token")),
                "{process:?} {file:?}"
            );
        }
    }
}
