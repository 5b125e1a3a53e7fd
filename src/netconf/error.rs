//! The errors of NETCONF: `<rpc-error>` (RFC 6241 section 4.3 and appendix A), the only error a peer ever sees.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::xml::quoted;

/// The layer in which an error occurred (RFC 6241 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    Transport,
    Rpc,
    Protocol,
    Application,
}

impl ErrorType {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::Transport => "transport",
            ErrorType::Rpc => "rpc",
            ErrorType::Protocol => "protocol",
            ErrorType::Application => "application",
        }
    }
}

impl std::str::FromStr for ErrorType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [ErrorType::Transport, ErrorType::Rpc, ErrorType::Protocol, ErrorType::Application]
            .into_iter()
            .find(|t| t.as_str() == text)
            .ok_or(())
    }
}

macro_rules! error_tags {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// What went wrong, in one word (RFC 6241 appendix A).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorTag { $($variant),* }

        impl ErrorTag {
            pub const ALL: &'static [ErrorTag] = &[$(ErrorTag::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(ErrorTag::$variant => $name),* }
            }
        }
    };
}

error_tags! {
    InUse = "in-use",
    InvalidValue = "invalid-value",
    TooBig = "too-big",
    MissingAttribute = "missing-attribute",
    BadAttribute = "bad-attribute",
    UnknownAttribute = "unknown-attribute",
    MissingElement = "missing-element",
    BadElement = "bad-element",
    UnknownElement = "unknown-element",
    UnknownNamespace = "unknown-namespace",
    AccessDenied = "access-denied",
    LockDenied = "lock-denied",
    ResourceDenied = "resource-denied",
    RollbackFailed = "rollback-failed",
    DataExists = "data-exists",
    DataMissing = "data-missing",
    OperationNotSupported = "operation-not-supported",
    OperationFailed = "operation-failed",
    PartialOperation = "partial-operation",
    MalformedMessage = "malformed-message",
}

impl std::str::FromStr for ErrorTag {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|t| t.as_str() == text).ok_or(())
    }
}

/// One child of `<error-info>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorInfo {
    BadAttribute(String),
    BadElement(String),
    BadNamespace(String),
    /// The session that holds what was asked for; 0 when it is not a NETCONF session.
    SessionId(u32),
    /// An element of another namespace, e.g. RFC 7950's `non-unique` and `missing-choice`.
    /// `namespaces` binds the prefixes that `text` uses.
    Other {
        namespace: Cow<'static, str>,
        name: Cow<'static, str>,
        text: String,
        namespaces: Vec<(String, String)>,
    },
    /// The same with elements inside, such as the yang-data of RFC 8639: the XML of the whole, which declares all its
    /// namespaces.
    Xml(String),
}

/// An instance path for `<error-path>`: `text` uses the prefixes that `namespaces` binds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorPath {
    pub text: String,
    pub namespaces: Vec<(String, String)>,
}

/// One `<rpc-error>`. Made by the constructor named after its error-tag, refined by the `with_` methods.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcError(Box<RpcErrorFields>);

/// The fields of an [`RpcError`], reached through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcErrorFields {
    pub error_type: ErrorType,
    pub tag: ErrorTag,
    /// True for `<error-severity>warning`; RFC 6241 defines no warning, but peers send them.
    pub warning: bool,
    pub app_tag: Option<Cow<'static, str>>,
    pub path: Option<ErrorPath>,
    pub message: Option<String>,
    pub info: Vec<ErrorInfo>,
}

impl RpcError {
    pub fn new(error_type: ErrorType, tag: ErrorTag, message: impl Into<String>) -> Self {
        RpcError(Box::new(RpcErrorFields {
            error_type,
            tag,
            warning: false,
            app_tag: None,
            path: None,
            message: Some(short(message.into())),
            info: Vec::new(),
        }))
    }

