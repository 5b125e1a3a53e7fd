//! A libyang data tree, for what only libyang can do with data: validate it.
//!
//! A [`Cursor`] is valid until its node, or one above it, is removed; it never leaves [`super::super::validate`].

use std::ffi::CString;
use std::os::raw::{c_char, c_void};
use std::ptr;

use yang5::ffi;

use super::{Context, Fault, NodePointer, plain_fault, string};

/// Owns a libyang tree. Has to be dropped before its context.
pub struct DataTree {
    root: *mut ffi::lyd_node,
}

// SAFETY: a tree is used by one thread at a time (`&mut` for all that changes it), and libyang keeps nothing of a
// tree in thread-local storage.
unsafe impl Send for DataTree {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(*mut ffi::lyd_node);

/// What validation did to the tree beside checking it.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub created: bool,
    /// From the top: schema node and, for list entries, key values; for leaf-list entries, the value.
    pub steps: Vec<(NodePointer, Vec<String>)>,
    /// Of a leaf or leaf-list.
    pub value: Option<String>,
}

/// What is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Config,
    /// Configuration with state, of the modules that have some there.
    Data,
    Rpc,
    Reply,
    Notification,
}

impl DataTree {
    pub fn new() -> DataTree {
        DataTree { root: ptr::null_mut() }
    }

    /// The child of `parent` (None: top level) that is the instance of `node` with these key values, or with that
    /// value for a leaf-list; the first instance where `keys` is empty.
    pub fn find(&self, context: &Context, parent: Option<Cursor>, node: NodePointer, keys: &[&str]) -> Option<Cursor> {
        let siblings = match parent {
            // SAFETY: cursors are valid.
            Some(Cursor(parent)) => unsafe { ffi_child(parent) },
            None => self.root,
        };
        let mut found = ptr::null_mut();
        // SAFETY: strings outlive the call.
        unsafe {
            let selector = match (keys, u32::from((*node.0).nodetype)) {
                ([], _) => None,
                ([value], ffi::LYS_LEAFLIST) => Some(CString::new(*value).ok()?),
                _ => match predicates(node, keys) {
                    Some(text) => Some(text),
                    None => return scan(siblings, node, keys),
                },
            };
            let rc = ffi::lyd_find_sibling_val(
                siblings,
                node.0,
                selector.as_ref().map_or(ptr::null(), |s| s.as_ptr()),
                0,
                &mut found,
            );
            context.clear_errors();
            (rc == ffi::LY_ERR::LY_SUCCESS && !found.is_null()).then_some(Cursor(found))
        }
    }

    /// Every instance of `node` below `parent`.
    pub fn remove_all(&mut self, context: &Context, parent: Option<Cursor>, node: NodePointer) {
        while let Some(found) = self.find(context, parent, node, &[]) {
            self.remove(found);
        }
    }

    pub fn is_default(&self, Cursor(node): Cursor) -> bool {
        // SAFETY: the cursor is valid.
        unsafe { (*node).flags & ffi::LYD_DEFAULT != 0 }
    }

    pub fn remove(&mut self, Cursor(node): Cursor) {
        // SAFETY: the cursor is valid; the first top-level node is replaced as root before it goes.
        unsafe {
            if self.root == node {
                self.root = (*node).next;
            }
            ffi::lyd_free_tree(node);
        }
    }

    /// Puts an entry ordered by the user right behind another of the same list or leaf-list.
    pub fn move_after(&mut self, Cursor(before): Cursor, Cursor(node): Cursor) -> Result<(), Fault> {
        // SAFETY: both cursors are valid, and siblings; the root is found again, because it may have been the moved one.
        unsafe {
            if ffi::lyd_insert_after(before, node) != ffi::LY_ERR::LY_SUCCESS {
                return Err(plain_fault("an entry could not be moved".into()));
            }
            if self.root == node {
                self.root = ffi::lyd_first_sibling(before);
            }
        }
        Ok(())
    }

    pub fn add_container(
        &mut self,
        context: &Context,
        parent: Option<Cursor>,
        node: NodePointer,
    ) -> Result<Cursor, Fault> {
        self.add(context, parent, node, |parent, module, name, new| unsafe {
            ffi::lyd_new_inner(parent, module, name, output_flag(node), new)
        })
    }

