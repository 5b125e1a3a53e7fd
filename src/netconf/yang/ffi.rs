//! The only `unsafe` of the crate: what libyang knows, copied into plain Rust values.
//!
//! Invariants: a [`Context`] is never changed after [`Context::load`], so reading it from many threads is sound; errors
//! are stored by libyang per thread, so every call here clears them first and reads them before it returns; strings
//! that go in are checked for NUL, strings that come out are copied.
#![allow(unsafe_code)]

pub mod data;
mod types;

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::Once;

use yang5::context::{Context as YangContext, ContextFlags};
use yang5::ffi;

pub use types::{RawBase, RawType};
use types::{raw_base, raw_type};

/// One error as libyang reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    /// libyang's data path (JSON form), where it knows one.
    pub path: Option<String>,
    pub app_tag: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.path {
            Some(path) => write!(f, " ({path})"),
            None => Ok(()),
        }
    }
}

/// A libyang context, complete and unchanging.
pub struct Context {
    raw: *mut ffi::ly_ctx,
    // libyang's import callback points here; dropped after the context.
    _sources: Box<Sources>,
}

/// A module to load with the features to enable; the feature `*` stands for all.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    pub name: String,
    pub revision: Option<String>,
    pub features: Vec<String>,
}

/// One YANG text that libyang may load or import from memory.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub name: &'static str,
    pub revision: Option<&'static str>,
    pub text: &'static str,
}

impl Source {
    /// The source of that revision, or one that does not say its revision; where none is asked for that one too, or else
    /// the newest. Of two that are alike the later one.
    pub fn find<'a>(sources: &'a [Source], name: &str, revision: Option<&str>) -> Option<&'a Source> {
        let named = || sources.iter().filter(|s| s.name == name);
        let exact = revision.and_then(|_| named().rfind(|s| s.revision == revision));
        let undated = || named().rfind(|s| s.revision.is_none());
        let newest = || named().max_by_key(|s| s.revision).filter(|_| revision.is_none());
        exact.or_else(undated).or_else(newest)
    }
}

/// What the import callback of a context looks into.
struct Sources(Vec<Source>);

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

/// A compiled module or node of a [`Context`]; only meaningful together with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModulePointer(*const ffi::lys_module);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodePointer(pub(super) *const ffi::lysc_node);