    /// The request needs a resource that is already in use.
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::InUse, message)
    }

    /// A value that its parameter or node does not allow.
    pub fn invalid_value(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::InvalidValue, message)
    }

    pub fn too_big(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::TooBig, message)
    }

    pub fn missing_attribute(attribute: &str, element: &str) -> Self {
        Self::new(
            ErrorType::Protocol,
            ErrorTag::MissingAttribute,
            format!("Attribute \"{attribute}\" is missing in <{element}>."),
        )
        .with_info(ErrorInfo::BadAttribute(attribute.into()))
        .with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn bad_attribute(attribute: &str, element: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::BadAttribute, message)
            .with_info(ErrorInfo::BadAttribute(attribute.into()))
            .with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn unknown_attribute(attribute: &str, element: &str) -> Self {
        Self::new(
            ErrorType::Protocol,
            ErrorTag::UnknownAttribute,
            format!("Attribute \"{attribute}\" is not known in <{element}>."),
        )
        .with_info(ErrorInfo::BadAttribute(attribute.into()))
        .with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn missing_element(element: &str) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::MissingElement, format!("Element <{element}> is missing."))
            .with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn bad_element(element: &str, message: impl Into<String>) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::BadElement, message).with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn unknown_element(element: &str) -> Self {
        Self::new(ErrorType::Application, ErrorTag::UnknownElement, format!("Element <{element}> is not known here."))
            .with_info(ErrorInfo::BadElement(element.into()))
    }

    pub fn unknown_namespace(element: &str, namespace: &str) -> Self {
        let message = if namespace.is_empty() {
            format!("Element <{element}> has no namespace.")
        } else {
            format!("Namespace \"{namespace}\" of <{element}> is not known.")
        };
        Self::new(ErrorType::Application, ErrorTag::UnknownNamespace, message)
            .with_info(ErrorInfo::BadElement(element.into()))
            .with_info(ErrorInfo::BadNamespace(short(namespace.into())))
    }

    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::AccessDenied, message)
    }

    /// The lock is held by `session_id` (0: by something other than a NETCONF session).
    pub fn lock_denied(session_id: u32, message: impl Into<String>) -> Self {
        Self::new(ErrorType::Protocol, ErrorTag::LockDenied, message).with_info(ErrorInfo::SessionId(session_id))
    }

    pub fn resource_denied(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::ResourceDenied, message)
    }

    pub fn rollback_failed(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::RollbackFailed, message)
    }

    pub fn data_exists(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::DataExists, message)
    }

    pub fn data_missing(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::DataMissing, message)
    }

    pub fn operation_not_supported(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::OperationNotSupported, message)
    }

    pub fn operation_failed(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Application, ErrorTag::OperationFailed, message)
    }

    /// A message that is not well-formed XML or not a NETCONF message; never sent to a base:1.0 peer.
    pub fn malformed_message(message: impl Into<String>) -> Self {
        Self::new(ErrorType::Rpc, ErrorTag::MalformedMessage, message)
    }

    pub fn with_type(mut self, error_type: ErrorType) -> Self {
        self.error_type = error_type;
        self
    }

    pub fn with_app_tag(mut self, app_tag: impl Into<Cow<'static, str>>) -> Self {
        self.app_tag = Some(app_tag.into());
        self
    }

    /// A path beyond [`MAX_PATH`] is left out: keys can be as long as a message, and an edit has up to 64 errors.
    pub fn with_path(mut self, path: ErrorPath) -> Self {
        self.path = Some(path).filter(|path| path.text.len() <= MAX_PATH);
        self
    }

    pub fn with_info(mut self, info: ErrorInfo) -> Self {
        self.info.push(info);
        self
    }
}

/// The longest path in an error.
const MAX_PATH: usize = 16 << 10;

/// Messages quote what peers wrote.
fn short(text: String) -> String {
    match quoted(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

/// Most operations fail with one error, and all can fail with several.
impl From<RpcError> for Vec<RpcError> {
    fn from(error: RpcError) -> Self {
        vec![error]
    }
}

impl Deref for RpcError {
    type Target = RpcErrorFields;

    fn deref(&self) -> &RpcErrorFields {
        &self.0
    }
}

impl DerefMut for RpcError {
    fn deref_mut(&mut self) -> &mut RpcErrorFields {
        &mut self.0
    }
}

impl fmt::Debug for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag.as_str())?;
        if let Some(path) = &self.path {
            write!(f, " at {}", path.text)?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RpcError {}
