//! A compiled set of YANG modules (RFC 7950): our compact table of its nodes, and libyang's context behind it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use super::defaults::Plan;
pub use super::ffi::NodeKind;
use super::ffi::{Context, NodePointer};
use super::value::Value;
use super::write::Tags;

mod build;
mod types;

pub use build::{SchemaBuilder, SchemaError};
pub use types::{LeafType, ValueError};

/// A module set, never changed after [`SchemaBuilder::build`]. Shared by every tree of its data.
pub struct Schema {
    context: Context,
    modules: Vec<Module>,
    nodes: Vec<SchemaNode>,
    top: Vec<NodeId>,
    by_namespace: HashMap<String, ModuleId>,
    by_name: HashMap<String, ModuleId>,
    by_pointer: HashMap<NodePointer, NodeId>,
    tags: OnceLock<Tags>,
    /// One per node, the last for the top.
    default_plans: Vec<Option<Plan>>,
}

/// A node of one [`Schema`]. Ids ascend in schema order, so siblings sorted by id are in the order of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// An implemented or imported module of one [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(u16);

/// One module or imported module, as yang-library (RFC 8525) tells of it.
#[derive(Clone, Debug)]
pub struct Module {
    pub name: String,
    pub revision: Option<String>,
    pub namespace: String,
    pub prefix: String,
    /// False for a module that is only imported.
    pub implemented: bool,
    /// Written in YANG 1 (RFC 6020): announced in the hello by itself.
    pub yang_version_1: bool,
    /// Enabled features.
    pub features: Vec<String>,
    /// Names of the modules with deviations of this one.
    pub deviated_by: Vec<String>,
    pub submodules: Vec<Submodule>,
    /// The text as it was published, for `<get-schema>`.
    pub text: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub struct Submodule {
    pub name: String,
    pub revision: Option<String>,
    pub text: Option<Arc<str>>,
}

/// One schema node. `children` are data nodes (and actions and notifications) with choices and cases looked through.
#[derive(Debug)]
pub struct SchemaNode {
    pub id: NodeId,
    pub name: SmolStr,
    pub module: ModuleId,
    pub kind: NodeKind,
    /// The parent in the schema tree, choices and cases included.
    pub parent: Option<NodeId>,
    /// The parent in the data tree; None at the top.
    pub data_parent: Option<NodeId>,
    pub children: Vec<NodeId>,
    pub config: bool,
    pub mandatory: bool,
    /// Keys of a list, in order.
    pub keys: Vec<NodeId>,
    pub is_key: bool,
    pub user_ordered: bool,
    /// A `when` of its own, or of a choice, case, augment or uses around it.
    pub has_when: bool,
    pub has_must: bool,
    pub has_unique: bool,
    pub min_elements: u32,
    pub max_elements: u32,
    /// Canonical defaults of a leaf or leaf-list.
    pub defaults: Vec<Value>,
    /// For a case: it is its choice's default.
    pub default_case: bool,
    pub leaf_type: Option<LeafType>,
    /// RFC 8341 section 3.1 of NACM's extensions.
    pub default_deny: DefaultDeny,
    pub units: Option<String>,
    pub description: Option<String>,
    pointer: NodePointer,
}

/// NACM's default-deny-write and default-deny-all (RFC 8341 section 3.2.1), on this node or one above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefaultDeny {
    #[default]
    None,
    Write,
    All,
}

impl Schema {
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    /// The children of `parent` that may need a default.
    pub fn default_plan(&self, parent: Option<NodeId>) -> Option<&Plan> {
        self.default_plans[parent.map_or(self.nodes.len(), NodeId::index)].as_ref()
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn node(&self, id: NodeId) -> &SchemaNode {
        &self.nodes[id.index()]
    }

    /// The ready-made tags of every node, for the writer.
    pub(super) fn tags(&self) -> &Tags {
        self.tags.get_or_init(|| Tags::new(self))
    }

    /// The numbers of a node and all below it: ids are in pre-order, so they are a run.
    pub fn subtree(&self, id: NodeId) -> std::ops::Range<usize> {
        id.index()..self.tags().get(id).end as usize
    }

    /// Every schema node, in pre-order.
    pub fn nodes(&self) -> impl Iterator<Item = &SchemaNode> {
        self.nodes.iter()
    }

    pub fn module(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }

    /// All modules, implemented and imported.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    pub fn module_by_name(&self, name: &str) -> Option<ModuleId> {
        self.by_name.get(name).copied()
    }

