//! `<partial-lock>` and `<partial-unlock>` (RFC 5717 section 2.4).

use super::parameters::{Parameters, name};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::core::MAX_LOCKED_NODES;
use crate::server::provider::Provider;
use crate::xml::{Element, escape_text, write_attribute};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::tree::{Content, Tree};
use crate::yang::xpath::{Context, Namespaces, XPath, XPathError};

pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:netconf:partial-lock:1.0";

/// Nodes that the expressions of one lock may look at. The datastore is held meanwhile: a few milliseconds' work.
const LOCK_WORK: usize = 200_000;

/// Expressions of one lock: one can select what several do.
const MAX_SELECTS: usize = 64;

pub async fn lock<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read_with_lists(operation, &[name("select")], &[name("select")])?;
    parameters.required("select")?;
    let selects = parameters.all("select");
    if selects.len() > MAX_SELECTS {
        return Err(RpcError::resource_denied(format!("A partial lock has {MAX_SELECTS} expressions at most.")).into());
    }
    let schema = &request.shared.schema;
    let mut expressions = Vec::new();
    for select in selects {
        if let Some(child) = select.children().next() {
            return Err(RpcError::unknown_element(child.name()).with_type(ErrorType::Protocol).into());
        }
        let names = Namespaces::of_element(schema, select);
        let expression = XPath::parse(select.text().trim_ascii(), &names).map_err(|error| refused(&error))?;
        if !expression.is_node_set() {
            return Err(refused(&XPathError::Type("it selects no nodes".into())).into());
        }
        expressions.push(expression);
    }
    let reader = request.access.for_reading();
    let find = |running: &Tree| {
        let mut context = Context::new(running).readable_by(reader.as_deref());
        context.work = LOCK_WORK / expressions.len();
        let mut nodes: Vec<InstancePath> = Vec::new();
        for expression in &expressions {
            for node in expression.subtrees(&context).map_err(|error| refused(&error))? {
                nodes.extend(if node.steps.is_empty() { top(running) } else { vec![node] });
                if nodes.len() > MAX_LOCKED_NODES {
                    return Ok(nodes);
                }
            }
        }
        nodes.sort_by(|a, b| running.document_order(a, b));
        nodes.dedup();
        Ok(nodes)
    };
    let (id, nodes) = request.shared.datastores.partial_lock(request.author(), find).await?;
    let mut reply = Vec::new();
    reply.extend_from_slice(b"<lock-id");
    write_attribute(&mut reply, "xmlns", NAMESPACE);
    reply.extend_from_slice(format!(">{id}</lock-id>").as_bytes());
    for node in nodes {
        let path = node.to_error_path(schema);
        reply.extend_from_slice(b"<locked-node");
        write_attribute(&mut reply, "xmlns", NAMESPACE);
        for (prefix, namespace) in &path.namespaces {
            write_attribute(&mut reply, &format!("xmlns:{prefix}"), namespace);
        }
        reply.push(b'>');
        escape_text(&mut reply, &path.text);
        reply.extend_from_slice(b"</locked-node>");
    }
    Ok(Outcome::Xml(reply))
}

pub async fn unlock<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("lock-id")])?;
    parameters.required("lock-id")?;
    let id = parameters.parse::<u32>("lock-id")?.unwrap_or_default();
    request.shared.datastores.partial_unlock(request.session.id, id).await?;
    Ok(Outcome::Ok)
}

/// What stands for the root, which no instance-identifier names.
fn top(running: &Tree) -> Vec<InstancePath> {
    let set = running.root().iter().filter(|child| !child.default);
    let paths = set.flat_map(|child| {
        let at = |predicate| InstancePath::default().child(child.node, predicate);
        match &child.content {
            Content::List(list) => list.iter().filter_map(|(key, _)| Some(at(Predicate::Key(key?.clone())))).collect(),
            Content::LeafList(values) => values.iter().map(|value| at(Predicate::Value(value.clone()))).collect(),
            _ => vec![at(Predicate::None)],
        }
    });
    paths.collect()
}

/// RFC 5717 section 2.4.1.3.
fn refused(error: &XPathError) -> RpcError {
    let message = format!("select: {error}.");
    match error {
        XPathError::TooLarge(_) => RpcError::too_big(message),
        XPathError::TooMuchWork => RpcError::resource_denied(message),
        XPathError::Type(_) => RpcError::invalid_value(message).with_app_tag("not-a-node-set"),
        _ => RpcError::invalid_value(message),
    }
    .with_type(ErrorType::Protocol)
}