// SAFETY: the pointers are only followed through a `&Context`, whose schema never changes.
unsafe impl Send for ModulePointer {}
unsafe impl Sync for ModulePointer {}
unsafe impl Send for NodePointer {}
unsafe impl Sync for NodePointer {}

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
    /// Loads `modules` with all they import, from `sources` and then from `search_dirs`.
    pub fn load(search_dirs: &[PathBuf], sources: &[Source], modules: &[LoadRequest]) -> Result<Context, Vec<Fault>> {
        initialise();
        let flags =
            ContextFlags::DISABLE_SEARCHDIR_CWD | ContextFlags::PREFER_SEARCHDIRS | ContextFlags::REF_IMPLEMENTED;
        let mut inner = YangContext::new(flags).map_err(|e| vec![plain_fault(e.to_string())])?;
        let sources = Box::new(Sources(sources.to_vec()));
        // SAFETY: the callback has the signature that libyang wants; what it points to is boxed, and dropped after the
        // context.
        unsafe { inner.set_module_import_callback(import, ptr::from_ref(&*sources).cast_mut().cast()) };
        for dir in search_dirs {
            inner
                .set_searchdir(dir)
                .map_err(|_| vec![plain_fault(format!("{} is not a directory of modules", dir.display()))])?;
        }
        let context = Context { raw: inner.into_raw(), _sources: sources };
        context.load_modules(modules)?;
        Ok(context)
    }

    fn load_modules(&self, modules: &[LoadRequest]) -> Result<(), Vec<Fault>> {
        let ctx = self.as_raw();
        self.clear_errors();
        // SAFETY: the context is ours alone until `load` returns it.
        unsafe {
            if ffi::ly_ctx_set_options(ctx, ffi::LY_CTX_EXPLICIT_COMPILE) != ffi::LY_ERR::LY_SUCCESS {
                return Err(self.errors());
            }
        }
        for request in modules {
            let name = c_string(&request.name)?;
            let revision = request.revision.as_deref().map(c_string).transpose()?;
            let features = request.features.iter().map(|f| c_string(f)).collect::<Result<Vec<_>, _>>()?;
            let mut feature_pointers: Vec<*const c_char> = features.iter().map(|f| f.as_ptr()).collect();
            feature_pointers.push(ptr::null());
            // SAFETY: all strings outlive the call; the feature array ends in null.
            let module = unsafe {
                ffi::ly_ctx_load_module(
                    ctx,
                    name.as_ptr(),
                    revision.as_ref().map_or(ptr::null(), |r| r.as_ptr()),
                    feature_pointers.as_mut_ptr(),
                )
            };
            if module.is_null() {
                let mut faults = self.errors();
                if faults.is_empty() {
                    faults.push(plain_fault("not found".into()));
                }
                for fault in &mut faults {
                    fault.message = format!("module {}: {}", request.name, fault.message);
                }
                return Err(faults);
            }
        }
        // SAFETY: as above.
        unsafe {
            if ffi::ly_ctx_compile(ctx) != ffi::LY_ERR::LY_SUCCESS {
                return Err(self.errors());
            }
            if ffi::ly_ctx_unset_options(ctx, ffi::LY_CTX_EXPLICIT_COMPILE) != ffi::LY_ERR::LY_SUCCESS {
                return Err(self.errors());
            }
        }
        Ok(())
    }

    pub(super) fn as_raw(&self) -> *mut ffi::ly_ctx {
        self.raw
    }

    pub(super) fn clear_errors(&self) {
        // SAFETY: clears this thread's errors of a live context.
        unsafe { ffi::ly_err_clean(self.as_raw(), ptr::null_mut()) };
    }

    /// Takes what libyang stored for this thread since the last clearing.
    pub(super) fn errors(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        // SAFETY: the list belongs to this thread and is freed only by the `ly_err_clean` below.
        unsafe {
            let mut item = ffi::ly_err_first(self.as_raw());
            while !item.is_null() {
                if (*item).level == ffi::LY_LOG_LEVEL::LY_LLERR {
                    faults.push(Fault {
                        message: string((*item).msg).unwrap_or_else(|| "unspecified error".into()),
                        path: string((*item).data_path).or_else(|| string((*item).schema_path)),
                        app_tag: string((*item).apptag),
                    });
                }
                item = (*item).next;
            }
        }
        self.clear_errors();
        faults
    }

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

    /// The canonical form of `text` as a value of the leaf or leaf-list `node`, in JSON's form for qualified names
    /// (RFC 7951 section 4), with the base type that it has there.
    pub fn canonical(&self, node: NodePointer, text: &str) -> Result<(String, RawBase), Fault> {
        // The length alone is not enough: libyang's date-and-time reads on to a NUL and takes what it finds for its own.
        let terminated = CString::new(text).map_err(|_| plain_fault("a value cannot contain NUL".into()))?;
        let length = u32::try_from(text.len()).map_err(|_| plain_fault("a value of more than 4 GiB".into()))?;
        let mut real = ptr::null();
        let mut canonical = ptr::null();
        self.clear_errors();
        // SAFETY: the text is terminated and lives until the end; `canonical` is a dictionary string that we give back.
        unsafe {
            let rc =
                ffi::lyd_value_validate(node.0, terminated.as_ptr(), length, ptr::null(), &mut real, &mut canonical);
            if rc != ffi::LY_ERR::LY_SUCCESS && rc != ffi::LY_ERR::LY_EINCOMPLETE {
                let fallback = || plain_fault(format!("invalid value \"{text}\""));
                return Err(self.errors().into_iter().next().unwrap_or_else(fallback));
            }
            let copy = string(canonical).unwrap_or_default();
            ffi::lydict_remove(self.as_raw(), canonical);
            Ok((copy, raw_base(real)))
        }
    }

    /// The schema nodes that the `when`, `must` and leafref expressions of `node` can reach, by the path each names.
    /// None where an expression cannot be bounded.
    pub fn atoms(&self, node: NodePointer) -> Option<Vec<NodePointer>> {
        let mut found = Vec::new();
        // SAFETY: reads compiled expressions; every set is freed.
        unsafe {
            let module = (*node.0).module;
            for must in sized(ffi::lysc_node_musts(node.0)) {
                self.expression_atoms(node.0, module, must.cond, must.prefixes, &mut found)?;
            }
            for when in sized(ffi::lysc_node_when(node.0)) {
                let when = *when;
                self.expression_atoms((*when).context, module, (*when).cond, (*when).prefixes, &mut found)?;
            }
            if matches!(u32::from((*node.0).nodetype), ffi::LYS_LEAF | ffi::LYS_LEAFLIST) {
                let leaf: *const ffi::lysc_node_leaf = node.0.cast();
                self.type_atoms(node.0, (*leaf).type_, &mut found)?;
            }
        }
        self.clear_errors();
        Some(found)
    }

    unsafe fn type_atoms(
        &self,
        node: *const ffi::lysc_node,
        leaf_type: *const ffi::lysc_type,
        found: &mut Vec<NodePointer>,
    ) -> Option<()> {
        unsafe {
            match (*leaf_type).basetype {
                ffi::LY_DATA_TYPE::LY_TYPE_LEAFREF => {
                    let leafref: *const ffi::lysc_type_leafref = leaf_type.cast();
                    self.expression_atoms(node, (*node).module, (*leafref).path, (*leafref).prefixes, found)
                }
                ffi::LY_DATA_TYPE::LY_TYPE_UNION => {
                    let union: *const ffi::lysc_type_union = leaf_type.cast();
                    for member in sized((*union).types) {
                        self.type_atoms(node, *member, found)?;
                    }
                    Some(())
                }
                _ => Some(()),
            }
        }
    }

    unsafe fn expression_atoms(
        &self,
        context: *const ffi::lysc_node,
        module: *const ffi::lys_module,
        expression: *const ffi::lyxp_expr,
        prefixes: *const ffi::lysc_prefix,
        found: &mut Vec<NodePointer>,
    ) -> Option<()> {
        let mut set = ptr::null_mut();
        unsafe {
            if ffi::lys_find_expr_atoms(context, module, expression, prefixes, 0, &mut set) != ffi::LY_ERR::LY_SUCCESS {
                return None;
            }
            for i in 0..(*set).count as usize {
                found.push(NodePointer(*(*set).__bindgen_anon_1.snodes.add(i)));
            }
            ffi::ly_set_free(set, None);
        }
        Some(())
    }
}

