//! https at the hosts of an allow-list: GET, PUT and DELETE, without redirects and without proxies.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use ureq::http::{StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::{Failure, MAX_CONTENT, UrlError, percent_decoded};

/// How long one transfer may take: the client waits for its reply meanwhile.
pub const HTTPS_TIMEOUT: Duration = Duration::from_secs(60);

/// Transfers at once; each takes a thread. Further ones wait.
const HTTPS_TRANSFERS: usize = 4;

/// Where Debian and most others keep the certificates that the system trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A host that https URLs can name, and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// In lower case.
    name: String,
    port: u16,
}

impl std::str::FromStr for Host {
    type Err = String;

    /// `HOST[:PORT]`; port 443 where none is given.
    fn from_str(text: &str) -> Result<Host, String> {
        let wrong = || format!("\"{text}\" is not HOST[:PORT]");
        let uri: Uri = format!("https://{text}/").parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| authority.as_str() == text && !text.contains('@'));
        Host::of(authority.ok_or_else(wrong)?).ok_or_else(wrong)
    }
}

impl Host {
    fn of(authority: &ureq::http::uri::Authority) -> Option<Host> {
        let port = match authority.as_str().rsplit_once(':') {
            // A port that is none must not be taken for the usual one.
            Some((_, port)) if !port.ends_with(']') => authority.port_u16().filter(|_| !port.contains('@'))?,
            _ => 443,
        };
        let name = authority.host().to_ascii_lowercase();
        (!name.is_empty()).then_some(Host { name, port })
    }
}

/// One https URL at one of the hosts.
#[derive(Clone)]
pub(super) struct Address {
    /// Without user and password.
    uri: Uri,
    /// The value of the Authorization header.
    authorization: Option<String>,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// Whoever asks, it is the same place.
impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        self.uri == other.uri
    }
}

/// Never with the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[derive(Debug)]
pub(super) struct Https {
    allow: Vec<Host>,
    agent: Agent,
    transfers: Arc<Semaphore>,
}

impl Https {
    pub(super) fn new(allow: Vec<Host>, authorities: Option<&Path>) -> Result<Https, UrlError> {
        let path = authorities.unwrap_or(Path::new(SYSTEM_AUTHORITIES));
        let unreadable = |reason: String| UrlError::Authorities { path: PathBuf::from(path), reason };
        let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        let mut certificates = Vec::new();
        for item in ureq::tls::parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|error| unreadable(error.to_string()))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(unreadable("there is none in it".into()));
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&certificates))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            // A redirect could lead off the allow-list, a proxy past it.
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(HTTPS_TIMEOUT))
            .http_status_as_error(false)
            .build()
            .new_agent();
        Ok(Https { allow, agent, transfers: Arc::new(Semaphore::new(HTTPS_TRANSFERS)) })
    }

    /// Reads a URL and holds it against the allow-list. Nothing is looked up.
    pub(super) fn address(&self, text: &str) -> Result<Address, String> {
        if text.contains('#') {
            return Err("An https: URL of configuration has no fragment.".into());
        }
        let uri: Uri = text.parse().map_err(|error| format!("This is no URL: {error}."))?;
        let authority = uri.authority().ok_or("An https: URL names a host.")?;
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        let host_alone = host.parse().map_err(|error| format!("This names no host: {error}."))?;
        let named = Host::of(&host_alone).ok_or("This names no host and port.")?;
        if !self.allow.contains(&named) {
            let Host { name, port } = named;
            return Err(format!("https: URLs at {name}, port {port}, are not allowed here."));
        }
        let authorization = match user {
            None => None,
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let both = format!("{}:{}", percent_decoded(name)?, percent_decoded(password)?);
                Some(format!("Basic {}", Base64::encode_string(both.as_bytes())))
            }
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let Host { name, port } = named;
        let uri = Uri::try_from(format!("https://{name}:{port}{path}")).map_err(|error| error.to_string())?;
        Ok(Address { uri, authorization })
    }

    /// Waits until there is room for one more transfer.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        self.transfers.clone().acquire_owned().await.expect("it is never closed")
    }

    pub(super) fn read(&self, address: &Address) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.get(&address.uri).header("Accept", "application/xml, text/xml, */*;q=0.1");
        if let Some(authorization) = &address.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut body = answered(request.call())?;
        body.with_config().limit(MAX_CONTENT as u64).read_to_vec().map_err(failure)
    }

    pub(super) fn write(&self, address: &Address, bytes: &[u8]) -> Result<(), Failure> {
        let mut request = self.agent.put(&address.uri).content_type("application/xml");
        if let Some(authorization) = &address.authorization {
            request = request.header("Authorization", authorization);
        }
        answered(request.send(bytes)).map(drop)
    }

    pub(super) fn delete(&self, address: &Address) -> Result<(), Failure> {
        let mut request = self.agent.delete(&address.uri);
        if let Some(authorization) = &address.authorization {
            request = request.header("Authorization", authorization);
        }
        answered(request.call()).map(drop)
    }
}

fn answered(response: Result<ureq::http::Response<Body>, ureq::Error>) -> Result<Body, Failure> {
    let response = response.map_err(failure)?;
    match response.status() {
        status if status.is_success() => Ok(response.into_body()),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::Missing),
        status if status.is_redirection() => {
            Err(Failure::Failed(format!("the server answers {status}, which is not followed.")))
        }
        status => Err(Failure::Failed(format!("the server answers {status}."))),
    }
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::BodyExceedsLimit(_) => Failure::TooBig,
        other => Failure::Failed(format!("{other}.")),
    }
}
