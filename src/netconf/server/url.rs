//! Configuration behind URLs (RFC 6241 section 8.8): files of one directory, and https at the hosts of an allow-list.
//!
//! A file's path is either that of the file system, inside the directory, or one that has the directory as its root. No
//! symbolic link is followed, wherever it leads.

mod file;
mod https;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use self::file::Directory;
pub use self::https::Host;
use self::https::{Address, Https};
use crate::error::{ErrorInfo, ErrorType, RpcError};
use crate::framing::MAX_MESSAGE;
use crate::message::BASE_NAMESPACE;
use crate::xml::{Document, Element};
use crate::yang::schema::SchemaBuilder;

/// The longest content, read or written: what a request can carry, a file can hold.
pub const MAX_CONTENT: usize = MAX_MESSAGE;

/// Which URLs a server has. By default none.
#[derive(Clone, Debug, Default)]
pub struct UrlOptions {
    /// The one directory that `file:` URLs can name. It must exist.
    pub dir: Option<PathBuf>,
    /// The hosts that `https:` URLs can name.
    pub allow: Vec<Host>,
    /// The certificates, in PEM, of those who may vouch for these hosts; where none is given, the system's.
    pub authorities: Option<PathBuf>,
}

impl UrlOptions {
    pub fn is_empty(&self) -> bool {
        self.dir.is_none() && self.allow.is_empty()
    }

    /// Adds the feature :url to a server's modules where there are URLs.
    pub fn modules(&self, builder: SchemaBuilder) -> SchemaBuilder {
        if self.is_empty() { builder } else { builder.module("ietf-netconf", None, &["url"]) }
    }
}

/// Why a server cannot have the URLs that it was told to.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("cannot open the directory of file: URLs, {}: {source}; make it, or name another", path.display())]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("cannot read certificates for https: URLs from {}: {reason}; name a file in PEM", path.display())]
    Authorities { path: PathBuf, reason: String },
}

/// What a server can do with URLs.
#[derive(Clone, Debug, Default)]
pub struct Urls {
    directory: Option<Arc<Directory>>,
    https: Option<Arc<Https>>,
}

/// A URL that the server has. Two that are equal name the same.
#[derive(Clone, Debug)]
pub struct Url(Place);

#[derive(Clone, Debug)]
enum Place {
    /// With the steps from the directory.
    File(Arc<Directory>, Vec<String>),
    Https(Arc<Https>, Address),
}

impl Urls {
    pub fn open(options: &UrlOptions) -> Result<Urls, UrlError> {
        let directory = options.dir.as_deref().map(Directory::open).transpose()?.map(Arc::new);
        let https = match options.allow.is_empty() {
            true => None,
            false => Some(Arc::new(Https::new(options.allow.clone(), options.authorities.as_deref())?)),
        };
        Ok(Urls { directory, https })
    }

    /// The value of the capability's `scheme` parameter; None where there are no URLs.
    pub fn schemes(&self) -> Option<String> {
        let schemes = [self.directory.as_ref().map(|_| "file"), self.https.as_ref().map(|_| "https")];
        let schemes: Vec<&str> = schemes.into_iter().flatten().collect();
        (!schemes.is_empty()).then(|| schemes.join(","))
    }

    /// Reads the text of a `<url>`. Without :url the element is unknown; what is none of the server's URLs is an
    /// `invalid-value`.
    pub fn url(&self, text: &str) -> Result<Url, RpcError> {
        if self.schemes().is_none() {
            return Err(RpcError::unknown_element("url").with_type(ErrorType::Protocol));
        }
        let Some((scheme, rest)) = text.split_once(':') else { return Err(refused("This is no URL.")) };
        match (scheme.to_ascii_lowercase().as_str(), &self.directory, &self.https) {
            ("file", Some(directory), _) => directory.steps(rest).map(|steps| Place::File(directory.clone(), steps)),
            ("https", _, Some(https)) => https.address(text).map(|address| Place::Https(https.clone(), address)),
            _ => Err(format!("This server has no URLs of the scheme \"{scheme}\".")),
        }
        .map(Url)
        .map_err(refused)
    }
}

