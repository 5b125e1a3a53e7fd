//! The filters of subscriptions (RFC 8639 section 2.2, RFC 8641 section 3.6): given in the request, or by the name of a
//! configured one.

use std::sync::Arc;

use smol_str::SmolStr;

use super::refusal::{Problem, Refused, refuse};
use crate::error::RpcError;
use crate::server::nacm::{AccessOperation, UserAccess};
use crate::server::operation::parameters::Parameters;
use crate::xml::{Document, Limits};
use crate::yang::filter::Selection;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::Schema;
use crate::yang::serde::key;
use crate::yang::tree::{Content, Tree};
use crate::yang::xpath::{Context, Namespaces, XPath, XPathError};

/// What of a stream or datastore was asked for, as the operational state shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    #[default]
    None,
    /// A configured filter.
    Named(SmolStr),
    /// The XML inside the subtree filter.
    Subtree(Arc<str>),
    /// An expression that has the names of modules for prefixes.
    XPath(Arc<str>),
}

/// The names that the model has for the filters of one kind of subscription.
#[derive(Debug)]
pub struct Words {
    /// The parameter that names a configured filter.
    reference: &'static str,
    subtree: &'static str,
    xpath: &'static str,
    /// The list of configured ones, with the namespace of the parameters above.
    list: &'static str,
}

pub const STREAM: Words = Words {
    reference: "stream-filter-name",
    subtree: "stream-subtree-filter",
    xpath: "stream-xpath-filter",
    list: "/ietf-subscribed-notifications:filters/stream-filter",
};

pub const DATASTORE: Words = Words {
    reference: "selection-filter-ref",
    subtree: "datastore-subtree-filter",
    xpath: "datastore-xpath-filter",
    list: "/ietf-subscribed-notifications:filters/ietf-yang-push:selection-filter",
};

/// Why a filter cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// There is no configured filter of that name, or the subscriber may not see it.
    Unavailable(SmolStr),
    /// The server cannot make sense of it.
    Unsupported(String),
}

impl Unusable {
    /// The error of the operation that has the filter.
    pub fn refusal(&self, refused: Refused) -> RpcError {
        match self {
            Unusable::Unavailable(name) => {
                RpcError::invalid_value(format!("There is no configured filter \"{name}\"."))
                    .with_app_tag("ietf-subscribed-notifications:filter-unavailable")
            }
            Unusable::Unsupported(hint) => {
                let message = format!("The filter cannot be used: {hint}.");
                refuse(refused, Problem::FilterUnsupported, &[("filter-failure-hint", hint.clone())], message)
            }
        }
    }
}

impl Words {
    /// The parameters of these names.
    pub fn parameters(&self) -> [&'static str; 3] {
        [self.reference, self.subtree, self.xpath]
    }

    /// The filter among the parameters of the operation that is refused where it cannot be read.
    pub fn read(&self, schema: &Schema, parameters: &Parameters<'_>, refused: Refused) -> Result<Filter, RpcError> {
        let given: Vec<&str> = self.parameters().into_iter().filter(|name| parameters.get(name).is_some()).collect();
        let name = match given.as_slice() {
            [] => return Ok(Filter::None),
            [name] => *name,
            [_, second, ..] => return Err(RpcError::bad_element(second, "Only one filter can be given.")),
        };
        let element = parameters.required(name)?;
        if name == self.subtree {
            let mut xml = Vec::new();
            element.children().for_each(|child| child.write(&mut xml));
            return Ok(Filter::Subtree(String::from_utf8(xml).expect("written from strings").into()));
        }
        let text = parameters.text(name)?.unwrap_or_default();
        if name == self.reference {
            return Ok(Filter::Named(text.into()));
        }
        let leaf = schema.find(&format!("{}/{}", self.list, self.xpath)).expect("the module of the list has the leaf");
        // The names of modules are prefixes as well, where none is declared.
        let module = |name: &str| schema.module_by_name(name).map(|id| schema.module(id).namespace.as_str());
        let value = schema
            .value_xml(leaf, text, |prefix| element.resolve_prefix(prefix).or_else(|| module(prefix)))
            .map_err(|error| Unusable::Unsupported(error.message).refusal(refused))?;
        Ok(Filter::XPath(value.text().as_ref().into()))
    }

