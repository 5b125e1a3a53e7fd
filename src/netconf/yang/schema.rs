//! A compiled set of YANG modules (RFC 7950): our compact table of its nodes, and libyang's context behind it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use super::defaults::Plan;
use super::ffi::{Context, Fault, LoadRequest, NodePointer, RawBase, RawKind, RawType, Source};
use super::standard::STANDARD_MODULES;
use super::value::Value;
use super::write::Tags;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Container { presence: bool },
    Leaf,
    LeafList,
    List,
    AnyData,
    AnyXml,
    Choice,
    Case,
    Rpc,
    Action,
    Input,
    Output,
    Notification,
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

/// What a leaf's values look like.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafType(RawType);

impl LeafType {
    pub fn base(&self) -> RawBase {
        self.0.base
    }

    pub fn fraction_digits(&self) -> u8 {
        self.0.fraction_digits
    }

    /// Names of an enumeration.
    pub fn enums(&self) -> &[String] {
        &self.0.enums
    }

    /// A leafref (or a union with one) or instance-identifier whose target must exist (RFC 7950
    /// sections 9.9 and 9.13).
    pub fn needs_instance(&self) -> bool {
        fn needs(raw: &RawType) -> bool {
            match raw.base {
                RawBase::Leafref | RawBase::InstanceIdentifier => raw.require_instance,
                RawBase::Union => raw.members.iter().any(needs),
                _ => false,
            }
        }
        needs(&self.0)
    }

    /// The type behind leafrefs.
    pub fn resolved(&self) -> &RawType {
        let mut raw = &self.0;
        while raw.base == RawBase::Leafref
            && let Some(target) = raw.members.first()
        {
            raw = target;
        }
        raw
    }
}

/// Why a text is not a value of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    pub message: String,
    pub app_tag: Option<String>,
}

impl From<Fault> for ValueError {
    fn from(fault: Fault) -> Self {
        ValueError { message: fault.message, app_tag: fault.app_tag }
    }
}

/// A module set that does not compile. Each line names the module and the place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct SchemaError(pub Vec<String>);

/// Which modules to load, and where their texts are.
#[derive(Clone, Debug, Default)]
pub struct SchemaBuilder {
    search_dirs: Vec<PathBuf>,
    sources: Vec<Source>,
    modules: Vec<LoadRequest>,
}

impl SchemaBuilder {
    /// A directory that is searched for `NAME[@REVISION].yang`, before the texts in memory.
    pub fn search_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.search_dirs.push(dir.into());
        self
    }

    /// Texts that need no file. Of several revisions of a module the later one given is the default.
    pub fn sources(mut self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.sources.extend(sources);
        self
    }

    /// All the standard modules that the crate carries.
    pub fn standard(self) -> Self {
        self.sources(STANDARD_MODULES.iter().map(|m| Source { name: m.name, revision: Some(m.revision), text: m.text }))
    }

    /// Loads `name` (its newest revision if None) with `features`; the feature `*` stands for all. A module asked for
    /// twice gets the features of both.
    pub fn module(mut self, name: &str, revision: Option<&str>, features: &[&str]) -> Self {
        let features = features.iter().map(|f| f.to_string());
        match self.modules.iter_mut().find(|m| m.name == name) {
            Some(known) => {
                known.revision = known.revision.take().or(revision.map(str::to_owned));
                for feature in features {
                    if !known.features.contains(&feature) {
                        known.features.push(feature);
                    }
                }
            }
            None => self.modules.push(LoadRequest {
                name: name.into(),
                revision: revision.map(str::to_owned),
                features: features.collect(),
            }),
        }
        self
    }

    pub fn build(self) -> Result<Arc<Schema>, SchemaError> {
        let context = Context::load(&self.search_dirs, &self.sources, &self.modules)
            .map_err(|faults| SchemaError(faults.iter().map(|f| f.to_string()).collect()))?;
        let schema = Schema::new(context, &self);
        // libyang does not look at what is asked for beside `*`.
        for request in &self.modules {
            let module = schema.modules.iter().find(|m| m.implemented && m.name == request.name);
            let enabled = module.map(|m| m.features.as_slice()).unwrap_or_default();
            if let Some(unknown) = request.features.iter().find(|f| *f != "*" && !enabled.contains(f)) {
                return Err(SchemaError(vec![format!("module {}: feature {unknown} cannot be enabled", request.name)]));
            }
        }
        Ok(Arc::new(schema))
    }
}

