//! The NETCONF client (RFC 6241): a session over any byte stream, and the operations as methods of it.
//!
//! [`Session::open`] exchanges the hellos and leaves a task that owns the stream. A [`Session`] is a handle to it: clone
//! it, and have many requests under way at once. What a foreign server sends is kept as the XML it sent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::RpcError;
use crate::framing::{FramingError, ReadError};
use crate::message::{self, HelloError};
use crate::xml::{Document, Element, Limits, XmlError};

pub use back_off::BackOff;
pub use follow::{ConnectFailure, Follow, Followed, Follower, Means};
pub use library::{Library, LibraryModule};
pub use notification::{NotificationEvent, NotificationMessage, Notifications};
pub use operation::{CommitConfirmed, Datastore, EditConfig, Filter, GetData, NmdaDatastore, Options, OriginFilter};
pub use schemas::{LeftOut, ReadData, SchemaSet, SchemaSets};
pub use session::{Session, SessionConfig};
pub use subscription::{
    CreateSubscription, EstablishSubscription, ModifiedTarget, ModifySubscription, PatchEdit, PatchOperation, Place,
    PushChangeUpdate, PushUpdate, Refusal, Selection, StateChange, Subscription, SubscriptionEvent, SubscriptionState,
    SubscriptionTarget, UpdateTrigger,
};

mod back_off;
mod follow;
mod library;
mod notification;
mod operation;
mod reading;
mod schemas;
mod session;
mod subscription;

/// Why an operation has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The server answered with errors; at least one is not a warning.
    #[error("{}", list(.0))]
    Rpc(Vec<RpcError>),
    /// The stream failed. The session is over.
    #[error("the connection failed: {0}")]
    Transport(Arc<io::Error>),
    /// The session is over, by either side.
    #[error("the session is closed")]
    Closed,
    /// No answer came in time. The session goes on; what the server did is not known.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The peer sent what is not NETCONF, or the request cannot be sent. In the first case the session is over.
    #[error("{0}")]
    Protocol(String),
}

fn list(errors: &[RpcError]) -> String {
    errors.iter().map(RpcError::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// The errors of the server, where it answered with some.
    pub fn rpc_errors(&self) -> &[RpcError] {
        match self {
            Error::Rpc(errors) => errors,
            _ => &[],
        }
    }
}

impl From<XmlError> for Error {
    fn from(error: XmlError) -> Self {
        Error::Protocol(format!("the server sent what is not XML: {error}"))
    }
}

impl From<HelloError> for Error {
    fn from(error: HelloError) -> Self {
        Error::Protocol(error.to_string())
    }
}

impl From<FramingError> for Error {
    fn from(error: FramingError) -> Self {
        Error::Protocol(format!("framing: {error}"))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Transport(Arc::new(error))
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Framing(error) => error.into(),
            ReadError::Io(error) => error.into(),
            ReadError::Truncated => Error::Transport(Arc::new(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// An `<rpc-reply>` without errors.
#[derive(Clone, Debug)]
pub struct Reply {
    text: String,
    warnings: Vec<RpcError>,
}

impl Reply {
    /// Takes a reply apart from its errors.
    fn read(text: String) -> Result<Reply, Error> {
        // Most replies are spared the search: an element cannot be named in any other way than by its name.
        if memchr::memmem::find(text.as_bytes(), b"rpc-error").is_none() {
            return Ok(Reply { text, warnings: Vec::new() });
        }
        let errors = message::errors(Document::parse(&text, &Limits::default())?.root());
        if errors.iter().all(|error| error.warning) {
            Ok(Reply { text, warnings: errors })
        } else {
            Err(Error::Rpc(errors))
        }
    }

    /// The message as the server sent it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the server warned of while it did what was asked.
    pub fn warnings(&self) -> &[RpcError] {
        &self.warnings
    }

    /// The message, parsed; its root is the `<rpc-reply>`.
    pub fn document(&self) -> Result<Document<'_>, Error> {
        Ok(Document::parse(&self.text, &Limits::default())?)
    }
}

/// The `<data>` of a reply to get, get-config, get-data or get-schema, whose namespaces for it differ.
pub fn data<'d>(reply: &'d Document<'d>) -> Result<Element<'d>, Error> {
    let found = reply.root().children().find(|e| e.name() == "data");
    found.ok_or_else(|| Error::Protocol("the reply has no <data>".into()))
}

#[cfg(test)]
mod tests;
