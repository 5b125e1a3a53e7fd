//! What a server tells of itself: RFC 6022's netconf-state, RFC 8525's yang-library, RFC 5277's streams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::core::{Lock, PartialLocks};
use super::nacm::Nacm;
use super::operation::nmda::Named;
use super::operation::parameters::Datastore;
use super::session::Entry;
use crate::yang::schema::{Module, Schema};
use crate::yang::serde::{SerdeError, to_tree, tree_at};
use crate::yang::tree::Tree;

/// RFC 6022's counters, of the server or of one session.
#[derive(Debug, Default)]
pub struct Counters {
    pub in_rpcs: AtomicU32,
    pub in_bad_rpcs: AtomicU32,
    pub out_rpc_errors: AtomicU32,
    pub out_notifications: AtomicU32,
}

impl Counters {
    /// zero-based-counter32: wraps as the type does.
    pub fn count(counter: &AtomicU32) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// RFC 6022 section 2.1.5, beside the sums of the sessions' counters.
#[derive(Debug, Default)]
pub struct Statistics {
    pub in_bad_hellos: AtomicU32,
    pub in_sessions: AtomicU32,
    pub dropped_sessions: AtomicU32,
    pub counters: Counters,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CounterLeafs {
    in_rpcs: u32,
    in_bad_rpcs: u32,
    out_rpc_errors: u32,
    out_notifications: u32,
}

impl From<&Counters> for CounterLeafs {
    fn from(counters: &Counters) -> Self {
        let get = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        CounterLeafs {
            in_rpcs: get(&counters.in_rpcs),
            in_bad_rpcs: get(&counters.in_bad_rpcs),
            out_rpc_errors: get(&counters.out_rpc_errors),
            out_notifications: get(&counters.out_notifications),
        }
    }
}

/// The part of netconf-state that changes.
pub struct Snapshot<'a> {
    pub sessions: Vec<Arc<Entry>>,
    pub locks: BTreeMap<Datastore, Lock>,
    pub partial_locks: PartialLocks,
    pub statistics: &'a Statistics,
    pub start_time: &'a str,
}

/// `/netconf-state` but for capabilities and schemas, which [`library`] has.
pub fn state(schema: &Arc<Schema>, snapshot: &Snapshot<'_>) -> Result<Tree, SerdeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct State<'s> {
        datastores: Datastores<'s>,
        sessions: Sessions<'s>,
        statistics: Totals<'s>,
    }
    #[derive(Serialize)]
    struct Datastores<'s> {
        datastore: Vec<Store<'s>>,
    }
    #[derive(Serialize)]
    struct Store<'s> {
        name: &'static str,
        locks: Option<Locks<'s>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Locks<'s> {
        #[serde(skip_serializing_if = "Option::is_none")]
        global_lock: Option<GlobalLock<'s>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        partial_lock: Vec<PartialLock<'s>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct PartialLock<'s> {
        lock_id: u32,
        locked_by_session: u32,
        locked_time: &'s str,
        /// What the expressions found: their own text has prefixes that nothing here declares.
        select: Vec<String>,
        locked_node: Vec<String>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct GlobalLock<'s> {
        locked_by_session: u32,
        locked_time: &'s str,
    }
    #[derive(Serialize)]
    struct Sessions<'s> {
        session: Vec<Session<'s>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Session<'s> {
        session_id: u32,
        transport: String,
        username: &'s str,
        source_host: String,
        login_time: &'s str,
        #[serde(flatten)]
        counters: CounterLeafs,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Totals<'s> {
        netconf_start_time: &'s str,
        in_bad_hellos: u32,
        in_sessions: u32,
        dropped_sessions: u32,
        #[serde(flatten)]
        counters: CounterLeafs,
    }
    let store = |datastore: Datastore| Store {
        name: datastore.as_str(),
        locks: match snapshot.locks.get(&datastore) {
            Some(lock) => Some(Locks {
                global_lock: Some(GlobalLock { locked_by_session: lock.session_id, locked_time: &lock.time }),
                partial_lock: Vec::new(),
            }),
            None if datastore == Datastore::Running && !snapshot.partial_locks.is_empty() => {
                let partial_lock = snapshot.partial_locks.iter().map(|(id, lock)| PartialLock {
                    lock_id: *id,
                    locked_by_session: lock.session_id,
                    locked_time: &lock.time,
                    select: lock.nodes.iter().map(|node| node.to_full_form(schema)).collect(),
                    locked_node: lock.nodes.iter().map(|node| node.to_json_form(schema)).collect(),
                });
                Some(Locks { global_lock: None, partial_lock: partial_lock.collect() })
            }
            None => None,
        },
    };
    let statistics = snapshot.statistics;
    let get = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    let state = State {
        datastores: Datastores { datastore: Datastore::ALL.map(store).into() },
        sessions: Sessions {
            session: snapshot
                .sessions
                .iter()
                .map(|entry| Session {
                    session_id: entry.id,
                    transport: format!("ietf-netconf-monitoring:{}", entry.peer.transport.as_str()),
                    username: &entry.peer.user,
                    source_host: entry.peer.address.ip().to_string(),
                    login_time: &entry.login_time,
                    counters: (&entry.counters).into(),
                })
                .collect(),
        },
        statistics: Totals {
            netconf_start_time: snapshot.start_time,
            in_bad_hellos: get(&statistics.in_bad_hellos),
            in_sessions: get(&statistics.in_sessions),
            dropped_sessions: get(&statistics.dropped_sessions),
            counters: (&statistics.counters).into(),
        },
    };
    tree_at(schema, "/ietf-netconf-monitoring:netconf-state", &state)
}