impl Url {
    /// The content.
    pub async fn read(&self) -> Result<String, RpcError> {
        let bytes = self.transfer(Directory::read, Https::read).await?;
        String::from_utf8(bytes).map_err(|_| content(self, "it is not UTF-8"))
    }

    /// Replaces the content. A file's is durable, and the old or the new whole after a crash.
    pub async fn write(&self, bytes: Vec<u8>) -> Result<(), RpcError> {
        if bytes.len() > MAX_CONTENT {
            return Err(Failure::TooBig.error(self));
        }
        let bytes = Arc::new(bytes);
        let same = bytes.clone();
        self.transfer(
            move |directory, steps| directory.write(steps, &bytes),
            move |https, address| https.write(address, &same),
        )
        .await
    }

    pub async fn delete(&self) -> Result<(), RpcError> {
        self.transfer(Directory::delete, Https::delete).await
    }

    /// Disk and network hold up no other session.
    async fn transfer<T: Send + 'static>(
        &self,
        file: impl FnOnce(&Directory, &[String]) -> Result<T, Failure> + Send + 'static,
        https: impl FnOnce(&Https, &Address) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, RpcError> {
        let work = match self.0.clone() {
            Place::File(directory, steps) => tokio::task::spawn_blocking(move || file(&directory, &steps)),
            Place::Https(server, address) => {
                let turn = server.turn().await;
                tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    https(&server, &address)
                })
            }
        };
        let done = work.await.unwrap_or_else(|error| Err(Failure::Failed(error.to_string())));
        done.map_err(|failure| failure.error(self))
    }
}

impl PartialEq for Url {
    fn eq(&self, other: &Url) -> bool {
        match (&self.0, &other.0) {
            (Place::File(_, steps), Place::File(_, others)) => steps == others,
            (Place::Https(_, address), Place::Https(_, other)) => address == other,
            _ => false,
        }
    }
}

/// The `<config>` element that the content of a URL must be (RFC 6241 section 8.8.5).
pub fn config<'d>(
    url: &Url,
    document: &'d Result<Document<'d>, crate::xml::XmlError>,
) -> Result<Element<'d>, RpcError> {
    let document = document.as_ref().map_err(|error| content(url, &format!("it is not well-formed: {error}")))?;
    let root = document.root();
    match root.is(BASE_NAMESPACE, "config") || root.is("", "config") {
        true => Ok(root),
        false => Err(content(url, "its root is no <config> of NETCONF's base namespace")),
    }
}

/// As it was given, but for the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(_, steps) => write!(f, "file:///{}", steps.join("/")),
            Place::Https(_, address) => address.fmt(f),
        }
    }
}

/// Why the content of a URL cannot be had.
#[derive(Debug)]
enum Failure {
    Missing,
    TooBig,
    /// What it names is nothing that has content.
    Refused(String),
    Failed(String),
}

impl Failure {
    fn error(self, url: &Url) -> RpcError {
        match self {
            Failure::Missing => RpcError::data_missing(format!("There is nothing at {url}.")),
            Failure::TooBig => RpcError::too_big(format!("{url} is longer than {MAX_CONTENT} bytes.")),
            Failure::Refused(reason) => refused(format!("{url}: {reason}")),
            Failure::Failed(reason) => RpcError::operation_failed(format!("{url}: {reason}")),
        }
    }
}

fn refused(message: impl Into<String>) -> RpcError {
    RpcError::invalid_value(message).with_type(ErrorType::Protocol).with_info(ErrorInfo::BadElement("url".into()))
}

fn content(url: &Url, reason: &str) -> RpcError {
    RpcError::operation_failed(format!("The content of {url} is no configuration: {reason}."))
}

/// The text that `%XX` stands for (RFC 3986 section 2.1).
fn percent_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        // from_str_radix would take a sign.
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.ok_or("\"%\" stands before two hexadecimal digits.")?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "What \"%\" encodes is not UTF-8.".into())
}

#[cfg(test)]
mod tests;
