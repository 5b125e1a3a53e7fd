//! The only `unsafe` of the crate: what libyang knows, copied into plain Rust values.
//!
//! Invariants: a [`Context`] is never changed after [`Context::load`], so reading it from many threads is sound; errors
//! are stored by libyang per thread, so every call here clears them first and reads them before it returns; strings
//! that go in are checked for NUL, strings that come out are copied.
#![allow(unsafe_code)]

pub mod constraint;
pub mod data;
#[cfg(test)]
pub mod oracle;
mod table;
mod types;
mod xpath;

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Arc, Once};

use yang5::context::{Context as YangContext, ContextFlags};
use yang5::ffi;

pub use table::{RawModule, RawNode};
use types::raw_base;
pub use types::{RawBase, RawType};

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

/// One YANG text of the program that libyang may load or import from memory.
pub type Source = SourceOf<'static>;

/// One YANG text that libyang may load or import from memory.
#[derive(Clone, Copy, Debug)]
pub struct SourceOf<'t> {
    pub name: &'t str,
    pub revision: Option<&'t str>,
    pub text: &'t str,
}

/// The same where it came at run time, from a device.
#[derive(Clone, Debug)]
pub struct Text {
    pub name: String,
    pub revision: Option<String>,
    pub text: Arc<str>,
}

impl<'t> SourceOf<'t> {
    /// The source of that revision, or one that does not say its revision; where none is asked for that one too, or else
    /// the newest. Of two that are alike the later one.
    pub fn find<'a>(sources: &'a [SourceOf<'t>], name: &str, revision: Option<&str>) -> Option<&'a SourceOf<'t>> {
        let named = || sources.iter().filter(|s| s.name == name);
        let exact = revision.and_then(|_| named().rfind(|s| s.revision == revision));
        let undated = || named().rfind(|s| s.revision.is_none());
        let newest = || named().max_by_key(|s| s.revision).filter(|_| revision.is_none());
        exact.or_else(undated).or_else(newest)
    }
}

/// What the import callback of a context looks into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub fixed: Vec<Source>,
    pub texts: Vec<Text>,
}

impl Sources {
    /// The text of a module as [`SourceOf::find`] has it, of both kinds.
    pub fn find(&self, name: &str, revision: Option<&str>) -> Option<Cow<'_, Arc<str>>> {
        let texts = self.texts.iter().filter(|text| text.name == name).map(|text| SourceOf {
            name: &text.name,
            revision: text.revision.as_deref(),
            text: &text.text,
        });
        let all: Vec<SourceOf<'_>> =
            self.fixed.iter().filter(|source| source.name == name).copied().chain(texts).collect();
        let found = SourceOf::find(&all, name, revision)?.text;
        // Kept once where it is kept already.
        let kept = self.texts.iter().find(|text| ptr::eq(&*text.text, found));
        Some(kept.map_or_else(|| Cow::Owned(Arc::from(found)), |text| Cow::Borrowed(&text.text)))
    }
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

impl Context {
    /// Loads `modules` with all they import, from `sources` and then from `search_dirs`.
    pub fn load(search_dirs: &[PathBuf], sources: &Sources, modules: &[LoadRequest]) -> Result<Context, Vec<Fault>> {
        initialise();
        let flags =
            ContextFlags::DISABLE_SEARCHDIR_CWD | ContextFlags::PREFER_SEARCHDIRS | ContextFlags::REF_IMPLEMENTED;
        let mut inner = YangContext::new(flags).map_err(|e| vec![plain_fault(e.to_string())])?;
        let sources = Box::new(sources.clone());
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
        let source = sources.find(&name, string(revision).as_deref());
        let Some(Ok(text)) = source.map(|text| CString::new(text.as_bytes())) else {
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
