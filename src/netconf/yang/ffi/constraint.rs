//! The constraints that a compiled node carries (RFC 7950 sections 7.5.3, 7.8.3, 7.21.5 and 9.9), copied out of libyang.

use yang5::ffi;

use super::{Context, NodePointer, sized, string};

/// An XPath expression as the module has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawExpression {
    pub text: String,
    /// The prefixes that it may use, with the names of their modules. A name without a prefix is of the node's module.
    pub prefixes: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMust {
    pub condition: RawExpression,
    pub error_message: Option<String>,
    pub error_app_tag: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawWhen {
    pub condition: RawExpression,
    /// The context is the node itself; else it is the data node above it, as for a choice, a case, `uses` or `augment`.
    pub of_itself: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLeafref {
    pub path: RawExpression,
    pub require_instance: bool,
}

impl Context {
    pub fn musts(&self, node: NodePointer) -> Vec<RawMust> {
        // SAFETY: reads the compiled schema, which never changes.
        unsafe {
            let musts = sized(ffi::lysc_node_musts(node.0));
            let must = |must: &ffi::lysc_must| RawMust {
                condition: expression(must.cond, must.prefixes),
                error_message: string(must.emsg),
                error_app_tag: string(must.eapptag),
            };
            musts.map(must).collect()
        }
    }

    /// The `when` statements of the node itself, and of `uses` and `augment` around it; not those of choices and cases.
    pub fn whens(&self, node: NodePointer) -> Vec<RawWhen> {
        // SAFETY: as in `musts`.
        unsafe {
            let whens = sized(ffi::lysc_node_when(node.0));
            let when = |when: &*mut ffi::lysc_when| RawWhen {
                condition: expression((**when).cond, (**when).prefixes),
                of_itself: std::ptr::eq((**when).context, node.0),
            };
            whens.map(when).collect()
        }
    }

    /// The leafrefs that the type of a leaf or leaf-list is or has as members, in order.
    pub fn leafrefs(&self, node: NodePointer) -> Vec<RawLeafref> {
        let mut found = Vec::new();
        // SAFETY: as in `musts`; leafs and leaf-lists have their type at the same place.
        unsafe {
            if matches!(u32::from((*node.0).nodetype), ffi::LYS_LEAF | ffi::LYS_LEAFLIST) {
                let leaf: *const ffi::lysc_node_leaf = node.0.cast();
                leafrefs((*leaf).type_, &mut found);
            }
        }
        found
    }

    /// The leafs of each `unique` statement of a list.
    pub fn uniques(&self, node: NodePointer) -> Vec<Vec<NodePointer>> {
        // SAFETY: as in `musts`.
        unsafe {
            if u32::from((*node.0).nodetype) != ffi::LYS_LIST {
                return Vec::new();
            }
            let list: *const ffi::lysc_node_list = node.0.cast();
            let leafs = |unique: &*mut *mut ffi::lysc_node_leaf| {
                sized(*unique).map(|leaf| NodePointer((*leaf).cast_const().cast())).collect()
            };
            sized((*list).uniques).map(leafs).collect()
        }
    }
}

unsafe fn leafrefs(leaf_type: *const ffi::lysc_type, found: &mut Vec<RawLeafref>) {
    unsafe {
        match (*leaf_type).basetype {
            ffi::LY_DATA_TYPE::LY_TYPE_LEAFREF => {
                let leafref: *const ffi::lysc_type_leafref = leaf_type.cast();
                found.push(RawLeafref {
                    path: expression((*leafref).path, (*leafref).prefixes),
                    require_instance: (*leafref).require_instance != 0,
                });
            }
            ffi::LY_DATA_TYPE::LY_TYPE_UNION => {
                let union: *const ffi::lysc_type_union = leaf_type.cast();
                for member in sized((*union).types) {
                    leafrefs(*member, found);
                }
            }
            _ => {}
        }
    }
}

unsafe fn expression(expression: *const ffi::lyxp_expr, prefixes: *const ffi::lysc_prefix) -> RawExpression {
    unsafe {
        let known = sized(prefixes).filter_map(|p| Some((string(p.prefix)?, string((*p.mod_).name)?)));
        RawExpression { text: string(ffi::lyxp_get_expr(expression)).unwrap_or_default(), prefixes: known.collect() }
    }
}