/// What never changes while a server runs: capabilities, schemas, yang-library and modules-state.
pub fn library(schema: &Arc<Schema>, capabilities: &[String]) -> Result<Tree, SerdeError> {
    let mut tree = netconf_state(schema, capabilities)?;
    tree = tree.merged(&yang_library(schema)?);
    tree = tree.merged(&modules_state(schema)?);
    Ok(tree)
}

fn netconf_state(schema: &Arc<Schema>, capabilities: &[String]) -> Result<Tree, SerdeError> {
    #[derive(Serialize)]
    struct State<'s> {
        capabilities: Capabilities<'s>,
        schemas: Schemas<'s>,
    }
    #[derive(Serialize)]
    struct Capabilities<'s> {
        capability: &'s [String],
    }
    #[derive(Serialize)]
    struct Schemas<'s> {
        schema: Vec<Text<'s>>,
    }
    #[derive(Serialize)]
    struct Text<'s> {
        identifier: &'s str,
        version: &'s str,
        format: &'static str,
        namespace: &'s str,
        location: [&'static str; 1],
    }
    let text = |name, version, namespace| Text {
        identifier: name,
        version,
        format: "ietf-netconf-monitoring:yang",
        namespace,
        location: ["NETCONF"],
    };
    let mut texts = Vec::new();
    for module in schema.modules() {
        texts.push(text(&*module.name, revision(&module.revision), &*module.namespace));
        for submodule in &module.submodules {
            texts.push(text(&submodule.name, revision(&submodule.revision), &module.namespace));
        }
    }
    let state = State { capabilities: Capabilities { capability: capabilities }, schemas: Schemas { schema: texts } };
    tree_at(schema, "/ietf-netconf-monitoring:netconf-state", &state)
}

fn revision(revision: &Option<String>) -> &str {
    revision.as_deref().unwrap_or_default()
}