// SAFETY: the context is not changed after `load`, libyang's dictionary has its own mutex, errors are per thread.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `load`, destroyed once; no data tree outlives its context.
        unsafe { ffi::ly_ctx_destroy(self.raw) };
    }
}

/// libyang's import callback: a module's text, or a submodule's where one is named.
///
/// yang5 has one of its own, but answers a request without a revision with any of a module's revisions.
///
/// # Safety
/// The names are C strings or null as libyang has it, and `user_data` is the context's [`Sources`].
unsafe extern "C" fn import(
    module: *const c_char,
    revision: *const c_char,
    submodule: *const c_char,
    submodule_revision: *const c_char,
    user_data: *mut c_void,
    format: *mut ffi::LYS_INFORMAT::Type,
    data: *mut *const c_char,
    free: *mut ffi::ly_module_imp_data_free_clb,
) -> ffi::LY_ERR::Type {
    unsafe {
        let sources = &*user_data.cast::<Sources>();
        let (name, revision) = if submodule.is_null() { (module, revision) } else { (submodule, submodule_revision) };
        let name = string(name).unwrap_or_default();
        let source = Source::find(&sources.0, &name, string(revision).as_deref());
        let Some(Ok(text)) = source.map(|source| CString::new(source.text)) else {
            return ffi::LY_ERR::LY_ENOTFOUND;
        };
        *format = ffi::LYS_INFORMAT::LYS_IN_YANG;
        *data = text.into_raw();
        *free = Some(free_import);
    }
    ffi::LY_ERR::LY_SUCCESS
}

/// # Safety
/// `data` is what [`import`] answered with.
unsafe extern "C" fn free_import(data: *mut c_void, _user_data: *mut c_void) {
    drop(unsafe { CString::from_raw(data.cast()) });
}

fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // yang5 sets its own options when it makes the first context, and keeps only the last error; make it do so
        // once, then keep them all.
        drop(YangContext::new(ContextFlags::NO_YANGLIBRARY));
        // SAFETY: global logging options, set before any other thread can be inside libyang.
        unsafe { ffi::ly_log_options(ffi::LY_LOSTORE) };
    });
}

fn plain_fault(message: String) -> Fault {
    Fault { message, path: None, app_tag: None }
}

fn c_string(text: &str) -> Result<CString, Vec<Fault>> {
    CString::new(text).map_err(|_| vec![plain_fault(format!("{text:?} contains NUL"))])
}

pub(super) unsafe fn string(text: *const c_char) -> Option<String> {
    if text.is_null() { None } else { Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()) }
}

unsafe fn count<T>(array: *const T) -> usize {
    // libyang's sized arrays keep their length in the eight bytes before the first item.
    if array.is_null() { 0 } else { unsafe { *array.cast::<u64>().sub(1) as usize } }
}

unsafe fn sized<'a, T: 'a>(array: *const T) -> impl Iterator<Item = &'a T> {
    let length = unsafe { count(array) };
    (0..length).map(move |i| unsafe { &*array.add(i) })
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
