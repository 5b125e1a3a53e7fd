//! What our own code must know of a leaf's type.

use std::os::raw::c_char;
use std::ptr;

use yang5::ffi;

use super::{count, sized, string};

/// What our own code must know of a leaf's type; everything else is libyang's.
#[derive(Clone, Debug, PartialEq)]
pub struct RawType {
    pub base: RawBase,
    /// libyang's own canonical form applies (a type plugin), or a length or pattern restricts it.
    pub plain: bool,
    /// int64 or uint64, which JSON writes as strings (RFC 7951 section 6.1).
    pub wide: bool,
    /// Allowed ranges of an integer.
    pub ranges: Vec<(i128, i128)>,
    pub enums: Vec<String>,
    pub fraction_digits: u8,
    /// Members of a union; the target type of a leafref.
    pub members: Vec<RawType>,
    pub require_instance: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RawBase {
    Binary,
    Unsigned,
    Signed,
    String,
    Bits,
    Boolean,
    Decimal64,
    Empty,
    Enumeration,
    IdentityRef,
    /// instance-identifier and RFC 8341's node-instance-identifier.
    InstanceIdentifier,
    /// ietf-yang-types' xpath1.0.
    XPath,
    Leafref,
    Union,
}

/// The plugin that stores values of the type, by libyang's name for it.
unsafe fn plugin_name(leaf_type: *const ffi::lysc_type) -> String {
    // The bindings leave `struct lyplg_type` opaque; its first member is the plugin's id string.
    let id = unsafe { string(*ffi::lysc_get_type_plugin((*leaf_type).plugin_ref).cast::<*const c_char>()) };
    let id = id.unwrap_or_default();
    id.strip_prefix("ly2 ").unwrap_or(&id).to_owned()
}

pub(super) unsafe fn raw_base(leaf_type: *const ffi::lysc_type) -> RawBase {
    use ffi::LY_DATA_TYPE as T;
    match unsafe { (*leaf_type).basetype } {
        T::LY_TYPE_BINARY => RawBase::Binary,
        T::LY_TYPE_BITS => RawBase::Bits,
        T::LY_TYPE_BOOL => RawBase::Boolean,
        T::LY_TYPE_EMPTY => RawBase::Empty,
        T::LY_TYPE_IDENT => RawBase::IdentityRef,
        T::LY_TYPE_INST => RawBase::InstanceIdentifier,
        T::LY_TYPE_DEC64 => RawBase::Decimal64,
        T::LY_TYPE_ENUM => RawBase::Enumeration,
        T::LY_TYPE_LEAFREF => RawBase::Leafref,
        T::LY_TYPE_UNION => RawBase::Union,
        T::LY_TYPE_INT8 | T::LY_TYPE_INT16 | T::LY_TYPE_INT32 | T::LY_TYPE_INT64 => RawBase::Signed,
        T::LY_TYPE_UINT8 | T::LY_TYPE_UINT16 | T::LY_TYPE_UINT32 | T::LY_TYPE_UINT64 => RawBase::Unsigned,
        _ => match unsafe { plugin_name(leaf_type) }.as_str() {
            "xpath1.0" => RawBase::XPath,
            "node-instance-identifier" | "instance-identifier-keys" => RawBase::InstanceIdentifier,
            _ => RawBase::String,
        },
    }
}

pub(super) unsafe fn raw_type(leaf_type: *const ffi::lysc_type) -> RawType {
    use ffi::LY_DATA_TYPE as T;
    unsafe {
        let plugin = plugin_name(leaf_type);
        let mut raw = RawType {
            base: raw_base(leaf_type),
            plain: false,
            wide: false,
            ranges: Vec::new(),
            enums: Vec::new(),
            fraction_digits: 0,
            members: Vec::new(),
            require_instance: false,
        };
        match raw.base {
            RawBase::Decimal64 => {
                raw.fraction_digits = (*leaf_type.cast::<ffi::lysc_type_dec>()).fraction_digits;
            }
            RawBase::Enumeration => {
                raw.plain = plugin == "enumeration";
                let enumeration: *const ffi::lysc_type_enum = leaf_type.cast();
                raw.enums = sized((*enumeration).enums).filter_map(|e| string(e.name)).collect();
            }
            RawBase::InstanceIdentifier if plugin == "instance-identifier" => {
                raw.require_instance = (*leaf_type.cast::<ffi::lysc_type_instanceid>()).require_instance != 0;
            }
            RawBase::Leafref => {
                let leafref: *const ffi::lysc_type_leafref = leaf_type.cast();
                raw.require_instance = (*leafref).require_instance != 0;
                if !(*leafref).realtype.is_null() {
                    raw.members.push(raw_type((*leafref).realtype));
                }
            }
            RawBase::Union => {
                let union: *const ffi::lysc_type_union = leaf_type.cast();
                raw.members = sized((*union).types).map(|t| raw_type(*t)).collect();
            }
            RawBase::String => {
                let text: *const ffi::lysc_type_str = leaf_type.cast();
                raw.plain = plugin == "string" && (*text).length.is_null() && count((*text).patterns) == 0;
            }
            RawBase::Signed | RawBase::Unsigned => {
                let (low, high): (i128, i128) = match (*leaf_type).basetype {
                    T::LY_TYPE_INT8 => (i8::MIN.into(), i8::MAX.into()),
                    T::LY_TYPE_INT16 => (i16::MIN.into(), i16::MAX.into()),
                    T::LY_TYPE_INT32 => (i32::MIN.into(), i32::MAX.into()),
                    T::LY_TYPE_INT64 => (i64::MIN.into(), i64::MAX.into()),
                    T::LY_TYPE_UINT8 => (0, u8::MAX.into()),
                    T::LY_TYPE_UINT16 => (0, u16::MAX.into()),
                    T::LY_TYPE_UINT32 => (0, u32::MAX.into()),
                    _ => (0, u64::MAX.into()),
                };
                raw.plain = plugin == "integers";
                raw.wide = matches!((*leaf_type).basetype, T::LY_TYPE_INT64 | T::LY_TYPE_UINT64);
                let number: *const ffi::lysc_type_num = leaf_type.cast();
                let parts = if (*number).range.is_null() { ptr::null() } else { (*(*number).range).parts.cast_const() };
                for part in sized(parts) {
                    raw.ranges.push(if low < 0 {
                        (part.__bindgen_anon_1.min_64.into(), part.__bindgen_anon_2.max_64.into())
                    } else {
                        (part.__bindgen_anon_1.min_u64.into(), part.__bindgen_anon_2.max_u64.into())
                    });
                }
                if raw.ranges.is_empty() {
                    raw.ranges.push((low, high));
                }
            }
            _ => {}
        }
        raw
    }
}
