//! Which modules a server has: yang-library in both forms (RFC 8525, RFC 7895), the list of schemas of RFC 6022, or its hello.

use sha2::{Digest, Sha256};

use super::{Error, Filter, Options, Session, data};
use crate::capability::{YANG_LIBRARY, YANG_LIBRARY_1_0};
use crate::xml::Element;

pub(super) const MONITORING_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";
const LIBRARY_NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-library";

/// The modules of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// Names the whole on this server, and on no other (RFC 8525 section 3).
    pub content_id: Option<String>,
    pub modules: Vec<LibraryModule>,
    /// False where the list is RFC 6022's, which does not tell what is implemented: [`LibraryModule::implemented`] is then what the
    /// hello names.
    pub tells_implemented: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LibraryModule {
    pub name: String,
    pub revision: Option<String>,
    /// False: others import from it.
    pub implemented: bool,
    pub namespace: String,
    pub features: Vec<String>,
    /// Names and revisions.
    pub submodules: Vec<(String, Option<String>)>,
}

impl Session {
    /// What the server's hello says of its library: the content-id.
    pub fn content_id(&self) -> Option<&str> {
        let capabilities = self.capabilities();
        let of_new = capabilities.parameter(YANG_LIBRARY, "content-id");
        of_new.or_else(|| capabilities.parameter(YANG_LIBRARY_1_0, "module-set-id"))
    }

    /// Asks the server for its modules. Where it refuses one source, the next is asked.
    pub async fn library(&self) -> Result<Library, Error> {
        let capabilities = self.capabilities();
        let sources = [
            (capabilities.has(YANG_LIBRARY), format!("<yang-library xmlns=\"{LIBRARY_NAMESPACE}\"/>")),
            (capabilities.has(YANG_LIBRARY_1_0), format!("<modules-state xmlns=\"{LIBRARY_NAMESPACE}\"/>")),
            (
                self.has_get_schema(),
                format!("<netconf-state xmlns=\"{MONITORING_NAMESPACE}\"><schemas/></netconf-state>"),
            ),
        ];
        let mut library = Library::default();
        for (_, source) in sources.into_iter().filter(|(offered, _)| *offered) {
            match self.get(&Options::from(Filter::Subtree(source))).await {
                Ok(reply) => library.read(data(&reply.document()?)?),
                Err(Error::Rpc(errors)) => tracing::debug!(?errors, "a source of modules is refused"),
                Err(error) => return Err(error),
            }
            if !library.modules.is_empty() {
                break;
            }
        }
        library.complete(self);
        Ok(library)
    }

    /// Whether `<get-schema>` (RFC 6022) is there.
    pub(super) fn has_get_schema(&self) -> bool {
        self.capabilities().iter().any(|uri| uri.starts_with(MONITORING_NAMESPACE))
    }
}

impl Library {
    fn read(&mut self, data: Element<'_>) {
        for top in data.children() {
            match (top.namespace(), top.name()) {
                (LIBRARY_NAMESPACE, "yang-library") => {
                    self.tells_implemented = true;
                    self.content_id = text(top, "content-id");
                    for set in named(top, "module-set") {
                        self.modules.extend(named(set, "module").map(|module| LibraryModule::read(module, true)));
                        let imported = named(set, "import-only-module");
                        self.modules.extend(imported.map(|module| LibraryModule::read(module, false)));
                    }
                }
                (LIBRARY_NAMESPACE, "modules-state") => {
                    self.tells_implemented = true;
                    self.content_id = text(top, "module-set-id");
                    self.modules.extend(named(top, "module").map(|module| {
                        LibraryModule::read(module, text(module, "conformance-type").as_deref() != Some("import"))
                    }));
                }
                (MONITORING_NAMESPACE, "netconf-state") => {
                    let schemas = named(top, "schemas").flat_map(|list| named(list, "schema"));
                    self.modules.extend(schemas.map(|schema| LibraryModule {
                        name: text(schema, "identifier").unwrap_or_default(),
                        revision: text(schema, "version"),
                        namespace: text(schema, "namespace").unwrap_or_default(),
                        ..LibraryModule::default()
                    }));
                }
                _ => {}
            }
        }
    }

    /// Adds what the hello says, where the rest does not say it.
    fn complete(&mut self, session: &Session) {
        let announced: Vec<_> = session.capabilities().modules().collect();
        if self.content_id.is_none() {
            self.content_id = session.content_id().map(str::to_owned);
        }
        if self.modules.iter().all(|module| !module.implemented) {
            if self.modules.is_empty() {
                self.tells_implemented = true;
                self.modules.extend(announced.iter().map(|module| LibraryModule {
                    name: module.name.to_owned(),
                    revision: module.revision.map(str::to_owned),
                    namespace: module.namespace.to_owned(),
                    ..LibraryModule::default()
                }));
            }
            // RFC 6022's list tells neither what is implemented nor with which features; a hello names what is implemented.
            for module in &mut self.modules {
                let found = announced.iter().find(|known| known.name == module.name);
                module.implemented = found.is_some() || announced.is_empty();
                if let Some(known) = found {
                    module.features = known.features.iter().map(|feature| (*feature).to_owned()).collect();
                }
            }
        }
        // In one order, whatever the server's; what several module sets have, once.
        for module in &mut self.modules {
            module.features.sort_unstable();
            module.submodules.sort_unstable();
        }
        self.modules.sort_unstable_by(|a, b| {
            (&a.name, &a.revision, !a.implemented).cmp(&(&b.name, &b.revision, !b.implemented))
        });
        self.modules.dedup_by(|second, first| (&first.name, &first.revision) == (&second.name, &second.revision));
    }

    /// What tells module sets apart, on whichever server: a hash of all that is listed.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(format!("{:?}", self.modules).as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl LibraryModule {
    fn read(module: Element<'_>, implemented: bool) -> LibraryModule {
        let features = named(module, "feature").map(|feature| feature.text().trim_ascii().to_owned());
        let submodule = |element| (text(element, "name").unwrap_or_default(), text(element, "revision"));
        LibraryModule {
            name: text(module, "name").unwrap_or_default(),
            revision: text(module, "revision"),
            implemented,
            namespace: text(module, "namespace").unwrap_or_default(),
            features: features.collect(),
            submodules: named(module, "submodule").map(submodule).collect(),
        }
    }
}

fn named<'d>(parent: Element<'d>, name: &'static str) -> impl Iterator<Item = Element<'d>> {
    parent.children().filter(move |child| child.name() == name)
}

/// None where it is empty: RFC 7895 has an empty revision for none.
fn text(parent: Element<'_>, name: &'static str) -> Option<String> {
    let text = named(parent, name).next()?.text().trim_ascii();
    (!text.is_empty()).then(|| text.to_owned())
}
