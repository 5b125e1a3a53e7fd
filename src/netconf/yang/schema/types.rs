//! Leaf types, and the values that texts stand for (RFC 7950 section 9).

use smol_str::SmolStr;

use super::{NodeId, Schema, SchemaNode};
use crate::yang::ffi::{Fault, RawBase, RawType};
use crate::yang::path;
use crate::yang::value::Value;

/// What a leaf's values look like.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafType(pub(super) RawType);

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

    /// Whether the type, or a member of it where it is a union, is such a base type; the flag is its require-instance.
    pub fn has_member(&self, is: impl Fn(RawBase, bool) -> bool) -> bool {
        fn has(raw: &RawType, is: &dyn Fn(RawBase, bool) -> bool) -> bool {
            match raw.base {
                RawBase::Union => raw.members.iter().any(|member| has(member, is)),
                base => is(base, raw.require_instance),
            }
        }
        has(&self.0, &is)
    }

    /// Whether a member of a union that needs no instance takes the text. False also where only libyang can tell.
    pub fn has_free_member_for(&self, text: &str) -> bool {
        fn takes(raw: &RawType, text: &str) -> bool {
            match raw.base {
                RawBase::Union => raw.members.iter().any(|member| takes(member, text)),
                RawBase::Leafref if !raw.require_instance => raw.members.iter().any(|member| takes(member, text)),
                RawBase::Leafref | RawBase::InstanceIdentifier => false,
                _ => quick_value(raw, text).is_some(),
            }
        }
        takes(&self.0, text)
    }

    /// An instance-identifier, or a union with one.
    pub fn may_be_instance(&self) -> bool {
        fn may(raw: &RawType) -> bool {
            raw.base == RawBase::InstanceIdentifier || raw.members.iter().any(may)
        }
        may(self.resolved())
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

impl Schema {
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
                let full = path::map_prefixes(text, |prefix| module(prefix).map(str::to_owned))?;
                Ok(path::compress(&full))
            }
            _ => path::map_prefixes(text, |prefix| module(prefix).map(str::to_owned)),
        }
    }
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
