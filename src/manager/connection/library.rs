//! Which modules a device implements, and which of them the manager understands.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use netconf::client::{Error, Session};
use netconf::yang::Schema;

use super::lock;
use crate::model::Kind;
use crate::record::Module;

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
        let content_id = session.content_id().map(str::to_owned);
        if let Some(id) = &content_id
            && let Some(known) = lock(&self.met).iter().find(|known| known.content_id.as_ref() == Some(id))
        {
            return Ok(known.clone());
        }
        let listed = session.library().await?;
        let implemented = listed.modules.iter().filter(|module| module.implemented || !listed.tells_implemented);
        let modules =
            implemented.map(|module| self.module(&module.name, module.revision.as_deref().unwrap_or_default()));
        let library = Library { content_id, modules: Arc::new(modules.collect()) };
        if library.content_id.is_some() {
            let mut met = lock(&self.met);
            met.push_back(library.clone());
            if met.len() > SETS {
                met.pop_front();
            }
        }
        Ok(library)
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
