//! A destination as people name it: like a source, and it may leave out what is as at the source: the id (`ms:`), or the repo's name
//! (`ms:OWNER/`).

use hf2ms_hub::path::escape;
use hf2ms_hub::{Hub, RepoId, RepoKind};

use super::{BadRepoRef, HubSites, RepoRef, Result, kind_of_folder, split_prefix};
use crate::settings::Settings;

/// A destination as the command line names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationRef {
    /// Its hub, where the text tells.
    pub hub: Option<Hub>,
    /// Its kind, where the text tells.
    pub kind: Option<RepoKind>,
    id: IdForm,
}

/// How much of the destination's id is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum IdForm {
    /// Nothing: it is the source's.
    #[default]
    OfSource,
    /// The owner; the name is the source's.
    Owner(String),
    /// All of it.
    Whole(RepoId),
}

impl DestinationRef {
    /// Reads a destination: what a source may be, `PREFIX:`, or `[PREFIX:]OWNER/`.
    ///
    /// # Errors
    /// One line that says what was expected.
    pub fn parse(text: &str, settings: &Settings) -> Result<Self> {
        let text = text.trim();
        let (hub, rest) = split_prefix(text).map_or((None, text), |(hub, rest)| (Some(hub), rest));
        if let (Some(hub), "") = (hub, rest) {
            let hub = Some(hub);
            return Ok(Self {
                hub,
                ..Self::default()
            });
        }
        if let Some((kind, owner)) = owner_of(rest) {
            let id = IdForm::Owner(checked_owner(owner)?);
            return Ok(Self { hub, kind, id });
        }
        if checked_owner(rest).is_ok() {
            return Err(BadRepoRef::new(format!(
                "'{rest}' is not a repo id: write {rest}/NAME, or {rest}/ for the source's name at that owner"
            )));
        }
        let RepoRef {
            hub,
            kind,
            id,
            revision,
        } = RepoRef::parse(text, HubSites::written(settings))?;
        if let Some(revision) = revision {
            return Err(BadRepoRef::new(format!(
                "the address names the revision {}: leave it out, since a copy goes to the main branch",
                escape(revision.as_str())
            )));
        }
        let id = IdForm::Whole(id);
        Ok(Self { hub, kind, id })
    }

    /// The same, at this owner where none is named.
    ///
    /// # Errors
    /// The owner can't be one.
    pub fn at_owner(self, owner: &str) -> Result<Self> {
        match self.id {
            IdForm::OfSource => {
                let id = IdForm::Owner(checked_owner(owner)?);
                Ok(Self { id, ..self })
            }
            _ => Ok(self),
        }
    }

    /// The id that is named for the copy of `source`; `None` where it is left out.
    ///
    /// # Errors
    /// The owner and the source's name make no id.
    pub fn id(&self, source: &RepoId) -> Result<Option<RepoId>> {
        match &self.id {
            IdForm::OfSource => Ok(None),
            IdForm::Whole(id) => Ok(Some(id.clone())),
            IdForm::Owner(owner) => format!("{owner}/{}", source.name())
                .parse()
                .map(Some)
                .map_err(|bad| BadRepoRef::new(format!("{bad}"))),
        }
    }
}

/// The owner in `OWNER/` or `FOLDER/OWNER/`, and the kind that the folder stands for.
fn owner_of(text: &str) -> Option<(Option<RepoKind>, &str)> {
    let text = text.strip_suffix('/')?;
    match text.split_once('/') {
        None => Some((None, text)),
        Some((folder, owner)) if !owner.contains('/') => {
            kind_of_folder(folder).map(|kind| (Some(kind), owner))
        }
        Some(_) => None,
    }
}

fn checked_owner(owner: &str) -> Result<String> {
    match format!("{owner}/name").parse::<RepoId>() {
        Ok(_) => Ok(owner.to_owned()),
        Err(_) => Err(BadRepoRef::new(format!(
            "'{}' is not an owner: expected letters, digits, '-', '_' and '.'",
            escape(owner)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Option<Hub>, Option<RepoKind>, String)> {
        let settings = Settings::read(&|name| {
            (name == "HF_DESTINATION_ENDPOINT").then(|| "http://127.0.0.1:8100".to_owned())
        })
        .unwrap();
        let named = DestinationRef::parse(text, &settings)?;
        let source: RepoId = "org/name".parse().unwrap();
        let id = named.id(&source)?.map_or("-".to_owned(), String::from);
        Ok((named.hub, named.kind, id))
    }

    #[test]
    fn a_destination_leaves_out_what_is_as_at_the_source() {
        let (hf, ms) = (Some(Hub::HuggingFace), Some(Hub::ModelScope));
        let (model, dataset) = (Some(RepoKind::Model), Some(RepoKind::Dataset));
        for (text, hub, kind, id) in [
            ("ms:", ms, None, "-"),
            ("MS: ", ms, None, "-"),
            ("ms:me/", ms, None, "me/name"),
            ("ms:datasets/me/", ms, dataset, "me/name"),
            ("me/", None, None, "me/name"),
            ("ms:me/other", ms, None, "me/other"),
            ("hf:datasets/me/other", hf, dataset, "me/other"),
            ("me/other", None, None, "me/other"),
            (
                "https://modelscope.cn/models/me/other",
                ms,
                model,
                "me/other",
            ),
            (
                "http://127.0.0.1:8100/datasets/me/other",
                hf,
                dataset,
                "me/other",
            ),
        ] {
            assert_eq!(read(text), Ok((hub, kind, id.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_destination_is_refused_in_one_line() {
        for (text, words) in [
            ("", "not a repo id"),
            ("me", "not a repo id"),
            ("ms:me", "not a repo id"),
            ("/", "not an owner"),
            ("ms:-me/", "not an owner"),
            ("ms:a/b/c", "more than a repo"),
            ("https://example.com/a/b", "no hub that is known"),
            (
                "https://huggingface.co/a/b/tree/v1",
                "names the revision v1",
            ),
            ("https://me:hf_secret@huggingface.co/a/b", "remove it"),
        ] {
            let line = read(text).unwrap_err().to_string();
            assert!(
                line.contains(words) && !line.contains("hf_secret"),
                "{text}: {line}"
            );
        }
    }

    #[test]
    fn an_owner_is_added_where_none_is_named() {
        let settings = Settings::read(&|_| None).unwrap();
        let source: RepoId = "org/name".parse().unwrap();
        for (text, id) in [("ms:", "you/name"), ("ms:me/", "me/name"), ("a/b", "a/b")] {
            let named = DestinationRef::parse(text, &settings).unwrap();
            let named = named.at_owner("you").unwrap();
            assert_eq!(named.id(&source).unwrap().unwrap().as_str(), id);
        }
        assert!(DestinationRef::default().at_owner("m/e").is_err());
    }
}