    pub fn module_by_namespace(&self, namespace: &str) -> Option<ModuleId> {
        self.by_namespace.get(namespace).copied()
    }

    /// The module of a node.
    pub fn module_of(&self, id: NodeId) -> &Module {
        self.module(self.node(id).module)
    }

    /// Top-level data nodes, RPCs and notifications.
    pub fn top(&self) -> &[NodeId] {
        &self.top
    }

    /// The children of `parent` in the data tree; the top-level nodes for None.
    pub fn children(&self, parent: Option<NodeId>) -> &[NodeId] {
        match parent {
            Some(id) => &self.node(id).children,
            None => &self.top,
        }
    }

    pub fn child(&self, parent: Option<NodeId>, module: ModuleId, name: &str) -> Option<NodeId> {
        self.children(parent).iter().copied().find(|&id| {
            let node = self.node(id);
            node.name == name && node.module == module
        })
    }

    /// The node at an absolute data path of names, `/module:node/node/module:node`; predicates are not allowed.
    /// Inside an RPC or action, `input` and `output` are steps.
    pub fn find(&self, path: &str) -> Option<NodeId> {
        let mut at: Option<NodeId> = None;
        let mut module: Option<ModuleId> = None;
        for step in path.strip_prefix('/')?.split('/') {
            let name = match step.split_once(':') {
                Some((prefix, name)) => {
                    module = Some(self.module_by_name(prefix)?);
                    name
                }
                None => step,
            };
            at = Some(self.child(at, module?, name)?);
        }
        at
    }

    /// The path that [`Schema::find`] takes.
    pub fn path(&self, id: NodeId) -> String {
        let mut steps = Vec::new();
        let mut at = Some(id);
        while let Some(id) = at {
            let node = self.node(id);
            let same = node.data_parent.is_some_and(|p| self.node(p).module == node.module);
            steps.push(if same {
                node.name.to_string()
            } else {
                format!("{}:{}", self.module(node.module).name, node.name)
            });
            at = node.data_parent;
        }
        steps.push(String::new());
        steps.reverse();
        steps.join("/")
    }

    pub fn by_pointer(&self, pointer: NodePointer) -> Option<NodeId> {
        self.by_pointer.get(&pointer).copied()
    }

    pub fn pointer(&self, id: NodeId) -> NodePointer {
        self.node(id).pointer
    }

    /// The choices around a node inside its data parent, innermost first, each with the case the node is in.
    pub fn cases(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut at = self.node(id).parent;
        std::iter::from_fn(move || {
            let case = self.node(at?);
            if case.kind != NodeKind::Case {
                return None;
            }
            let choice = case.parent?;
            at = self.node(choice).parent;
            Some((choice, case.id))
        })
    }

    /// Whether `id` is `ancestor` or below it in the schema tree.
    pub fn is_within(&self, id: NodeId, ancestor: NodeId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if id == ancestor {
                return true;
            }
            at = self.node(id).parent;
        }
        false
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.modules.iter().filter(|m| m.implemented).map(|m| &m.name);
        f.debug_list().entries(names).finish()
    }
}

impl NodeId {
    fn index(self) -> usize {
        self.0 as usize
    }

    /// The id as a number, dense from 0 in one schema: for tables beside the schema.
    pub fn number(self) -> usize {
        self.index()
    }
}

impl SchemaNode {
    /// A node that data can have: not a choice, case, RPC, action, input, output or notification.
    pub fn is_data(&self) -> bool {
        matches!(
            self.kind,
            NodeKind::Container { .. }
                | NodeKind::Leaf
                | NodeKind::LeafList
                | NodeKind::List
                | NodeKind::AnyData
                | NodeKind::AnyXml
        )
    }

    /// A list without keys (only in state data).
    pub fn is_keyless(&self) -> bool {
        self.kind == NodeKind::List && self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests;
