//! Operations of the loaded modules, and YANG 1.1 actions (RFC 7950 sections 7.14, 7.15): the provider's to perform.

use super::{Outcome, Reply, Request};
use crate::error::RpcError;
use crate::server::provider::{Operation, Provider};
use crate::xml::Element;
use crate::yang::edit;
use crate::yang::ffi::data::Kind;
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Tree};
use crate::yang::write::{self, WithDefaults};

pub const YANG_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:1";

pub async fn rpc<P: Provider>(request: &Request<'_, P>, element: Element<'_>, rpc: NodeId) -> Reply {
    let input = edit::read_operation(&request.shared.schema, element)?;
    call(request, rpc, input).await
}

/// `<action>` around the data that leads to the action (RFC 7950 section 7.15.2).
pub async fn action<P: Provider>(request: &Request<'_, P>, element: Element<'_>) -> Reply {
    let schema = &request.shared.schema;
    let mut children = element.children();
    let Some(top) = children.next() else { return Err(RpcError::missing_element("action").into()) };
    if let Some(second) = children.next() {
        return Err(RpcError::bad_element(second.name(), "An <action> names one node.").into());
    }
    let input = edit::read_operation(schema, top)?;
    let mut found = Vec::new();
    find_actions(schema, input.root(), &mut InstancePath::default(), &mut found);
    let path = match found.as_slice() {
        [path] => path,
        [] => return Err(RpcError::missing_element("action").into()),
        _ => return Err(RpcError::bad_element("action", "An <action> names one action.").into()),
    };
    request.access.check_action(path)?;
    let node = path.last().expect("a path to an action has a step").node;
    call(request, node, input).await
}

async fn call<P: Provider>(request: &Request<'_, P>, node: NodeId, input: Tree) -> Reply {
    let schema = &request.shared.schema;
    request.shared.datastores.validate_operation(&input, Kind::Rpc)?;
    let output = request.shared.call(Operation { node, input }, &request.requester).await?;
    let Some(output) = output.as_ref().and_then(|tree| output_of(schema, node, tree.root())) else {
        return Ok(Outcome::Ok);
    };
    let mut xml = Vec::new();
    write::write_subtree(schema, &output, WithDefaults::ReportAll, &mut xml);
    Ok(if xml.is_empty() { Outcome::Ok } else { Outcome::Xml(xml) })
}

fn find_actions(schema: &Schema, inner: &Inner, path: &mut InstancePath, found: &mut Vec<InstancePath>) {
    for child in inner.iter() {
        match (&schema.node(child.node).kind, &child.content) {
            (NodeKind::Action, _) => found.push(path.child(child.node, Predicate::None)),
            (_, Content::Container(inner)) => {
                path.push(child.node, Predicate::None);
                find_actions(schema, inner, path, found);
                path.pop();
            }
            (_, Content::List(list)) => {
                for (i, (key, entry)) in list.iter().enumerate() {
                    let predicate = key.map_or(Predicate::Position(i + 1), |key| Predicate::Key(key.clone()));
                    path.push(child.node, predicate);
                    find_actions(schema, entry, path, found);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// The output of the operation, wherever in the tree that stands.
pub(super) fn output_of(schema: &Schema, operation: NodeId, inner: &Inner) -> Option<Inner> {
    inner.iter().find_map(|child| match &child.content {
        Content::Container(content) if child.node == operation => {
            let output = schema.child(Some(operation), schema.node(operation).module, "output")?;
            content.container(output).cloned()
        }
        Content::Container(content) => output_of(schema, operation, content),
        Content::List(list) => list.iter().find_map(|(_, entry)| output_of(schema, operation, entry)),
        _ => None,
    })
}
