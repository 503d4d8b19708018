//! Variables of Azure's own command line that the `object_store` crate calls otherwise.

use object_store::azure::AzureConfigKey as Key;

use crate::error::{Error, Result};

/// What the variables of `az storage` say: account, key, and a connection string.
pub(super) fn settings(variable: impl Fn(&[&str]) -> Option<String>) -> Result<Vec<(Key, String)>> {
    let mut settings = Vec::new();
    for (name, key) in
        [("AZURE_STORAGE_ACCOUNT", Key::AccountName), ("AZURE_STORAGE_KEY", Key::AccessKey)]
    {
        settings.extend(variable(&[name]).map(|value| (key, value)));
    }
    if variable(&["AZURE_STORAGE_AUTH_MODE"]).is_some_and(|mode| mode == "login") {
        settings.push((Key::UseAzureCli, "true".to_owned()));
    }
    if let Some(text) = variable(&["AZURE_STORAGE_CONNECTION_STRING"]) {
        settings.extend(connection(&text)?);
    }
    Ok(settings)
}

/// The parts of a connection string: `AccountName=...;AccountKey=...;BlobEndpoint=...`.
fn connection(text: &str) -> Result<Vec<(Key, String)>> {
    let refused = || {
        Error::usage(
            "AZURE_STORAGE_CONNECTION_STRING cannot be used",
            "its form is AccountName=NAME;AccountKey=KEY;EndpointSuffix=core.windows.net",
        )
    };
    let mut settings = Vec::new();
    let (mut account, mut endpoint, mut suffix) = (None, None, None);
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(refused)?;
        let value = value.to_owned();
        match &*name.to_ascii_lowercase() {
            "accountname" => account = Some(value),
            "accountkey" => settings.push((Key::AccessKey, value)),
            "sharedaccesssignature" => settings.push((Key::SasKey, value)),
            "blobendpoint" => endpoint = Some(value),
            "endpointsuffix" => suffix = Some(value),
            "usedevelopmentstorage" => settings.push((Key::UseEmulator, value)),
            _ => {}
        }
    }
    let beside = account.as_ref().zip(suffix);
    let of_suffix = beside.map(|(account, suffix)| format!("https://{account}.blob.{suffix}"));
    settings.extend(endpoint.or(of_suffix).map(|url| (Key::Endpoint, url)));
    settings.extend(account.map(|account| (Key::AccountName, account)));
    if settings.is_empty() { Err(refused()) } else { Ok(settings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let text =
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=b==;EndpointSuffix=c.d;";
        let of = |text: &str| connection(text).expect("is read");
        let expected = [
            (Key::AccessKey, "b=="),
            (Key::Endpoint, "https://a.blob.c.d"),
            (Key::AccountName, "a"),
        ];
        assert_eq!(of(text), expected.map(|(key, value)| (key, value.to_owned())));
        let text = "BlobEndpoint=http://127.0.0.1:1/a;SharedAccessSignature=sv=1&sig=x%3D";
        let expected = [(Key::SasKey, "sv=1&sig=x%3D"), (Key::Endpoint, "http://127.0.0.1:1/a")];
        assert_eq!(of(text), expected.map(|(key, value)| (key, value.to_owned())));
        for text in ["", "canary", "Canary=1"] {
            let error = connection(text).expect_err("is refused").to_string();
            assert!(!error.contains("anary"), "{error}");
        }
    }
}
