//! TLS: rustls with ring, the roots of Mozilla inside and the system's beside them (corporate proxies).

use std::sync::{Arc, OnceLock};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Kind, Result};

/// The variable with certificate authorities in PEM, for a process that can't read the files of whoever starts it.
pub const AUTHORITIES: &str = "HF2MS_CA_CERTIFICATES";

/// The client's TLS settings. They are made once a process: to read the system's roots takes longer than most requests, and a command about
/// a thousand repos has a client for each.
pub(crate) fn config() -> Result<ClientConfig> {
    static MADE: OnceLock<ClientConfig> = OnceLock::new();
    match MADE.get() {
        Some(config) => Ok(config.clone()),
        None => {
            let config = made()?;
            Ok(MADE.get_or_init(|| config).clone())
        }
    }
}

fn made() -> Result<ClientConfig> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(certificates(
        &std::env::var(AUTHORITIES).unwrap_or_default(),
    ));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Kind::Unreachable, format!("TLS can't be set up: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The certificate authorities that `SSL_CERT_FILE` and `SSL_CERT_DIR` name and Mozilla does not, in PEM; none unless one of the two is set.
pub fn named_authorities() -> Option<String> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !is_set("SSL_CERT_FILE") && !is_set("SSL_CERT_DIR") {
        return None;
    }
    let pem: String = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .filter(|found| !is_mozillas(found))
        .map(pem)
        .collect();
    (!pem.is_empty()).then_some(pem)
}

fn is_mozillas(certificate: &CertificateDer<'_>) -> bool {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates([certificate.clone()]);
    let known = |key: &[u8]| {
        webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .any(|root| *root.subject_public_key_info == *key)
    };
    store
        .roots
        .first()
        .is_some_and(|root| known(&root.subject_public_key_info))
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .filter_map(std::result::Result::ok)
        .collect()
}

/// RFC 7468: 64 letters a line.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let lines: String = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned() + "\n")
        .collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_pem_is_read_back() {
        let some = [vec![1; 47], vec![2; 48], vec![3; 900]].map(CertificateDer::from);
        let text: String = some.iter().map(pem).collect();
        assert_eq!(certificates(&text), some);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(certificates("no PEM"), []);
    }
}
