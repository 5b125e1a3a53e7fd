//! The standard YANG modules this crate carries in their original text, as pinned by `yang/standard.toml`.

/// One revision of a standard module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardModule {
    /// Module name, as in `ietf-netconf`.
    pub name: &'static str,
    /// Revision date, `YYYY-MM-DD`.
    pub revision: &'static str,
    /// The module as published, byte for byte: what `<get-schema>` (RFC 6022 section 3.1) answers.
    pub text: &'static str,
}

/// Every standard module, in the order of `yang/standard.toml`; a name can stand there with more than one revision.
pub static STANDARD_MODULES: &[StandardModule] = include!(concat!(env!("OUT_DIR"), "/standard_modules.rs"));

/// The module `name` at `revision`, or at its latest revision if none is asked for.
pub fn standard_module(name: &str, revision: Option<&str>) -> Option<&'static StandardModule> {
    STANDARD_MODULES
        .iter()
        .filter(|module| module.name == name && revision.is_none_or(|wanted| module.revision == wanted))
        .max_by_key(|module| module.revision)
}

#[cfg(test)]
mod tests;
