//! libyang's own XPath, to compare ours with.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::ptr;

use yang5::ffi;

use super::{Context, Fault, plain_fault};

/// A data tree as libyang parses it, with the containers that always exist. Has to be dropped before its context.
pub struct ParsedData(*mut ffi::lyd_node);

impl ParsedData {
    pub fn parse(context: &Context, xml: &str) -> Result<ParsedData, Fault> {
        let text = CString::new(xml).map_err(|_| plain_fault("NUL".into()))?;
        let mut data = ParsedData(ptr::null_mut());
        context.clear_errors();
        // SAFETY: the text is terminated; the tree is freed by `drop`.
        unsafe {
            let options = ffi::LYD_PARSE_ONLY | ffi::LYD_PARSE_STRICT;
            let format = ffi::LYD_FORMAT::LYD_XML;
            let rc = ffi::lyd_parse_data_mem(context.as_raw(), text.as_ptr(), format, options, 0, &mut data.0);
            if rc != ffi::LY_ERR::LY_SUCCESS {
                return Err(first_error(context));
            }
            let implicit = ffi::LYD_IMPLICIT_NO_STATE | ffi::LYD_IMPLICIT_NO_DEFAULTS;
            let rc = ffi::lyd_new_implicit_all(&mut data.0, context.as_raw(), implicit, ptr::null_mut());
            if rc != ffi::LY_ERR::LY_SUCCESS {
                return Err(first_error(context));
            }
        }
        Ok(data)
    }

    /// The paths of what an expression selects, in libyang's order; without containers that hold nothing and mean nothing.
    pub fn find(&self, context: &Context, expression: &str) -> Result<Vec<String>, Fault> {
        let text = CString::new(expression).map_err(|_| plain_fault("NUL".into()))?;
        let mut set = ptr::null_mut();
        let mut paths = Vec::new();
        context.clear_errors();
        // SAFETY: the text is terminated; the set is freed, and names nodes of the living tree.
        unsafe {
            let format = ffi::LY_VALUE_FORMAT::LY_VALUE_JSON;
            let rc = ffi::lyd_find_xpath3(
                ptr::null(),
                self.0,
                text.as_ptr(),
                format,
                ptr::null_mut(),
                ptr::null(),
                &mut set,
            );
            if rc != ffi::LY_ERR::LY_SUCCESS {
                return Err(first_error(context));
            }
            for i in 0..(*set).count as usize {
                let node = *(*set).__bindgen_anon_1.dnodes.add(i);
                if !is_hollow(node) {
                    paths.push(path(node));
                }
            }
            ffi::ly_set_free(set, None);
        }
        context.clear_errors();
        Ok(paths)
    }
}

impl Drop for ParsedData {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { ffi::lyd_free_all(self.0) };
    }
}

/// A container without presence in which there are only such containers.
unsafe fn is_hollow(node: *const ffi::lyd_node) -> bool {
    unsafe {
        let schema = (*node).schema;
        let is_plain =
            u32::from((*schema).nodetype) == ffi::LYS_CONTAINER && u32::from((*schema).flags) & ffi::LYS_PRESENCE == 0;
        let mut child: *const ffi::lyd_node =
            if is_plain { (*node.cast::<ffi::lyd_node_inner>()).child } else { ptr::null() };
        while !child.is_null() {
            if !is_hollow(child) {
                return false;
            }
            child = (*child).next;
        }
        is_plain
    }
}

unsafe fn path(node: *const ffi::lyd_node) -> String {
    let mut buffer = [0 as c_char; 4096];
    unsafe {
        let is_leaf_list = u32::from((*(*node).schema).nodetype) == ffi::LYS_LEAFLIST;
        let form = match is_leaf_list {
            true => ffi::LYD_PATH_TYPE::LYD_PATH_STD_NO_LAST_PRED,
            false => ffi::LYD_PATH_TYPE::LYD_PATH_STD,
        };
        let written = ffi::lyd_path(node, form, buffer.as_mut_ptr(), buffer.len());
        assert!(!written.is_null(), "a path fits the buffer");
        let path = CStr::from_ptr(written).to_string_lossy().into_owned();
        if !is_leaf_list {
            return path;
        }
        // Of state libyang gives the position.
        let term = node.cast::<ffi::lyd_node_term>();
        let value = ffi::lyd_value_get_canonical((*(*(*node).schema).module).ctx, &(*term).value);
        let value = CStr::from_ptr(value).to_string_lossy();
        let quote = if value.contains('\'') { '"' } else { '\'' };
        format!("{path}[.={quote}{value}{quote}]")
    }
}

fn first_error(context: &Context) -> Fault {
    context.errors().into_iter().next().unwrap_or_else(|| plain_fault("unspecified".into()))
}
