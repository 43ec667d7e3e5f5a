//! TLS: rustls with ring, the roots of Mozilla inside and the system's beside them (corporate proxies).

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Kind, Result};

/// The client's TLS settings.
pub(crate) fn config() -> Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Unreachable, format!("TLS can't be set up: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
