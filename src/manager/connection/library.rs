//! Which modules a device has: yang-library in both forms (RFC 8525, RFC 7895), the schema list of RFC 6022, or its hello.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use netconf::capability::{YANG_LIBRARY, YANG_LIBRARY_1_0};
use netconf::client::{Error, Filter, Options, Session, data};
use netconf::xml::Element;
use netconf::yang::Schema;

use super::lock;
use crate::model::Kind;
use crate::record::Module;

const LIBRARY: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-library";
const MONITORING: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";

/// Module sets kept, so that the thousand devices of one kind are asked once and share one list. The oldest goes first.
const SETS: usize = 32;

/// What a device implements.
#[derive(Clone, Debug, Default)]
pub(super) struct Library {
    pub(super) content_id: Option<String>,
    pub(super) modules: Arc<Vec<Module>>,
}

/// The libraries that were met, and what of them is understood.
pub(super) struct Libraries {
    understood: HashSet<String>,
    met: Mutex<VecDeque<Library>>,
}

impl Libraries {
    pub(super) fn new(schema: &Schema) -> Libraries {
        let implemented = schema.modules().iter().filter(|module| module.implemented);
        Libraries { understood: implemented.map(|module| module.name.clone()).collect(), met: Mutex::default() }
    }

    /// Asks the device, unless its hello names a set that is known. A refusal of the device is no error: the next source is asked.
    pub(super) async fn read(&self, session: &Session) -> Result<Library, Error> {
        let capabilities = session.capabilities();
        let content_id = capabilities
            .parameter(YANG_LIBRARY, "content-id")
            .or_else(|| capabilities.parameter(YANG_LIBRARY_1_0, "module-set-id"))
            .map(str::to_owned);
        if let Some(id) = &content_id
            && let Some(known) = lock(&self.met).iter().find(|known| known.content_id.as_ref() == Some(id))
        {
            return Ok(known.clone());
        }
        let mut modules = Vec::new();
        for source in [
            format!("<yang-library xmlns=\"{LIBRARY}\"/>"),
            format!("<modules-state xmlns=\"{LIBRARY}\"/>"),
            format!("<netconf-state xmlns=\"{MONITORING}\"><schemas/></netconf-state>"),
        ] {
            let offered = if source.contains(MONITORING) {
                capabilities.iter().any(|uri| uri.starts_with(MONITORING))
            } else if source.starts_with("<yang-library") {
                capabilities.has(YANG_LIBRARY)
            } else {
                capabilities.has(YANG_LIBRARY_1_0)
            };
            if !offered {
                continue;
            }
            match session.get(&Options::from(Filter::Subtree(source))).await {
                Ok(reply) => modules = self.modules(data(&reply.document()?)?),
                Err(Error::Rpc(errors)) => tracing::debug!(?errors, "a source of modules is refused"),
                Err(error) => return Err(error),
            }
            if !modules.is_empty() {
                break;
            }
        }
        if modules.is_empty() {
            let announced = capabilities.modules();
            modules = announced.map(|module| self.module(module.name, module.revision.unwrap_or_default())).collect();
        }
        modules.sort_unstable_by(|a, b| (&a.name, &a.revision).cmp(&(&b.name, &b.revision)));
        modules.dedup();
        let library = Library { content_id, modules: Arc::new(modules) };
        if library.content_id.is_some() {
            let mut met = lock(&self.met);
            met.push_back(library.clone());
            if met.len() > SETS {
                met.pop_front();
            }
        }
        Ok(library)
    }

    /// Modules that are implemented, not those that are only imported: `module` of a module-set or of modules-state, `schema` of RFC 6022.
    fn modules(&self, data: Element<'_>) -> Vec<Module> {
        let mut found = Vec::new();
        let text = |element: Element<'_>, name: &str| {
            let child = element.children().find(|child| child.name() == name);
            child.map(|child| child.text().trim_ascii().to_owned()).unwrap_or_default()
        };
        for top in data.children() {
            match (top.namespace(), top.name()) {
                (LIBRARY, "yang-library") => {
                    let sets = top.children().filter(|child| child.name() == "module-set");
                    let modules = sets.flat_map(|set| set.children().filter(|child| child.name() == "module"));
                    found.extend(modules.map(|module| self.module(&text(module, "name"), &text(module, "revision"))));
                }
                (LIBRARY, "modules-state") => {
                    let modules = top.children().filter(|child| child.name() == "module");
                    let implemented = modules.filter(|module| text(*module, "conformance-type") != "import");
                    found.extend(
                        implemented.map(|module| self.module(&text(module, "name"), &text(module, "revision"))),
                    );
                }
                (MONITORING, "netconf-state") => {
                    let lists = top.children().filter(|child| child.name() == "schemas");
                    let schemas = lists.flat_map(|list| list.children().filter(|child| child.name() == "schema"));
                    found.extend(schemas.map(|one| self.module(&text(one, "identifier"), &text(one, "version"))));
                }
                _ => {}
            }
        }
        found
    }

    fn module(&self, name: &str, revision: &str) -> Module {
        Module { name: name.to_owned(), revision: revision.to_owned(), managed: self.understood.contains(name) }
    }
}

impl Library {
    pub(super) fn has(&self, module: &str) -> bool {
        self.modules.iter().any(|have| have.name == module)
    }

    /// The kind whose module it has.
    pub(super) fn kind(&self) -> Kind {
        let kinds = [Kind::QkdModule, Kind::RelayPoint, Kind::OpticalSwitch, Kind::KeyManager, Kind::Controller];
        let own = |kind: &Kind| {
            kind.container().and_then(|container| container.split_once(':')).is_some_and(|(module, _)| self.has(module))
        };
        kinds.into_iter().find(own).unwrap_or_default()
    }
}