    pub fn add_list(
        &mut self,
        context: &Context,
        parent: Option<Cursor>,
        node: NodePointer,
        keys: &[&str],
    ) -> Result<Cursor, Fault> {
        let keys = keys.iter().map(|k| c_string(k)).collect::<Result<Vec<CString>, _>>()?;
        let mut values: Vec<*const c_void> = keys.iter().map(|k| k.as_ptr().cast()).collect();
        let mut bits: Vec<u32> = keys.iter().map(|k| k.as_bytes().len() as u32 * 8).collect();
        self.add(context, parent, node, |parent, module, name, new| unsafe {
            ffi::lyd_new_list3(
                parent,
                module,
                name,
                values.as_mut_ptr(),
                bits.as_mut_ptr(),
                u32::from(output_flag(node)),
                new,
            )
        })
    }

    pub fn add_term(
        &mut self,
        context: &Context,
        parent: Option<Cursor>,
        node: NodePointer,
        value: &str,
    ) -> Result<Cursor, Fault> {
        let value = c_string(value)?;
        self.add(context, parent, node, |parent, module, name, new| unsafe {
            ffi::lyd_new_term(parent, module, name, value.as_ptr(), u32::from(output_flag(node)), new)
        })
    }

    /// An anydata or anyxml without its content: constraints can only ask whether it is there.
    pub fn add_any(&mut self, context: &Context, parent: Option<Cursor>, node: NodePointer) -> Result<Cursor, Fault> {
        self.add(context, parent, node, |parent, module, name, new| unsafe {
            ffi::lyd_new_any(parent, module, name, ptr::null(), ptr::null(), 0, u32::from(output_flag(node)), new)
        })
    }

    fn add(
        &mut self,
        context: &Context,
        parent: Option<Cursor>,
        node: NodePointer,
        make: impl FnOnce(
            *mut ffi::lyd_node,
            *const ffi::lys_module,
            *const c_char,
            *mut *mut ffi::lyd_node,
        ) -> ffi::LY_ERR::Type,
    ) -> Result<Cursor, Fault> {
        context.clear_errors();
        let mut new = ptr::null_mut();
        // SAFETY: the schema node gives its own module and name; a new top-level node is linked to the others.
        unsafe {
            let above = parent.map_or(ptr::null_mut(), |Cursor(p)| p);
            if make(above, (*node.0).module, (*node.0).name, &mut new) != ffi::LY_ERR::LY_SUCCESS {
                let faults = context.errors();
                return Err(faults.into_iter().next().unwrap_or_else(|| plain_fault("cannot be made".into())));
            }
            if parent.is_none() {
                ffi::lyd_insert_sibling(self.root, new, &mut self.root);
            }
        }
        Ok(Cursor(new))
    }

    /// Validates the tree: adds defaults, removes what a false `when` takes away, and reports every fault it finds.
    pub fn validate(
        &mut self,
        context: &Context,
        kind: Kind,
        dependencies: Option<&DataTree>,
    ) -> Result<Vec<Change>, Vec<Fault>> {
        context.clear_errors();
        let mut diff = ptr::null_mut();
        // SAFETY: `root` is the first top-level node or null; the diff is ours to free.
        unsafe {
            let mut all = |options| {
                let options = options | ffi::LYD_VALIDATE_MULTI_ERROR;
                ffi::lyd_validate_all(&mut self.root, context.as_raw(), options, &mut diff)
            };
            let rc = match kind {
                Kind::Config => all(ffi::LYD_VALIDATE_NO_STATE),
                Kind::Data => all(ffi::LYD_VALIDATE_PRESENT),
                _ => {
                    let data_type = match kind {
                        Kind::Rpc => ffi::lyd_type::LYD_TYPE_RPC_YANG,
                        Kind::Reply => ffi::lyd_type::LYD_TYPE_REPLY_YANG,
                        _ => ffi::lyd_type::LYD_TYPE_NOTIF_YANG,
                    };
                    let dependencies = dependencies.map_or(ptr::null(), |d| d.root.cast_const());
                    ffi::lyd_validate_op(self.root, dependencies, data_type, &mut diff)
                }
            };
            let mut changes = Vec::new();
            let mut node = diff;
            while !node.is_null() {
                read_changes(context, node, None, &mut Vec::new(), &mut changes);
                node = (*node).next;
            }
            ffi::lyd_free_all(diff);
            if rc == ffi::LY_ERR::LY_SUCCESS {
                context.clear_errors();
                return Ok(changes);
            }
        }
        let mut faults = context.errors();
        if faults.is_empty() {
            faults.push(plain_fault("validation failed".into()));
        }
        Err(faults)
    }
}

