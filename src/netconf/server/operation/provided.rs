//! Operations of the loaded modules, and YANG 1.1 actions (RFC 7950 sections 7.14, 7.15): the provider's to perform.

use super::{MONITORING_NAMESPACE, Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::{Operation, Provider};
use crate::xml::Element;
use crate::yang::edit;
use crate::yang::ffi::data::Kind;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Content, Inner, Tree};
use crate::yang::write::{self, WithDefaults};

const YANG_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:1";

pub async fn perform<P: Provider>(request: &Request<'_, P>, element: Element<'_>) -> Reply {
    let schema = &request.shared.schema;
    let action = element.is(YANG_NAMESPACE, "action");
    let (input, node) = if action { read_action(schema, element)? } else { read_rpc(schema, element)? };
    if action {
        let running = request.shared.datastores.version();
        request.access.permit_action(&input, node, &running.running).map_err(|e| vec![e])?;
    }
    request.shared.datastores.validate_operation(&input, Kind::Rpc).await?;
    let output = request.shared.call(Operation { node, input }, &request.requester).await.map_err(|e| vec![e])?;
    let Some(output) = output.as_ref().and_then(|tree| output_of(schema, node, tree.root())) else {
        return Ok(Outcome::Ok);
    };
    if output.1.is_empty() {
        return Ok(Outcome::Ok);
    }
    let mut xml = Vec::new();
    write::write_inner(schema, Some(output.0), &output.1, WithDefaults::ReportAll, &mut xml);
    Ok(Outcome::Xml(xml))
}

fn read_rpc(schema: &std::sync::Arc<Schema>, element: Element<'_>) -> Result<(Tree, NodeId), Vec<RpcError>> {
    let rpc = schema
        .module_by_namespace(element.namespace())
        .and_then(|module| schema.child(None, module, element.name()))
        .filter(|&id| schema.node(id).kind == NodeKind::Rpc);
    let Some(rpc) = rpc.filter(|_| element.namespace() != MONITORING_NAMESPACE) else {
        let message = format!("Operation <{}> is not supported.", element.name());
        return Err(vec![RpcError::operation_not_supported(message).with_type(ErrorType::Protocol)]);
    };
    Ok((edit::read_operation(schema, element)?, rpc))
}

fn read_action(schema: &std::sync::Arc<Schema>, element: Element<'_>) -> Result<(Tree, NodeId), Vec<RpcError>> {
    let mut children = element.children();
    let Some(top) = children.next() else { return Err(vec![RpcError::missing_element("action")]) };
    if let Some(second) = children.next() {
        return Err(vec![RpcError::bad_element(second.name(), "An <action> names one node.")]);
    }
    let tree = edit::read_operation(schema, top)?;
    let mut found = Vec::new();
    find_actions(schema, tree.root(), &mut found);
    match found.as_slice() {
        [action] => Ok((tree, *action)),
        [] => Err(vec![RpcError::missing_element("action")]),
        _ => Err(vec![RpcError::bad_element("action", "An <action> names one node.")]),
    }
}

fn find_actions(schema: &Schema, inner: &Inner, found: &mut Vec<NodeId>) {
    for child in inner.iter() {
        match (&schema.node(child.node).kind, &child.content) {
            (NodeKind::Action, _) => found.push(child.node),
            (_, Content::Container(inner)) => find_actions(schema, inner, found),
            (_, Content::List(list)) => list.iter().for_each(|(_, entry)| find_actions(schema, entry, found)),
            _ => {}
        }
    }
}

/// The output node and its content, wherever in the tree the operation stands.
fn output_of(schema: &Schema, operation: NodeId, inner: &Inner) -> Option<(NodeId, Inner)> {
    for child in inner.iter() {
        let deeper = match &child.content {
            Content::Container(content) if child.node == operation => {
                let output = schema.child(Some(operation), schema.node(operation).module, "output")?;
                return content.container(output).map(|inner| (output, inner.clone()));
            }
            Content::Container(content) => output_of(schema, operation, content),
            Content::List(list) => list.iter().find_map(|(_, entry)| output_of(schema, operation, entry)),
            _ => None,
        };
        if deeper.is_some() {
            return deeper;
        }
    }
    None
}
