//! Files of which the hub tells no SHA-256: each is read once and hashed when it is listed, so that all that follows can hold its content
//! against a digest.

use futures_util::{StreamExt, stream};
use sha2::Digest as _;

use super::ModelScopeRepo;
use crate::path::escape;
use crate::{Digest, Kind, Listed, Listing, Refused, Result, Sha256};

/// Files read at a time.
const AT_ONCE: usize = 4;

impl ModelScopeRepo {
    /// Reads and hashes `unhashed`, and adds them to `listing`. One that can't be read is refused there.
    pub(super) async fn hash_all(&self, unhashed: Vec<Listed>, listing: &mut Listing) {
        let mut all = stream::iter(unhashed)
            .map(|listed| self.hashed(listed))
            .buffered(AT_ONCE);
        while let Some(one) = all.next().await {
            match one {
                Ok(listed) => listing.files.push(listed),
                Err(refused) => listing.refused.push(refused),
            }
        }
    }

    async fn hashed(&self, mut listed: Listed) -> std::result::Result<Listed, Refused> {
        let options = self.http.options();
        let read = options.retrying(|| self.sha256_of(&listed)).await;
        let sha256 = read.map_err(|error| Refused {
            path: escape(listed.file.path.as_str()),
            reason: format!("the hub lists no SHA-256 for it, and it can't be read: {error}"),
        })?;
        listed.file.digest = Digest::Sha256(sha256);
        Ok(listed)
    }

    async fn sha256_of(&self, listed: &Listed) -> Result<Sha256> {
        let read = async {
            let mut hasher = sha2::Sha256::new();
            let mut body = self.open_file(&listed.file, 0..listed.file.size).await?;
            while let Some(frame) = body.next().await {
                hasher.update(&frame?);
            }
            Ok(hasher.into())
        };
        // An address that is too old is renewed by the next try.
        read.await.map_err(|error: crate::Error| {
            if error.kind() == Kind::Expired {
                error.with_kind(Kind::Transient)
            } else {
                error
            }
        })
    }
}
