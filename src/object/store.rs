//! From an address to the client of its store, with what the environment says: the same variables, profiles and metadata
//! services that the vendors' own tools use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use ureq::http::Uri;
use ureq::tls::TlsConfig;

use super::fault::short;
use super::http::Connector;
use super::{azure, profile};
use crate::config::{Location, Scheme};
use crate::error::{Error, Result};
use crate::mutex;
use crate::net::{authorities, proxy};

/// Store of a bucket, a container or a host.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// The list of what is there, page by page; a web server has none.
    pub(super) pages: Option<Arc<dyn PaginatedListStore>>,
}

impl Store {
    fn of<S: ObjectStore + PaginatedListStore>(store: S) -> Self {
        let store = Arc::new(store);
        Self { objects: Arc::clone(&store) as _, pages: Some(store) }
    }
}

/// Stores by process and address; each web address is one of its own.
type Stores = HashMap<(u32, String, Option<String>), Store>;

/// How often a request is tried again that failed for no lasting reason, and for how long. Who asked is proved anew for each
/// request, not for each try, so that the time stays below what stores let a proof hold.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(250),
        max_backoff: Duration::from_secs(15),
        base: 3.0,
    },
    max_retries: 12,
    retry_timeout: Duration::from_mins(3),
};

/// The store of an address; the same one for all addresses of a store.
pub(super) fn of(location: &Location) -> Result<Store> {
    static STORES: Mutex<Option<Stores>> = Mutex::new(None);
    // A process that was forked off must not use the connections of the other.
    let rest = (location.scheme() == Scheme::Https)
        .then(|| format!("{}?{}", location.key(), location.query().unwrap_or_default()));
    let name = (std::process::id(), location.store().to_owned(), rest);
    let mut stores = mutex::lock(&STORES);
    let stores = stores.get_or_insert_default();
    if let Some(store) = stores.get(&name) {
        return Ok(store.clone());
    }
    let store = connect(location)?;
    stores.insert(name, store.clone());
    Ok(store)
}

fn connect(location: &Location) -> Result<Store> {
    let built = match location.scheme() {
        Scheme::S3 => s3(location)?.build().map(Store::of),
        Scheme::Gs => gs(location)?.build().map(Store::of),
        Scheme::Az => az(location)?.build().map(Store::of),
        Scheme::Https => {
            https(location)?.build().map(|store| Store { objects: Arc::new(store), pages: None })
        }
    };
    built.map_err(|error| {
        // Addresses can hold signatures.
        let message = format!("{} cannot be used: {}", location.store(), short(&error.to_string()));
        Error::usage(message, hint(location.scheme()))
    })
}

/// What to do where a store cannot be used.
pub(super) fn hint(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::S3 => {
            "see that `aws s3 ls` works here: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the like count"
        }
        Scheme::Gs => {
            "see that `gcloud storage ls` works here: GOOGLE_APPLICATION_CREDENTIALS counts"
        }
        Scheme::Az => {
            "see that `az storage blob list` works here: AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN and the like count"
        }
        Scheme::Https => "see that `curl -I` gets it here",
    }
}

fn s3(location: &Location) -> Result<AmazonS3Builder> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket(location));
    let mut endpoint = variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
    let profile = profile::of_environment()?;
    if let Some(region) = variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).or(profile.region) {
        builder = builder.with_region(region);
    }
    if let Some(url) = profile.endpoint.filter(|_| endpoint.is_none()) {
        builder = builder.with_endpoint(&url);
        endpoint = Some(url);
    }
    if let Some(keys) = profile.keys {
        builder = builder.with_access_key_id(keys.id).with_secret_access_key(keys.secret);
        if let Some(token) = keys.token {
            builder = builder.with_token(token);
        }
    }
    let connector = connector(endpoint.as_deref(), &["AWS_CA_BUNDLE", "SSL_CERT_FILE"], 0)?;
    let options = options(endpoint.as_deref(), "AWS_ALLOW_HTTP")?;
    Ok(builder.with_client_options(options).with_retry(RETRIES).with_http_connector(connector))
}

