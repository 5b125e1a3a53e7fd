//! The compiled modules and their nodes, copied out of libyang.

use std::ffi::CStr;
use std::path::PathBuf;
use std::ptr;

use yang5::ffi;

use super::types::{RawBase, RawType, raw_base, raw_type};
use super::{Context, ModulePointer, NodeKind, NodePointer, count, sized, string};

pub struct RawModule {
    pub pointer: ModulePointer,
    pub name: String,
    pub revision: Option<String>,
    pub namespace: String,
    pub prefix: String,
    pub file: Option<PathBuf>,
    pub implemented: bool,
    pub yang_version_1: bool,
    pub features: Vec<String>,
    pub deviated_by: Vec<String>,
    pub submodules: Vec<(String, Option<String>)>,
}

/// A schema node in pre-order: `parent` is the index of an earlier one.
pub struct RawNode {
    pub pointer: NodePointer,
    pub parent: Option<usize>,
    pub module: ModulePointer,
    pub name: String,
    pub kind: NodeKind,
    pub config: bool,
    pub mandatory: bool,
    pub key: bool,
    pub user_ordered: bool,
    pub has_when: bool,
    pub has_must: bool,
    pub min_elements: u32,
    pub max_elements: u32,
    pub has_unique: bool,
    pub default_case: bool,
    /// Arguments-free extension instances, as (module name, extension name).
    pub extensions: Vec<(String, String)>,
    pub leaf_type: Option<RawType>,
    /// Canonical default values with the base type each is of.
    pub defaults: Vec<(String, RawBase)>,
    pub units: Option<String>,
    pub description: Option<String>,
}

impl Context {
    /// All modules, implemented and imported, in the order libyang holds them.
    pub fn modules(&self) -> Vec<RawModule> {
        let mut modules = Vec::new();
        let mut index = 0;
        // SAFETY: the iteration and all it reaches is const; sized arrays carry their count before the first item.
        unsafe {
            loop {
                let module = ffi::ly_ctx_get_module_iter(self.as_raw(), &mut index);
                if module.is_null() {
                    return modules;
                }
                modules.push(raw_module(module));
            }
        }
    }

    /// All schema nodes of the implemented modules, in pre-order.
    pub fn nodes(&self) -> Vec<RawNode> {
        let mut nodes = Vec::new();
        let mut index = 0;
        // SAFETY: as in `modules`.
        unsafe {
            loop {
                let module = ffi::ly_ctx_get_module_iter(self.as_raw(), &mut index);
                if module.is_null() {
                    return nodes;
                }
                let compiled = (*module).compiled;
                if (*module).implemented == 0 || compiled.is_null() {
                    continue;
                }
                self.siblings((*compiled).data, None, &mut nodes);
                self.siblings((*compiled).rpcs.cast(), None, &mut nodes);
                self.siblings((*compiled).notifs.cast(), None, &mut nodes);
            }
        }
    }

    unsafe fn siblings(&self, first: *const ffi::lysc_node, parent: Option<usize>, nodes: &mut Vec<RawNode>) {
        let mut node = first;
        while !node.is_null() {
            unsafe {
                self.node(node, parent, nodes);
                node = (*node).next;
            }
        }
    }

    unsafe fn node(&self, node: *const ffi::lysc_node, parent: Option<usize>, nodes: &mut Vec<RawNode>) {
        let index = nodes.len();
        unsafe {
            let Some(raw) = self.raw_node(node, parent) else { return };
            let kind = raw.kind;
            nodes.push(raw);
            match kind {
                NodeKind::Rpc | NodeKind::Action => {
                    let action: *const ffi::lysc_node_action = node.cast();
                    self.node((&raw const (*action).input).cast(), Some(index), nodes);
                    self.node((&raw const (*action).output).cast(), Some(index), nodes);
                }
                _ => {
                    self.siblings(ffi::lysc_node_child(node), Some(index), nodes);
                    self.siblings(ffi::lysc_node_actions(node).cast(), Some(index), nodes);
                    self.siblings(ffi::lysc_node_notifs(node).cast(), Some(index), nodes);
                }
            }
        }
    }