/// Identifies the module set (RFC 8525 section 3): the same modules, revisions, features and deviations give the same.
pub fn content_id(schema: &Schema) -> String {
    let mut lines: Vec<String> = schema
        .modules()
        .iter()
        .map(|m| {
            let mut features = m.features.clone();
            features.sort();
            let mut deviations = m.deviated_by.clone();
            deviations.sort();
            format!("{}@{} {} {features:?} {deviations:?}\n", m.name, revision(&m.revision), m.implemented)
        })
        .collect();
    lines.sort();
    let digest = Sha256::digest(lines.concat());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn yang_library(schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Library<'s> {
        module_set: [ModuleSet<'s>; 1],
        schema: [SchemaEntry; 1],
        datastore: Vec<DatastoreEntry>,
        content_id: String,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct ModuleSet<'s> {
        name: &'static str,
        module: Vec<Implemented<'s>>,
        import_only_module: Vec<Imported<'s>>,
    }
    #[derive(Serialize)]
    struct Implemented<'s> {
        name: &'s str,
        revision: Option<&'s str>,
        namespace: &'s str,
        submodule: Vec<Part<'s>>,
        feature: &'s [String],
        deviation: &'s [String],
    }
    #[derive(Serialize)]
    struct Imported<'s> {
        name: &'s str,
        revision: &'s str,
        namespace: &'s str,
        submodule: Vec<Part<'s>>,
    }
    #[derive(Serialize)]
    struct Part<'s> {
        name: &'s str,
        revision: Option<&'s str>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct SchemaEntry {
        name: &'static str,
        module_set: [&'static str; 1],
    }
    #[derive(Serialize)]
    struct DatastoreEntry {
        name: &'static str,
        schema: &'static str,
    }
    fn parts(module: &Module) -> Vec<Part<'_>> {
        module.submodules.iter().map(|s| Part { name: &s.name, revision: s.revision.as_deref() }).collect()
    }
    let modules = schema.modules();
    let library = Library {
        module_set: [ModuleSet {
            name: "complete",
            module: modules
                .iter()
                .filter(|m| m.implemented)
                .map(|m| Implemented {
                    name: &m.name,
                    revision: m.revision.as_deref(),
                    namespace: &m.namespace,
                    submodule: parts(m),
                    feature: &m.features,
                    deviation: &m.deviated_by,
                })
                .collect(),
            import_only_module: modules
                .iter()
                .filter(|m| !m.implemented)
                .map(|m| Imported {
                    name: &m.name,
                    revision: revision(&m.revision),
                    namespace: &m.namespace,
                    submodule: parts(m),
                })
                .collect(),
        }],
        schema: [SchemaEntry { name: "complete", module_set: ["complete"] }],
        datastore: Named::ALL.map(|name| DatastoreEntry { name: name.identity(), schema: "complete" }).into(),
        content_id: content_id(schema),
    };
    tree_at(schema, "/ietf-yang-library:yang-library", &library)
}

/// The form of RFC 7895, which netopeer2-cli builds its module list from.
fn modules_state(schema: &Arc<Schema>) -> Result<Tree, SerdeError> {
    #[derive(Serialize)]
    struct Top<'s> {
        #[serde(rename = "ietf-yang-library:modules-state")]
        state: State<'s>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct State<'s> {
        module_set_id: String,
        module: Vec<Entry<'s>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Entry<'s> {
        name: &'s str,
        revision: &'s str,
        namespace: &'s str,
        feature: &'s [String],
        deviation: Vec<Part<'s>>,
        conformance_type: &'static str,
        submodule: Vec<Part<'s>>,
    }
    #[derive(Serialize)]
    struct Part<'s> {
        name: &'s str,
        revision: &'s str,
    }
    let revision_of =
        |name: &str| schema.modules().iter().find(|m| m.name == name).map_or("", |m| revision(&m.revision));
    let state = State {
        module_set_id: content_id(schema),
        module: schema
            .modules()
            .iter()
            .map(|m| Entry {
                name: &m.name,
                revision: revision(&m.revision),
                namespace: &m.namespace,
                feature: &m.features,
                deviation: m.deviated_by.iter().map(|d| Part { name: d, revision: revision_of(d) }).collect(),
                conformance_type: if m.implemented { "implement" } else { "import" },
                submodule: m
                    .submodules
                    .iter()
                    .map(|s| Part { name: &s.name, revision: revision(&s.revision) })
                    .collect(),
            })
            .collect(),
    };
    to_tree(schema, &Top { state })
}

/// The counters of RFC 8341's /nacm.
pub fn nacm(schema: &Arc<Schema>, nacm: &Nacm) -> Result<Tree, SerdeError> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Denied {
        denied_operations: u32,
        denied_data_writes: u32,
        denied_notifications: u32,
    }
    let counters = nacm.counters();
    let denied = Denied {
        denied_operations: counters.operations(),
        denied_data_writes: counters.data_writes(),
        denied_notifications: counters.notifications(),
    };
    tree_at(schema, "/ietf-netconf-acm:nacm", &denied)
}
