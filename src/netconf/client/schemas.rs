//! The schemas of foreign devices: made of the modules that a device has, from its own texts, and kept for the next session.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::{Error, Library, LibraryModule, Session};
use crate::error::RpcError;
use crate::xml::Element;
use crate::yang::edit::read_known_data;
use crate::yang::{Schema, Tree};

mod compile;
mod texts;

/// Schema sets that are kept, each of some MiB. The one that was not asked for the longest goes first, and is made again when
/// it is.
pub const KEPT: usize = 32;

/// Devices whose content-id is remembered, so that the next session does not ask for the library: small entries, of which
/// the oldest goes first.
const DEVICES: usize = 8192;

/// The modules of one server, compiled.
#[derive(Debug)]
pub struct SchemaSet {
    pub library: Library,
    pub schema: Arc<Schema>,
    /// Modules of which there is no text, or that cannot be compiled. Data of theirs is XML and no more.
    pub left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    pub module: String,
    pub reason: String,
}

/// Data of a server, read as far as its schema goes.
#[derive(Debug)]
pub struct ReadData {
    pub tree: Tree,
    /// Elements at the top that no compiled module has, as XML that stands alone.
    pub raw: Vec<String>,
    /// All that is not in the tree, and why.
    pub errors: Vec<RpcError>,
}

impl SchemaSet {
    /// Reads the children of `data`, such as that of a get's reply.
    pub fn read(&self, data: Element<'_>) -> ReadData {
        let (tree, errors) = read_known_data(&self.schema, data);
        let known = |element: Element<'_>| {
            let module = self.schema.module_by_namespace(element.namespace());
            module.is_some_and(|id| self.schema.module(id).implemented)
        };
        let raw = data.children().filter(|child| !known(*child)).map(|child| {
            let mut out = Vec::new();
            child.write(&mut out);
            String::from_utf8(out).expect("written from strings")
        });
        ReadData { tree, raw: raw.collect(), errors }
    }
}

/// The schema sets of many devices. Devices whose libraries are alike share one set, made from the texts of the first: devices
/// that do not trust each other are for several of these.
#[derive(Debug, Default)]
pub struct SchemaSets {
    directory: Option<PathBuf>,
    sets: Mutex<VecDeque<(String, Slot)>>,
    /// The device and its content-id, and the fingerprint of its library.
    known: Mutex<VecDeque<(String, String, String)>>,
}

/// Filled once, by the first of those who ask at the same time.
type Slot = Arc<OnceCell<Arc<SchemaSet>>>;

impl SchemaSets {
    /// Keeps sets in memory alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the texts in a directory as well, in one of its own for each library, so that they outlive the program. Nothing
    /// is removed there.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        SchemaSets { directory: Some(directory.into()), ..Self::default() }
    }

    /// The schemas of the server of this session, which is that of `device`, a name by which it is known again. A content-id that was seen at
    /// this device is enough to know the set; otherwise the library is asked for, and what is not known of it.
    pub async fn of(&self, session: &Session, device: &str) -> Result<Arc<SchemaSet>, Error> {
        let content_id = session.content_id();
        if let Some(set) = content_id.and_then(|id| self.remembered(device, id)) {
            return Ok(set);
        }
        let library = session.library().await?;
        let key = library.fingerprint();
        let slot = self.slot(&key);
        let directory = self.directory.as_ref().map(|directory| directory.join(&key));
        let set = slot.get_or_try_init(|| make(session, library, directory)).await?;
        if let Some(content_id) = content_id {
            let mut known = lock(&self.known);
            known.retain(|(known, ..)| known != device);
            known.push_back((device.to_owned(), content_id.to_owned(), key));
            if known.len() > DEVICES {
                known.pop_front();
            }
        }
        Ok(Arc::clone(set))
    }

    fn remembered(&self, device: &str, content_id: &str) -> Option<Arc<SchemaSet>> {
        let key = {
            let known = lock(&self.known);
            let found = known.iter().find(|(name, id, _)| name == device && id == content_id);
            found.map(|(_, _, key)| key.clone())?
        };
        let mut sets = lock(&self.sets);
        let at = sets.iter().position(|(known, _)| *known == key)?;
        let set = sets[at].1.get().cloned()?;
        let used = sets.remove(at).expect("found above");
        sets.push_back(used);
        Some(set)
    }

    fn slot(&self, key: &str) -> Slot {
        let mut sets = lock(&self.sets);
        let slot = match sets.iter().position(|(known, _)| known == key) {
            Some(at) => sets.remove(at).expect("found above").1,
            None => Slot::default(),
        };
        sets.push_back((key.to_owned(), Arc::clone(&slot)));
        if sets.len() > KEPT {
            sets.pop_front();
        }
        slot
    }
}

async fn make(session: &Session, library: Library, directory: Option<PathBuf>) -> Result<Arc<SchemaSet>, Error> {
    let (texts, mut left_out) = texts::gather(session, &library, directory).await?;
    let mut implemented: Vec<LibraryModule> =
        library.modules.iter().filter(|module| module.implemented).cloned().collect();
    implemented.retain(|module| texts.iter().any(|text| text.name == module.name));
    // Compiling takes as long as the modules are many: not where sessions wait.
    let compiled = tokio::task::spawn_blocking(move || compile::compile(&texts, &implemented)).await;
    let (schema, refused) =
        compiled.map_err(|error| Error::Protocol(format!("the modules were not compiled: {error}")))?;
    left_out.extend(refused);
    for LeftOut { module, reason } in &left_out {
        tracing::debug!(module, "left out of a device's schema: {reason}");
    }
    Ok(Arc::new(SchemaSet { library, schema, left_out }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
