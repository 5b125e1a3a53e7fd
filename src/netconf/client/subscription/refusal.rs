//! Why a server refused a subscription, and what it would take instead: error-app-tag (RFC 8640 section 7) and the
//! yang-data in error-info (RFC 8639 section 2.4.6, RFC 8641 section 4.4.3).

use super::event::identity;
use crate::client::Error;
use crate::error::{ErrorInfo, RpcError};
use crate::xml::{Document, Element, Limits};

/// What a refusal says beyond its error-tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The name of an identity, without its module: `filter-unsupported`, `period-unsupported`, …
    pub reason: String,
    /// In hundredths of a second: what would do.
    pub period_hint: Option<u32>,
    pub filter_failure_hint: Option<String>,
    pub object_count_estimate: Option<u32>,
    pub object_count_limit: Option<u32>,
    pub kilobytes_estimate: Option<u32>,
    pub kilobytes_limit: Option<u32>,
}

impl Refusal {
    /// Of the first error that names a reason.
    pub fn of(error: &Error) -> Option<Refusal> {
        error.rpc_errors().iter().find_map(Refusal::read)
    }

    fn read(error: &RpcError) -> Option<Refusal> {
        let mut refusal = Refusal::default();
        for info in &error.info {
            let ErrorInfo::Xml(xml) = info else { continue };
            if let Ok(document) = Document::parse(xml, &Limits::default()) {
                refusal.hints(document.root());
            }
        }
        if refusal.reason.is_empty() {
            refusal.reason = identity(error.app_tag.as_deref()?);
        }
        Some(refusal)
    }

    fn hints(&mut self, info: Element<'_>) {
        for leaf in info.children() {
            let text = leaf.text().trim_ascii();
            match leaf.name() {
                "reason" => self.reason = identity(text),
                "period-hint" => self.period_hint = text.parse().ok(),
                "filter-failure-hint" => self.filter_failure_hint = Some(text.to_owned()),
                "object-count-estimate" => self.object_count_estimate = text.parse().ok(),
                "object-count-limit" => self.object_count_limit = text.parse().ok(),
                "kilobytes-estimate" => self.kilobytes_estimate = text.parse().ok(),
                "kilobytes-limit" => self.kilobytes_limit = text.parse().ok(),
                _ => {}
            }
        }
    }
}