    /// The filter itself: a configured one as it is in `running`, as far as the user may see it.
    pub fn resolve(&self, filter: &Filter, running: &Tree, access: &UserAccess) -> Result<Filter, Unusable> {
        let Filter::Named(name) = filter else { return Ok(filter.clone()) };
        let schema = running.schema();
        let unavailable = || Unusable::Unavailable(name.clone());
        let list = schema.find(self.list).ok_or_else(unavailable)?;
        let above = schema.node(list).parent.ok_or_else(unavailable)?;
        let key = key(schema, list, &[name]).map_err(|_| unavailable())?;
        let mut path = InstancePath::default();
        path.push(above, Predicate::None);
        path.push(list, Predicate::Key(key.clone()));
        if !access.data(AccessOperation::Read, &path).permit {
            return Err(unavailable());
        }
        let entries = running.root().container(above).and_then(|filters| filters.list(list));
        let entry = entries.and_then(|list| list.get(&key)).ok_or_else(unavailable)?;
        for child in entry.iter() {
            match &child.content {
                Content::Any(xml) => return Ok(Filter::Subtree(xml.clone())),
                Content::Leaf(value) if schema.node(child.node).name == self.xpath => {
                    return Ok(Filter::XPath(value.text().as_ref().into()));
                }
                _ => {}
            }
        }
        Ok(Filter::None)
    }

    /// What of a datastore the filter selects.
    pub fn selection(&self, filter: &Filter, running: &Tree, access: &UserAccess) -> Result<Selection, Unusable> {
        let schema = running.schema();
        match self.resolve(filter, running, access)? {
            Filter::None | Filter::Named(_) => Ok(Selection::all()),
            Filter::Subtree(xml) => subtree(schema, &xml),
            Filter::XPath(text) => XPath::parse(&text, &Namespaces::new(schema))
                .and_then(|expression| Selection::from_xpath(schema, expression))
                .map_err(unsupported),
        }
    }
}

/// Which events of a stream are sent (RFC 8639's stream-filter, RFC 5277's filter).
#[derive(Clone, Debug)]
pub struct EventFilter {
    test: Test,
    /// What it was made of, for RFC 8639's.
    source: Filter,
}

#[derive(Clone, Debug)]
enum Test {
    All,
    /// Passed by those of which the selection has something.
    Content(Selection),
    /// By those of which the expression is true.
    Condition(Arc<XPath>),
}

/// Nodes that an XPath filter may look at in one event. An event has some dozens of them; a filter that looks at each of
/// them for each other one stays far below.
const EVENT_WORK: usize = 100_000;

impl EventFilter {
    /// RFC 5277's: an event passes where something of it is selected.
    pub fn content(selection: Selection) -> EventFilter {
        EventFilter { test: Test::Content(selection), source: Filter::None }
    }

    pub fn of(filter: &Filter, running: &Tree, access: &UserAccess) -> Result<EventFilter, Unusable> {
        let schema = running.schema();
        let source = STREAM.resolve(filter, running, access)?;
        let test = match &source {
            Filter::None | Filter::Named(_) => Test::All,
            Filter::Subtree(xml) => Test::Content(subtree(schema, xml)?),
            Filter::XPath(text) => {
                Test::Condition(Arc::new(XPath::parse(text, &Namespaces::new(schema)).map_err(unsupported)?))
            }
        };
        Ok(EventFilter { test, source })
    }

    /// Whether it was made of the same filter.
    pub fn is_same(&self, other: &EventFilter) -> bool {
        self.source == other.source
    }

    pub fn is_all(&self) -> bool {
        match &self.test {
            Test::All => true,
            Test::Content(selection) => selection.is_all(),
            Test::Condition(_) => false,
        }
    }

    /// Whether an event passes. What the user may not read of it does not exist for the filter.
    pub fn passes(&self, event: &Tree, access: &Arc<UserAccess>) -> bool {
        let reader = access.for_reading();
        let passes = match &self.test {
            Test::All => return true,
            Test::Content(selection) => selection.on(event, reader.as_deref(), EVENT_WORK).map(|selection| {
                let mut scratch = Vec::new();
                crate::yang::write::write(event, &selection, reader.clone(), Default::default(), &mut scratch)
            }),
            Test::Condition(expression) => {
                expression.boolean(&Context { work: EVENT_WORK, ..Context::new(event).readable_by(reader.as_deref()) })
            }
        };
        // Nobody can be told what is wrong with a filter once its subscription has begun.
        passes.unwrap_or_else(|error| {
            tracing::warn!(user = access.user(), "an event was not matched with a filter: {error}");
            false
        })
    }
}

fn subtree(schema: &Schema, xml: &str) -> Result<Selection, Unusable> {
    let wrapped = format!("<filter>{xml}</filter>");
    let document = Document::parse(&wrapped, &Limits::default()).map_err(|e| Unusable::Unsupported(e.to_string()))?;
    Selection::from_subtree(schema, document.root()).map_err(|e| Unusable::Unsupported(e.to_string()))
}

fn unsupported(error: XPathError) -> Unusable {
    Unusable::Unsupported(error.to_string())
}
