//! The certificate authorities of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ureq::tls::{PemItem, RootCerts};

use crate::error::{Error, Result};
use crate::limits::CA_BYTES_MAX;
use crate::quote::Quoted;

/// The authorities that a file holds as PEM: none but these are trusted then.
pub(crate) fn authorities(path: &Path) -> Result<RootCerts> {
    let mut pem = Vec::new();
    let read = File::open(path).and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem));
    read.map_err(|e| Error::reading("read the CA file", path, e))?;
    let items = ureq::tls::parse_pem(&pem).collect::<std::result::Result<Vec<_>, _>>();
    let certificates: Vec<_> = items
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::usage(
            format!("the CA file {} holds no certificate in PEM", Quoted(path)),
            "it begins with -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