    unsafe fn raw_node(&self, node: *const ffi::lysc_node, parent: Option<usize>) -> Option<RawNode> {
        unsafe {
            let flags = u32::from((*node).flags);
            let kind = match u32::from((*node).nodetype) {
                ffi::LYS_CONTAINER => NodeKind::Container { presence: flags & ffi::LYS_PRESENCE != 0 },
                ffi::LYS_LEAF => NodeKind::Leaf,
                ffi::LYS_LEAFLIST => NodeKind::LeafList,
                ffi::LYS_LIST => NodeKind::List,
                ffi::LYS_ANYDATA => NodeKind::AnyData,
                ffi::LYS_ANYXML => NodeKind::AnyXml,
                ffi::LYS_CHOICE => NodeKind::Choice,
                ffi::LYS_CASE => NodeKind::Case,
                ffi::LYS_RPC => NodeKind::Rpc,
                ffi::LYS_ACTION => NodeKind::Action,
                ffi::LYS_INPUT => NodeKind::Input,
                ffi::LYS_OUTPUT => NodeKind::Output,
                ffi::LYS_NOTIF => NodeKind::Notification,
                _ => return None,
            };
            let mut raw = RawNode {
                pointer: NodePointer(node),
                parent,
                module: ModulePointer((*node).module),
                name: string((*node).name).unwrap_or_default(),
                kind,
                config: flags & ffi::LYS_CONFIG_W != 0,
                mandatory: flags & ffi::LYS_MAND_TRUE != 0,
                key: kind == NodeKind::Leaf && flags & ffi::LYS_KEY != 0,
                user_ordered: matches!(kind, NodeKind::List | NodeKind::LeafList) && flags & ffi::LYS_ORDBY_USER != 0,
                has_when: count(ffi::lysc_node_when(node)) > 0,
                has_must: count(ffi::lysc_node_musts(node)) > 0,
                min_elements: 0,
                max_elements: u32::MAX,
                has_unique: false,
                default_case: false,
                extensions: sized((*node).exts).filter_map(|e| extension_name(e)).collect(),
                leaf_type: None,
                defaults: Vec::new(),
                units: None,
                description: string((*node).dsc),
            };
            match kind {
                NodeKind::Leaf => {
                    let leaf: *const ffi::lysc_node_leaf = node.cast();
                    raw.leaf_type = Some(raw_type((*leaf).type_));
                    raw.units = string((*leaf).units);
                    raw.defaults.extend(self.default_value(node, &(*leaf).dflt));
                }
                NodeKind::LeafList => {
                    let list: *const ffi::lysc_node_leaflist = node.cast();
                    raw.leaf_type = Some(raw_type((*list).type_));
                    raw.units = string((*list).units);
                    for value in sized((*list).dflts) {
                        raw.defaults.extend(self.default_value(node, value));
                    }
                    (raw.min_elements, raw.max_elements) = ((*list).min, (*list).max);
                }
                NodeKind::List => {
                    let list: *const ffi::lysc_node_list = node.cast();
                    (raw.min_elements, raw.max_elements) = ((*list).min, (*list).max);
                    raw.has_unique = count((*list).uniques) > 0;
                }
                NodeKind::Case => {
                    let choice: *const ffi::lysc_node_choice = (*node).parent.cast();
                    raw.default_case = !choice.is_null() && ptr::eq((*choice).dflt.cast(), node);
                }
                _ => {}
            }
            if raw.max_elements == 0 {
                raw.max_elements = u32::MAX;
            }
            Some(raw)
        }
    }

    unsafe fn default_value(&self, node: *const ffi::lysc_node, value: &ffi::lysc_value) -> Option<(String, RawBase)> {
        if value.str_.is_null() {
            return None;
        }
        let mut real = ptr::null();
        let mut canonical = ptr::null();
        unsafe {
            let rc =
                ffi::lyd_value_validate_dflt(node, value.str_, value.prefixes, ptr::null(), &mut real, &mut canonical);
            if rc != ffi::LY_ERR::LY_SUCCESS && rc != ffi::LY_ERR::LY_EINCOMPLETE {
                self.clear_errors();
                return None;
            }
            let text = string(canonical);
            ffi::lydict_remove(self.as_raw(), canonical);
            text.map(|t| (t, raw_base(real)))
        }
    }
}

unsafe fn extension_name(extension: &ffi::lysc_ext_instance) -> Option<(String, String)> {
    unsafe {
        let definition = extension.def;
        if definition.is_null() || (*definition).module.is_null() {
            return None;
        }
        Some((string((*(*definition).module).name)?, string((*definition).name)?))
    }
}

unsafe fn raw_module(module: *const ffi::lys_module) -> RawModule {
    unsafe {
        let parsed = (*module).parsed;
        let mut features = Vec::new();
        let mut submodules = Vec::new();
        if !parsed.is_null() {
            let mut index = 0;
            let mut last = ptr::null_mut();
            loop {
                last = ffi::lysp_feature_next(last, parsed, &mut index);
                if last.is_null() {
                    break;
                }
                if u32::from((*last).flags) & ffi::LYS_FENABLED != 0 {
                    features.extend(string((*last).name));
                }
            }
            for include in sized((*parsed).includes) {
                let revision = CStr::from_ptr(include.rev.as_ptr()).to_string_lossy().into_owned();
                let revision = (!revision.is_empty()).then_some(revision).or_else(|| {
                    let revisions =
                        if include.submodule.is_null() { ptr::null() } else { (*include.submodule).revs.cast_const() };
                    sized(revisions)
                        .next()
                        .map(|r: &ffi::lysp_revision| CStr::from_ptr(r.date.as_ptr()).to_string_lossy().into_owned())
                });
                submodules.push((string(include.name).unwrap_or_default(), revision));
            }
        }
        RawModule {
            pointer: ModulePointer(module),
            name: string((*module).name).unwrap_or_default(),
            revision: string((*module).revision),
            namespace: string((*module).ns).unwrap_or_default(),
            prefix: string((*module).prefix).unwrap_or_default(),
            file: string((*module).filepath).map(PathBuf::from),
            implemented: (*module).implemented != 0,
            yang_version_1: parsed.is_null() || u32::from((*parsed).version) < ffi::LYS_VERSION::LYS_VERSION_1_1,
            features,
            deviated_by: sized((*module).deviated_by).filter_map(|m| string((**m).name)).collect(),
            submodules,
        }
    }
}
