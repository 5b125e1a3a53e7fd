//! An error of a device in the terms of the manager: what it says of its own tree is said of the place that the tree has here.

use netconf::error::{ErrorInfo, ErrorPath, RpcError};

/// Where the tree of a device hangs in the manager's.
pub(super) struct Mount<'a> {
    pub device: &'a str,
    /// Namespace and name of the device's top-level container. The manager has the same nodes in its own namespace (RFC 7950 section 7.13).
    pub container: (&'a str, &'a str),
    /// Prefix and namespace of the manager's module.
    pub here: (&'a str, &'a str),
}

impl Mount<'_> {
    /// The error with its paths (error-path, and those that RFC 7950 section 15 puts into error-info) moved. One that leads elsewhere at the
    /// device, as into the request, leads nowhere here and is left out.
    pub fn moved(&self, mut error: RpcError) -> RpcError {
        error.path = error.path.take().and_then(|path| self.path(&path));
        error.info = std::mem::take(&mut error.info).into_iter().filter_map(|info| self.info(info)).collect();
        error
    }

    fn info(&self, info: ErrorInfo) -> Option<ErrorInfo> {
        match info {
            ErrorInfo::Other { namespace, name, text, namespaces } if name == "non-unique" => {
                let ErrorPath { text, namespaces } = self.path(&ErrorPath { text, namespaces })?;
                Some(ErrorInfo::Other { namespace, name, text, namespaces })
            }
            other => Some(other),
        }
    }

    fn path(&self, path: &ErrorPath) -> Option<ErrorPath> {
        let ((namespace, name), (here, uri)) = (self.container, self.here);
        let is_own = |prefix: &str| path.namespaces.iter().any(|(bound, to)| bound == prefix && to == namespace);
        let first = path.text.strip_prefix('/')?;
        let (prefix, rest) = first.split_once(':')?;
        let rest = rest.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with(['/', '[']))?;
        if !is_own(prefix) {
            return None;
        }
        let mut namespaces = vec![(here.to_owned(), uri.to_owned())];
        // Their own prefixes stay: a value may use them.
        namespaces.extend(path.namespaces.iter().filter(|(bound, _)| bound != here).cloned());
        let device = self.device;
        let rest = with_prefix(rest, here, is_own);
        let text = format!("/{here}:devices/{here}:device[{here}:name='{device}']/{here}:{name}{rest}");
        Some(ErrorPath { text, namespaces })
    }
}

/// The path with another prefix of the names that have one `of_these`; what is quoted is a value, and stays.
fn with_prefix(path: &str, prefix: &str, of_these: impl Fn(&str) -> bool) -> String {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let (mut out, mut rest) = (String::new(), path);
    while let Some(next) = rest.chars().next() {
        let end = match next {
            '\'' | '"' => rest[1..].find(next).map_or(rest.len(), |end| end + 2),
            next if is_name(next) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            next => next.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        let is_prefix = is_name(next) && after.starts_with(':') && of_these(token);
        out.push_str(if is_prefix { prefix } else { token });
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests;