impl Schema {
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    fn new(context: Context, builder: &SchemaBuilder) -> Schema {
        let raw_modules = context.modules();
        let module_ids: HashMap<_, _> =
            raw_modules.iter().enumerate().map(|(i, m)| (m.pointer, ModuleId(i as u16))).collect();
        let modules: Vec<Module> = raw_modules
            .into_iter()
            .map(|raw| Module {
                text: text_of(builder, &raw.name, raw.revision.as_deref(), raw.file.as_deref()),
                submodules: raw
                    .submodules
                    .into_iter()
                    .map(|(name, revision)| Submodule {
                        text: text_of(builder, &name, revision.as_deref(), None),
                        name,
                        revision,
                    })
                    .collect(),
                name: raw.name,
                revision: raw.revision,
                namespace: raw.namespace,
                prefix: raw.prefix,
                implemented: raw.implemented,
                yang_version_1: raw.yang_version_1,
                features: raw.features,
                deviated_by: raw.deviated_by,
            })
            .collect();
        let mut by_namespace = HashMap::new();
        let mut by_name: HashMap<String, ModuleId> = HashMap::new();
        for (i, module) in modules.iter().enumerate() {
            let id = ModuleId(i as u16);
            if module.implemented || !by_name.contains_key(&module.name) {
                by_namespace.insert(module.namespace.clone(), id);
                by_name.insert(module.name.clone(), id);
            }
        }

        let raw_nodes = context.nodes();
        let mut nodes: Vec<SchemaNode> = Vec::with_capacity(raw_nodes.len());
        let mut top = Vec::new();
        let mut by_pointer = HashMap::with_capacity(raw_nodes.len());
        for (i, raw) in raw_nodes.into_iter().enumerate() {
            let id = NodeId(i as u32);
            let parent = raw.parent.map(|p| NodeId(p as u32));
            let schema_only = |n: &SchemaNode| matches!(n.kind, NodeKind::Choice | NodeKind::Case);
            let mut data_parent = parent;
            let mut has_when = raw.has_when;
            while let Some(above) = data_parent
                && schema_only(&nodes[above.index()])
            {
                has_when |= nodes[above.index()].has_when;
                data_parent = nodes[above.index()].parent;
            }
            let inherited = parent.map_or(DefaultDeny::None, |p| nodes[p.index()].default_deny);
            let own = raw.extensions.iter().map(|(module, name)| match (module.as_str(), name.as_str()) {
                ("ietf-netconf-acm", "default-deny-all") => DefaultDeny::All,
                ("ietf-netconf-acm", "default-deny-write") => DefaultDeny::Write,
                _ => DefaultDeny::None,
            });
            let node = SchemaNode {
                id,
                name: SmolStr::new(&raw.name),
                module: module_ids[&raw.module],
                kind: kind_of(raw.kind),
                parent,
                data_parent,
                children: Vec::new(),
                config: raw.config,
                mandatory: raw.mandatory,
                keys: Vec::new(),
                is_key: raw.key,
                user_ordered: raw.user_ordered,
                has_when,
                has_must: raw.has_must,
                has_unique: raw.has_unique,
                min_elements: raw.min_elements,
                max_elements: raw.max_elements,
                defaults: raw.defaults.iter().map(|(text, base)| Value::from_canonical(text, *base)).collect(),
                default_case: raw.default_case,
                leaf_type: raw.leaf_type.map(LeafType),
                default_deny: own.max().unwrap_or_default().max(inherited),
                units: raw.units,
                description: raw.description,
                pointer: raw.pointer,
            };
            by_pointer.insert(raw.pointer, id);
            if !schema_only(&node) {
                match data_parent {
                    Some(above) => {
                        if raw.key {
                            nodes[above.index()].keys.push(id);
                        }
                        nodes[above.index()].children.push(id);
                    }
                    None => top.push(id),
                }
            }
            nodes.push(node);
        }
        let mut schema = Schema {
            context,
            modules,
            nodes,
            top,
            by_namespace,
            by_name,
            by_pointer,
            tags: OnceLock::new(),
            default_plans: Vec::new(),
        };
        let parents = (0..schema.nodes.len()).map(|i| Some(NodeId(i as u32))).chain([None]);
        schema.default_plans = parents.map(|parent| Plan::new(&schema, parent)).collect();
        schema
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

    /// The child of that name in any module: the parent's own module first.
    pub fn child_by_name(&self, parent: Option<NodeId>, name: &str) -> Option<NodeId> {
        let own = parent.and_then(|p| self.child(parent, self.node(p).module, name));
        own.or_else(|| self.children(parent).iter().copied().find(|&id| self.node(id).name == name))
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

    /// The value of a leaf or leaf-list from its text; `resolve` gives the namespace of an XML prefix ("" for the
    /// default one). For texts of JSON and of our own use [`Schema::value_json`].
    pub fn value_xml<'n>(
        &self,
        id: NodeId,
        text: &str,
        resolve: impl Fn(&str) -> Option<&'n str>,
    ) -> Result<Value, ValueError> {
        let node = self.node(id);
        let leaf_type = node.leaf_type.as_ref().expect("only leafs and leaf-lists have values");
        if let Some(value) = quick_value(leaf_type.resolved(), text) {
            return Ok(value);
        }
        match qualify(leaf_type.resolved()) {
            Qualify::Never => self.value_of(node, text),
            Qualify::Always(base) => {
                let text = self.to_module_names(base, text.trim_ascii(), &resolve).map_err(|p| unknown_prefix(&p))?;
                self.value_of(node, &text)
            }
            Qualify::Perhaps(bases) => {
                for base in bases {
                    if let Ok(translated) = self.to_module_names(base, text.trim_ascii(), &resolve)
                        && let Ok((canonical, real)) = self.context.canonical(node.pointer, &translated)
                        && real == base
                    {
                        return Ok(Value::from_canonical(&canonical, real));
                    }
                }
                self.value_of(node, text)
            }
        }
    }

    /// The value of a leaf or leaf-list from its text with module names for prefixes (RFC 7951 section 4).
    pub fn value_json(&self, id: NodeId, text: &str) -> Result<Value, ValueError> {
        let node = self.node(id);
        let leaf_type = node.leaf_type.as_ref().expect("only leafs and leaf-lists have values");
        match quick_value(leaf_type.resolved(), text) {
            Some(value) => Ok(value),
            None => self.value_of(node, text),
        }
    }

    fn value_of(&self, node: &SchemaNode, text: &str) -> Result<Value, ValueError> {
        let (canonical, base) = self.context.canonical(node.pointer, text)?;
        Ok(Value::from_canonical(&canonical, base))
    }

    /// Replaces XML prefixes by module names. Err is the prefix that nothing binds.
    fn to_module_names<'n>(
        &self,
        base: RawBase,
        text: &str,
        resolve: &impl Fn(&str) -> Option<&'n str>,
    ) -> Result<String, String> {
        let module = |prefix: &str| {
            resolve(prefix)
                .and_then(|namespace| self.module_by_namespace(namespace))
                .map(|id| self.module(id).name.as_str())
                .ok_or_else(|| prefix.to_owned())
        };
        match base {
            RawBase::IdentityRef => {
                let (prefix, name) = text.split_once(':').unwrap_or(("", text));
                Ok(format!("{}:{name}", module(prefix)?))
            }
            RawBase::InstanceIdentifier => {
                let full = super::path::map_prefixes(text, |prefix| module(prefix).map(str::to_owned))?;
                Ok(super::path::compress(&full))
            }
            _ => super::path::map_prefixes(text, |prefix| module(prefix).map(str::to_owned)),
        }
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

fn kind_of(raw: RawKind) -> NodeKind {
    match raw {
        RawKind::Container { presence } => NodeKind::Container { presence },
        RawKind::Leaf => NodeKind::Leaf,
        RawKind::LeafList => NodeKind::LeafList,
        RawKind::List => NodeKind::List,
        RawKind::AnyData => NodeKind::AnyData,
        RawKind::AnyXml => NodeKind::AnyXml,
        RawKind::Choice => NodeKind::Choice,
        RawKind::Case => NodeKind::Case,
        RawKind::Rpc => NodeKind::Rpc,
        RawKind::Action => NodeKind::Action,
        RawKind::Input => NodeKind::Input,
        RawKind::Output => NodeKind::Output,
        RawKind::Notification => NodeKind::Notification,
    }
}

fn text_of(
    builder: &SchemaBuilder,
    name: &str,
    revision: Option<&str>,
    file: Option<&std::path::Path>,
) -> Option<Arc<str>> {
    let read = |path: &std::path::Path| std::fs::read_to_string(path).ok().map(Arc::from);
    if let Some(text) = file.and_then(read) {
        return Some(text);
    }
    if let Some(source) = Source::find(&builder.sources, name, revision) {
        return Some(Arc::from(source.text));
    }
    builder.search_dirs.iter().find_map(|dir| {
        let dated = revision.and_then(|r| read(&dir.join(format!("{name}@{r}.yang"))));
        dated.or_else(|| read(&dir.join(format!("{name}.yang"))))
    })
}

/// Values that need no library: their canonical form is plain to see.
fn quick_value(leaf_type: &RawType, text: &str) -> Option<Value> {
    if !leaf_type.plain {
        return match (leaf_type.base, text) {
            (RawBase::Boolean, "true") => Some(Value::Bool(true)),
            (RawBase::Boolean, "false") => Some(Value::Bool(false)),
            (RawBase::Empty, "") => Some(Value::Empty),
            _ => None,
        };
    }
    match leaf_type.base {
        RawBase::String => {
            let allowed = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
            text.chars().all(allowed).then(|| Value::Text(SmolStr::new(text)))
        }
        RawBase::Enumeration => leaf_type.enums.iter().any(|e| e == text).then(|| Value::Text(SmolStr::new(text))),
        RawBase::Unsigned => {
            let number = decimal(text)?.parse::<u64>().ok()?;
            in_range(leaf_type, number.into()).then_some(Value::Uint(number))
        }
        RawBase::Signed => {
            let number = decimal(text)?.parse::<i64>().ok()?;
            in_range(leaf_type, number.into()).then_some(Value::Int(number))
        }
        _ => None,
    }
}

fn decimal(text: &str) -> Option<&str> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn in_range(leaf_type: &RawType, number: i128) -> bool {
    leaf_type.ranges.iter().any(|&(low, high)| (low..=high).contains(&number))
}

enum Qualify {
    Never,
    Always(RawBase),
    /// A union with such members, in its order.
    Perhaps(Vec<RawBase>),
}

fn qualify(leaf_type: &RawType) -> Qualify {
    fn collect(leaf_type: &RawType, found: &mut Vec<RawBase>) {
        match leaf_type.base {
            RawBase::IdentityRef | RawBase::InstanceIdentifier | RawBase::XPath => found.push(leaf_type.base),
            RawBase::Union | RawBase::Leafref => leaf_type.members.iter().for_each(|m| collect(m, found)),
            _ => {}
        }
    }
    match leaf_type.base {
        base @ (RawBase::IdentityRef | RawBase::InstanceIdentifier | RawBase::XPath) => Qualify::Always(base),
        RawBase::Union => {
            let mut found = Vec::new();
            collect(leaf_type, &mut found);
            if found.is_empty() { Qualify::Never } else { Qualify::Perhaps(found) }
        }
        _ => Qualify::Never,
    }
}

fn unknown_prefix(prefix: &str) -> ValueError {
    let message = if prefix.is_empty() {
        "the name has no prefix, and its namespace is no module's".into()
    } else {
        format!("prefix \"{prefix}\" is not that of a known module")
    };
    ValueError { message, app_tag: None }
}

#[cfg(test)]
mod tests;
