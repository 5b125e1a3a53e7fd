//! Compiling what a device has, without the modules that do not compile.

use std::sync::Arc;

use super::LeftOut;
use crate::client::LibraryModule;
use crate::yang::Schema;
use crate::yang::ffi::Text;

/// Modules that are left out one by one. Each costs a dozen compilations to find; beyond, a whole group goes that does not
/// compile.
const LEFT_OUT: usize = 64;

/// A schema of as many of the modules as compile together, and the rest.
pub(super) fn compile(texts: &[Text], modules: &[LibraryModule]) -> (Arc<Schema>, Vec<LeftOut>) {
    let mut compiling = Compiling { texts, accepted: Vec::new(), schema: None, left_out: Vec::new() };
    compiling.add(modules);
    let schema = compiling
        .schema
        .take()
        .unwrap_or_else(|| Schema::builder().build().expect("libyang has modules of its own, which compile"));
    (schema, compiling.left_out)
}

struct Compiling<'m> {
    texts: &'m [Text],
    accepted: Vec<&'m LibraryModule>,
    /// Of those that are accepted.
    schema: Option<Arc<Schema>>,
    left_out: Vec<LeftOut>,
}

impl<'m> Compiling<'m> {
    /// Accepts all of them at once, or looks at each half: where few do not compile, few compilations find them.
    fn add(&mut self, modules: &'m [LibraryModule]) {
        if modules.is_empty() {
            return;
        }
        let mut builder = Schema::builder().texts(self.texts.iter().cloned());
        for module in self.accepted.iter().copied().chain(modules) {
            let features: Vec<&str> = module.features.iter().map(String::as_str).collect();
            builder = builder.module(&module.name, module.revision.as_deref(), &features);
        }
        match builder.build() {
            Ok(schema) => {
                self.accepted.extend(modules);
                self.schema = Some(schema);
            }
            Err(error) if modules.len() == 1 || self.left_out.len() >= LEFT_OUT => {
                let reason = error.to_string();
                let refused =
                    modules.iter().map(|module| LeftOut { module: module.name.clone(), reason: reason.clone() });
                self.left_out.extend(refused);
            }
            Err(_) => {
                let (first, second) = modules.split_at(modules.len() / 2);
                self.add(first);
                self.add(second);
            }
        }
    }
}
