//! A Space that is copied as an app: its SDK, and the variables that the user has to set at the destination.

use hf2ms_hub::path::escape;
use hf2ms_hub::{Hub, Sdk, SpaceVariables, open_space};

use super::SourceRepo;
use crate::args::route::Route;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

impl SourceRepo {
    /// Reads the app's SDK, and warns of secrets and variables, which are not copied.
    ///
    /// # Errors
    /// Its SDK is not known here; its files can't be read.
    pub async fn look_at_app(&mut self, route: &Route, settings: &Settings) -> CliResult<()> {
        let id = &self.repo.at.id;
        let explained = |error| hub_error(&error, &self.repo.at, settings, AccessMode::Read);
        let side = settings.source(&self.repo.at).map_err(explained)?;
        let space = open_space(&side, settings.http()).map_err(explained)?;
        let told = space.sdk().await.map_err(explained)?;
        let told = told.ok_or_else(|| {
            CliError::refused(format!(
                "the Space {id} does not say what runs it: give it an sdk in its README.md"
            ))
        })?;
        self.app = Some(
            told.parse::<Sdk>()
                .map_err(|bad| CliError::refused(format!("the Space {id}: {bad}")))?,
        );
        let settings_page = format!("{}/settings", self.repo.at.web_url());
        self.repo.warnings.extend(by_hand(
            &space.variables().await,
            &settings_page,
            route.to(),
        ));
        Ok(())
    }
}

/// The warnings about secrets and variables, with their names only.
fn by_hand(found: &SpaceVariables, page: &str, to: Hub) -> Vec<String> {
    let list = |names: &[String]| {
        names
            .iter()
            .map(|name| escape(name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut lines = Vec::new();
    for (what, names) in [("secrets", &found.secrets), ("variables", &found.variables)] {
        match names.as_deref() {
            None => lines.push(format!("the token may not see which {what} the Space has: look at {page}, and set them on {to} by hand")),
            Some([]) => (),
            Some(names) => lines.push(format!("{what} are not copied, set them on {to} by hand: {}", list(names))),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_and_what_is_not_known_is_said() {
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let found = SpaceVariables {
            secrets: some(&["API_KEY", "B\u{1b}[2J"]),
            variables: some(&[]),
        };
        let lines = by_hand(&found, "https://h/settings", Hub::ModelScope);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0]
                .starts_with("secrets are not copied, set them on ModelScope by hand: API_KEY, B")
                && !lines[0].contains('\u{1b}')
        );
        let unknown = by_hand(
            &SpaceVariables::default(),
            "https://h/settings",
            Hub::ModelScope,
        );
        assert!(
            unknown.len() == 2 && unknown[0].contains("look at https://h/settings"),
            "{unknown:?}"
        );
    }
}
