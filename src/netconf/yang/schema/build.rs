//! Loading modules, and the table that is made of what libyang compiled.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use super::{DefaultDeny, LeafType, Module, ModuleId, NodeId, NodeKind, Schema, SchemaNode, Submodule};
use crate::yang::defaults::Plan;
use crate::yang::ffi::{Context, LoadRequest, Source, Sources, Text};
use crate::yang::standard::STANDARD_MODULES;
use crate::yang::value::Value;

/// A module set that does not compile. Each line names the module and the place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct SchemaError(pub Vec<String>);

/// Which modules to load, and where their texts are.
#[derive(Clone, Debug, Default)]
pub struct SchemaBuilder {
    search_dirs: Vec<PathBuf>,
    sources: Sources,
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
        self.sources.fixed.extend(sources);
        self
    }

    /// Texts that came at run time; of two that are alike one of these.
    pub fn texts(mut self, texts: impl IntoIterator<Item = Text>) -> Self {
        self.sources.texts.extend(texts);
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
                kind: raw.kind,
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
    if let Some(text) = builder.sources.find(name, revision) {
        return Some(text.into_owned());
    }
    builder.search_dirs.iter().find_map(|dir| {
        let dated = revision.and_then(|r| read(&dir.join(format!("{name}@{r}.yang"))));
        dated.or_else(|| read(&dir.join(format!("{name}.yang"))))
    })
}
