//! What the functions of YANG 1.1 (RFC 7950 section 10) ask of compiled schemas.

use std::ffi::CString;
use std::ptr;

use yang5::ffi;

use super::{Context, Fault, NodePointer, plain_fault, sized, string};

/// Derivations between two identities. More would be a model gone wrong.
const MAX_DERIVATIONS: usize = 64;

/// The path of a leafref, and the module's name for each prefix in it; None is for names without one.
pub type LeafrefPath = (String, Vec<(Option<String>, String)>);

impl Context {
    /// Whether a whole text matches a pattern as YANG has them (RFC 7950 section 9.4.5). Fails where it is no pattern.
    pub fn pattern_matches(&self, pattern: &str, text: &str) -> Result<bool, Fault> {
        let pattern = CString::new(pattern).map_err(|_| plain_fault("a pattern cannot contain NUL".into()))?;
        let text = CString::new(text).map_err(|_| plain_fault("a text cannot contain NUL".into()))?;
        let length =
            u32::try_from(text.as_bytes().len()).map_err(|_| plain_fault("a text of more than 4 GiB".into()))?;
        self.clear_errors();
        // SAFETY: both strings are terminated and outlive the call; nothing compiled is kept.
        let rc =
            unsafe { ffi::ly_pattern_match(self.as_raw(), pattern.as_ptr(), text.as_ptr(), length, ptr::null_mut()) };
        match rc {
            ffi::LY_ERR::LY_SUCCESS => {
                self.clear_errors();
                Ok(true)
            }
            ffi::LY_ERR::LY_ENOT => {
                self.clear_errors();
                Ok(false)
            }
            _ => Err(self.errors().into_iter().next().unwrap_or_else(|| plain_fault("the pattern is wrong".into()))),
        }
    }

    /// Whether an identity is derived from another; each is a module's name and its own.
    pub fn is_derived(&self, base: (&str, &str), derived: (&str, &str)) -> bool {
        let Ok(module) = CString::new(base.0) else { return false };
        // SAFETY: compiled identities are const.
        unsafe {
            let module = ffi::ly_ctx_get_module_implemented(self.as_raw(), module.as_ptr());
            let module = if module.is_null() {
                let Ok(name) = CString::new(base.0) else { return false };
                ffi::ly_ctx_get_module_latest(self.as_raw(), name.as_ptr())
            } else {
                module
            };
            if module.is_null() {
                return false;
            }
            let mut identities = sized((*module).identities.cast_const());
            let found = identities.find(|identity: &&ffi::lysc_ident| string(identity.name).as_deref() == Some(base.1));
            found.is_some_and(|base| leads_to(base, derived, MAX_DERIVATIONS))
        }
    }

    /// The number that an enumeration assigns to a name; of a union the first member's that has it.
    pub fn enum_value(&self, node: NodePointer, name: &str) -> Option<i32> {
        // SAFETY: compiled schemas are const.
        unsafe {
            match u32::from((*node.0).nodetype) {
                ffi::LYS_LEAF | ffi::LYS_LEAFLIST => {
                    let leaf: *const ffi::lysc_node_leaf = node.0.cast();
                    enum_value((*leaf).type_, name)
                }
                _ => None,
            }
        }
    }

    /// The path of a leaf or leaf-list that is a leafref; of a union the first member's that is one.
    pub fn leafref(&self, node: NodePointer) -> Option<LeafrefPath> {
        // SAFETY: compiled schemas are const.
        unsafe {
            match u32::from((*node.0).nodetype) {
                ffi::LYS_LEAF | ffi::LYS_LEAFLIST => {
                    let leaf: *const ffi::lysc_node_leaf = node.0.cast();
                    leafref((*leaf).type_)
                }
                _ => None,
            }
        }
    }
}

unsafe fn leads_to(base: &ffi::lysc_ident, derived: (&str, &str), further: usize) -> bool {
    unsafe {
        sized(base.derived.cast_const()).any(|next| {
            let next = &**next;
            string((*next.module).name).as_deref() == Some(derived.0) && string(next.name).as_deref() == Some(derived.1)
                || further > 0 && leads_to(next, derived, further - 1)
        })
    }
}

unsafe fn enum_value(leaf_type: *const ffi::lysc_type, name: &str) -> Option<i32> {
    unsafe {
        match (*leaf_type).basetype {
            ffi::LY_DATA_TYPE::LY_TYPE_ENUM => {
                let enumeration: *const ffi::lysc_type_enum = leaf_type.cast();
                let mut items = sized((*enumeration).enums.cast_const());
                let item = items.find(|item: &&ffi::lysc_type_bitenum_item| string(item.name).as_deref() == Some(name));
                item.map(|item| item.__bindgen_anon_1.value)
            }
            ffi::LY_DATA_TYPE::LY_TYPE_LEAFREF => {
                let leafref: *const ffi::lysc_type_leafref = leaf_type.cast();
                enum_value((*leafref).realtype, name)
            }
            ffi::LY_DATA_TYPE::LY_TYPE_UNION => {
                let union: *const ffi::lysc_type_union = leaf_type.cast();
                sized((*union).types.cast_const()).find_map(|member| enum_value(*member, name))
            }
            _ => None,
        }
    }
}

unsafe fn leafref(leaf_type: *const ffi::lysc_type) -> Option<LeafrefPath> {
    unsafe {
        match (*leaf_type).basetype {
            ffi::LY_DATA_TYPE::LY_TYPE_LEAFREF => {
                let leafref: *const ffi::lysc_type_leafref = leaf_type.cast();
                let text = string(ffi::lyxp_get_expr((*leafref).path))?;
                let prefixes = sized((*leafref).prefixes.cast_const());
                let known = prefixes.filter(|prefix: &&ffi::lysc_prefix| !prefix.mod_.is_null());
                let known = known.filter_map(|prefix| Some((string(prefix.prefix), string((*prefix.mod_).name)?)));
                Some((text, known.collect()))
            }
            ffi::LY_DATA_TYPE::LY_TYPE_UNION => {
                let union: *const ffi::lysc_type_union = leaf_type.cast();
                sized((*union).types.cast_const()).find_map(|member| leafref(*member))
            }
            _ => None,
        }
    }
}