fn gs(location: &Location) -> Result<GoogleCloudStorageBuilder> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket(location));
    // Google's own client libraries ask the emulator for no proof of who asks.
    let emulator = variable(&["STORAGE_EMULATOR_HOST"])
        .map(|host| if host.contains("://") { host } else { format!("http://{host}") });
    if let Some(url) = &emulator {
        builder = builder.with_base_url(url).with_skip_signature(true);
    }
    let endpoint = emulator.or_else(|| variable(&["GOOGLE_BASE_URL"]));
    let connector = connector(endpoint.as_deref(), &["SSL_CERT_FILE"], 0)?;
    let options = options(endpoint.as_deref(), "GOOGLE_ALLOW_HTTP")?;
    Ok(builder.with_client_options(options).with_retry(RETRIES).with_http_connector(connector))
}

fn az(location: &Location) -> Result<MicrosoftAzureBuilder> {
    let mut builder = MicrosoftAzureBuilder::from_env();
    let mut endpoint = variable(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]);
    for (key, value) in azure::settings(variable)? {
        if key == AzureConfigKey::Endpoint {
            endpoint = Some(value.clone());
        }
        builder = builder.with_config(key, value);
    }
    let store = location.store();
    // `abfss://CONTAINER@ACCOUNT...` names the account, too.
    builder = if store.contains('@') {
        builder.with_url(store.replace("abfs://", "abfss://"))
    } else {
        builder.with_container_name(bucket(location))
    };
    let connector = connector(endpoint.as_deref(), &["SSL_CERT_FILE"], 0)?;
    let options = options(endpoint.as_deref(), "AZURE_ALLOW_HTTP")?;
    Ok(builder.with_client_options(options).with_retry(RETRIES).with_http_connector(connector))
}

/// The store of one web address, which is asked for as it was typed.
fn https(location: &Location) -> Result<HttpBuilder> {
    let mut url = location.to_string();
    if let Some(query) = location.query() {
        url = format!("{url}?{query}");
    }
    // From an address of this machine it could lead to one without TLS.
    let redirections = if is_plain(location.store()) { 0 } else { REDIRECTIONS_MAX };
    let connector = connector(Some(location.store()), &["SSL_CERT_FILE"], redirections)?;
    let options = options(Some(location.store()), "")?;
    let builder = HttpBuilder::new().with_url(url).with_client_options(options);
    Ok(builder.with_retry(RETRIES).with_http_connector(connector))
}

/// Redirections that are followed, as web servers have them. Stores have none: a wrong region is to be said.
const REDIRECTIONS_MAX: u32 = 5;

/// The name of a bucket or container: the address without its scheme.
fn bucket(location: &Location) -> &str {
    location.store().split_once("://").map_or("", |(_, bucket)| bucket)
}

/// The first of some variables that is set.
fn variable(names: &[&str]) -> Option<String> {
    let value = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    names.iter().find_map(value)
}

/// What makes requests to an endpoint, or to the vendor's own. Authorities are those of a file that a variable names.
fn connector(endpoint: Option<&str>, ca_files: &[&str], redirections: u32) -> Result<Connector> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = variable(ca_files) {
        tls = tls.root_certs(authorities(path.as_ref())?);
    }
    let has_tls = !endpoint.is_some_and(is_plain);
    Ok(Connector { proxy: proxy(has_tls)?, tls: tls.build(), redirections })
}

/// Options of a client. Without TLS personal data could be read on the way: only on this machine, or where a variable
/// allows it.
fn options(endpoint: Option<&str>, allowing: &str) -> Result<ClientOptions> {
    let Some(endpoint) = endpoint else { return Ok(ClientOptions::new()) };
    let address: Option<Uri> = endpoint.parse().ok();
    let authority = address.as_ref().and_then(Uri::authority);
    let Some(authority) = authority.filter(|of| !of.as_str().contains('@')) else {
        // It may hold a password, and is not repeated.
        let why = "the endpoint of the store is no address, or holds a user's name";
        return Err(Error::usage(why, "its form is https://HOST:PORT"));
    };
    if !is_plain(endpoint) {
        return Ok(ClientOptions::new());
    }
    let is_here = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
    let is_allowed = variable(&[allowing]).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if !is_here && !is_allowed {
        return Err(Error::usage(
            "the endpoint of the store has no TLS: personal data could be read on the way",
            format!("give it one, or allow it with {allowing}=true"),
        ));
    }
    Ok(ClientOptions::new().with_allow_http(true))
}

fn is_plain(endpoint: &str) -> bool {
    endpoint.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}