impl Default for DataTree {
    fn default() -> Self {
        DataTree::new()
    }
}

impl Drop for DataTree {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { ffi::lyd_free_all(self.root) };
    }
}

fn c_string(text: &str) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| plain_fault("a value cannot contain NUL".into()))
}

fn output_flag(node: NodePointer) -> u8 {
    // SAFETY: schema nodes are const.
    u8::from(unsafe { u32::from((*node.0).flags) } & ffi::LYS_IS_OUTPUT != 0)
}

unsafe fn ffi_child(node: *mut ffi::lyd_node) -> *mut ffi::lyd_node {
    unsafe {
        match u32::from((*(*node).schema).nodetype) {
            ffi::LYS_CONTAINER | ffi::LYS_LIST | ffi::LYS_RPC | ffi::LYS_ACTION | ffi::LYS_NOTIF => {
                (*node.cast::<ffi::lyd_node_inner>()).child
            }
            _ => ptr::null_mut(),
        }
    }
}

/// `[key='value']…`; None where a value has both kinds of quotes, which a predicate cannot hold.
unsafe fn predicates(node: NodePointer, keys: &[&str]) -> Option<CString> {
    let mut text = String::new();
    let mut key = unsafe { ffi::lysc_node_child(node.0) };
    for value in keys {
        let quote = match (value.contains('\''), value.contains('"')) {
            (true, true) => return None,
            (true, false) => '"',
            _ => '\'',
        };
        let name = unsafe { string((*key).name) }?;
        text.push_str(&format!("[{name}={quote}{value}{quote}]"));
        key = unsafe { (*key).next };
    }
    CString::new(text).ok()
}

unsafe fn scan(siblings: *mut ffi::lyd_node, node: NodePointer, keys: &[&str]) -> Option<Cursor> {
    let mut at = siblings;
    unsafe {
        while !at.is_null() {
            if (*at).schema == node.0 && key_values(at) == keys {
                return Some(Cursor(at));
            }
            at = (*at).next;
        }
    }
    None
}

unsafe fn key_values(entry: *mut ffi::lyd_node) -> Vec<String> {
    let mut values = Vec::new();
    unsafe {
        let mut child = ffi_child(entry);
        while !child.is_null() && u32::from((*(*child).schema).flags) & ffi::LYS_KEY != 0 {
            values.extend(term_value(child));
            child = (*child).next;
        }
    }
    values
}

unsafe fn term_value(node: *mut ffi::lyd_node) -> Option<String> {
    unsafe {
        match u32::from((*(*node).schema).nodetype) {
            ffi::LYS_LEAF | ffi::LYS_LEAFLIST => {
                let term = node.cast::<ffi::lyd_node_term>();
                let ctx = (*(*(*node).schema).module).ctx;
                string(ffi::lyd_value_get_canonical(ctx, &(*term).value))
            }
            _ => None,
        }
    }
}

/// The `yang:operation` of a node of a diff.
unsafe fn operation(context: &Context, node: *const ffi::lyd_node) -> Option<String> {
    unsafe {
        let mut meta = (*node).meta;
        while !meta.is_null() {
            if string((*meta).name).as_deref() == Some("operation") {
                return string(ffi::lyd_value_get_canonical(context.as_raw(), &(*meta).value));
            }
            meta = (*meta).next;
        }
        None
    }
}

unsafe fn read_changes(
    context: &Context,
    node: *mut ffi::lyd_node,
    inherited: Option<&str>,
    steps: &mut Vec<(NodePointer, Vec<String>)>,
    changes: &mut Vec<Change>,
) {
    unsafe {
        let own = operation(context, node);
        let operation = own.as_deref().or(inherited);
        let value = term_value(node);
        let kind = u32::from((*(*node).schema).nodetype);
        let keys = match kind {
            ffi::LYS_LIST => key_values(node),
            ffi::LYS_LEAFLIST => value.iter().cloned().collect(),
            _ => Vec::new(),
        };
        steps.push((NodePointer((*node).schema), keys));
        match operation {
            Some("delete") => changes.push(Change { created: false, steps: steps.clone(), value }),
            Some("create") if value.is_some() => changes.push(Change { created: true, steps: steps.clone(), value }),
            _ => {
                let mut child = ffi_child(node);
                while !child.is_null() {
                    read_changes(context, child, operation, steps, changes);
                    child = (*child).next;
                }
            }
        }
        steps.pop();
    }
}
