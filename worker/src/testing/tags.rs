//! The tags of a hub in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hf2ms_hub::{Error, Kind, Ref, RefStore, Refs, Result, Revision};

/// Tags by name; a hub that was not opened has none.
#[derive(Clone, Default)]
pub(crate) struct Tags(
    Arc<Mutex<Option<BTreeMap<String, Revision>>>>,
    Arc<AtomicBool>,
);

impl Tags {
    /// The hub takes tags, and has these.
    pub(crate) fn open<'a>(&self, tags: impl IntoIterator<Item = (&'a str, Revision)>) {
        let tags = tags.into_iter().map(|(name, at)| (name.to_owned(), at));
        *self.0.lock().unwrap() = Some(tags.collect());
    }

    /// From now on it makes a tag where a branch stands, and at no commit.
    pub(crate) fn take_names_alone(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    /// All of them.
    pub(crate) fn standing(&self) -> Vec<(String, Revision)> {
        let tags = self.0.lock().unwrap().clone();
        tags.unwrap_or_default().into_iter().collect()
    }

    pub(super) fn store(&self) -> Option<Arc<dyn RefStore>> {
        let is_open = self.0.lock().unwrap().is_some();
        is_open.then(|| Arc::new(self.clone()) as Arc<dyn RefStore>)
    }
}

#[async_trait]
impl RefStore for Tags {
    async fn refs(&self) -> Result<Refs> {
        let tags = self.standing().into_iter().map(|(name, commit)| Ref {
            name: name.parse().unwrap(),
            commit,
        });
        Ok(Refs {
            tags: tags.collect(),
            ..Refs::default()
        })
    }

    async fn make_branch(&self, _: &Revision, _: &Revision) -> Result<()> {
        Err(Error::new(Kind::Refused, "tags alone"))
    }

    async fn make_tag(&self, name: &Revision, at: &Revision) -> Result<()> {
        if at.is_commit() && self.1.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Invalid, "no such branch"));
        }
        let mut tags = self.0.lock().unwrap();
        let tags = tags.get_or_insert_default();
        if tags.contains_key(name.as_str()) {
            return Err(Error::new(Kind::Conflict, "it exists"));
        }
        tags.insert(name.to_string(), at.clone());
        Ok(())
    }

    async fn delete_branch(&self, _: &Revision, _: &Revision) -> Result<()> {
        Ok(())
    }
}
