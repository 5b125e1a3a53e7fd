//! The northbound server as its clients see it: trees in, trees out, over a store in memory and devices that keep what they are told.

pub(crate) mod double;
pub(crate) mod sample;

use netconf::error::ErrorTag;
use netconf::xml::{Document, Limits};
use netconf::yang::edit;
use netconf::yang::ffi::data::Kind as Message;
use netconf::yang::json;
use netconf::yang::tree::Origin;
use netconf::yang::validate::Validator;
use netconf::yang::write::{WriteOptions, write};
use netconf::yang::{Content, Inner, NodeId, NodeKind};

use self::double::{Field, Memory};
use super::*;
use crate::input::{Answer as Answered, PurgeFilter, RootCause};
use crate::input::{Notification, Request};
use crate::model::{ConnectionState, Kind, Secret, Severity};
use crate::record::{AlarmKey, Record};

struct North {
    provider: Northbound<Memory, Field>,
    store: Arc<Memory>,
    field: Field,
    schema: Arc<Schema>,
    running: Tree,
    directory: tempfile::TempDir,
}

impl North {
    fn new(store: Memory) -> North {
        let (store, field, schema) = (Arc::new(store), Field::new(), northbound_schema().unwrap());
        let directory = tempfile::tempdir().unwrap();
        load_key(&directory.path().join("qlm"));
        let provider =
            Northbound::new(store.clone(), field.clone(), schema.clone(), field.schema(), directory.path()).unwrap();
        let running = Tree::initial(schema.clone());
        North { provider, store, field, schema, running, directory }
    }

    fn config(&self, devices: &str) -> Tree {
        let read = json::read(&self.schema, &format!("{{\"qkdn-manager:devices\": {devices}}}")).unwrap();
        Tree::initial(self.schema.clone()).merged(&read)
    }

    /// What a commit does.
    async fn commit(&mut self, new: Tree) -> Result<(), RpcError> {
        let new = Validator::new(self.schema.clone()).validate_all(&new).map_err(|mut errors| errors.remove(0))?;
        self.provider.validate(&new)?;
        self.provider.apply(&self.running, &new, &[]).await?;
        self.running = new;
        Ok(())
    }

    /// A get with a subtree filter: the tree that the server merges, and what the client sees.
    async fn get(&self, filter: &str) -> (Tree, String) {
        let text = format!("<filter>{filter}</filter>");
        let document = Document::parse(&text, &Limits::default()).unwrap();
        let selection = match filter {
            "" => Selection::all(),
            _ => Selection::from_subtree(&self.schema, document.root()).unwrap(),
        };
        let tree = self.running.merged(&self.provider.state(&selection).await.unwrap());
        let mut out = Vec::new();
        write(&tree, &selection, None, WriteOptions::default(), &mut out);
        (tree, String::from_utf8(out).unwrap())
    }

    /// An RPC or action by its XML; its reply as JSON.
    async fn call(&self, xml: &str) -> Result<String, RpcError> {
        let document = Document::parse(xml, &Limits::default()).unwrap();
        let input = edit::read_operation(&self.schema, document.root()).unwrap();
        let mut validator = Validator::new(self.schema.clone());
        validator.validate_operation(&input, Message::Rpc, &self.running).unwrap();
        let node = operation_of(&self.schema, input.root()).unwrap();
        let who = Requester { user: "ann".into(), session_id: 7, annotations: Vec::new() };
        let reply = self.provider.call(Operation { node, input }, &who).await?;
        if let Some(reply) = &reply {
            validator.validate_operation(reply, Message::Reply, &self.running).unwrap();
        }
        Ok(reply.map(|reply| json::write(&reply)).unwrap_or_default())
    }
}

fn load_key(path: &Path) {
    netconf::transport::ssh::load_or_generate_host_key(path).unwrap();
}

fn operation_of(schema: &Schema, inner: &Inner) -> Option<NodeId> {
    inner.iter().find_map(|child| match (schema.node(child.node).kind, &child.content) {
        (NodeKind::Rpc | NodeKind::Action, _) => Some(child.node),
        (_, Content::Container(inner)) => operation_of(schema, inner),
        (_, Content::List(list)) => list.iter().find_map(|(_, entry)| operation_of(schema, entry)),
        _ => None,
    })
}

const TWO: &str = r#"{
  "credential": [{"name": "qlm", "user": "qlm", "private-key-file": "qlm"}],
  "device": [
    {"name": "l1-tx", "kind": "qkd-module", "device-id": "urn:qkdn:test:module:l1-tx",
     "connection": {"address": "127.0.0.1", "port": 8301, "credential": "qlm", "timeout": 3},
     "qkd-module": {"thresholds": {"qber": {"warning": "5.0", "critical": "9.0"}}, "quantum-channel": [{"name": "main"}]}},
    {"name": "l1-rx", "kind": "qkd-module", "managed": false,
     "qkd-module": {"sampling-interval": 5}}
  ]}"#;

fn changed(from: &str, to: &str) -> String {
    assert!(TWO.contains(from), "{from}");
    TWO.replace(from, to)
}

#[tokio::test]
async fn all_that_is_known_is_valid_data_of_the_model() {
    let mut north = North::new(sample::store());
    north.commit(north.config(TWO)).await.unwrap();
    let (tree, seen) = north.get("").await;
    Validator::validate_data(&north.schema, &tree).unwrap();
    for expected in [
        "<connection-state>operational</connection-state>",
        "<found-id>urn:qkdn:test:module:l1-tx</found-id>",
        "<presence>both</presence>",
        "<kind>dangling-link</kind>",
        "<current-15-minutes>",
        "<interval-15-minutes><start-time>2026-11-22T10:15:00",
        "<run-id>run-1</run-id>",
        "<actor>qlm</actor>",
        "<network-id>urn:qkdn:network:quantum</network-id>",
        "<source-tp>urn:tp:1</source-tp>",
        "<number-of-alarms>2</number-of-alarms>",
        "qkdn-manager:network/qkdn-manager:resource[qkdn-manager:resource-id='urn:qkdn:test:link:l1']",
        "<perceived-severity>cleared</perceived-severity>",
        "<name>xlmo</name>",
        "<agent-kind xmlns:qkdn-types=\"urn:qkdn:yang:qkdn-types\">qkdn-types:qkdn-manager</agent-kind>",
    ] {
        assert!(seen.contains(expected), "{expected} is not in {seen}");
    }
    // A device that is not configured any more, and an alarm of a type that nobody knows, take nobody else with them.
    assert!(!seen.contains("forgotten") && !seen.contains("no-such-type"), "{seen}");
    let value = |path: &str| tree.value(path).map(|value| value.to_string());
    assert_eq!(value("/ietf-alarms:alarms/summary/alarm-summary[severity='major']/not-cleared").as_deref(), Some("2"));
    let link = "/ietf-network:networks/network[network-id='urn:qkdn:network:quantum']/ietf-network-topology:link[link-id='urn:l1']";
    assert_eq!(value(&format!("{link}/qkdn-manager:qkdn/qber")).as_deref(), Some("2.125"));
    let inventory = tree.get("/ietf-alarms:alarms/alarm-inventory/alarm-type");
    let Some(Content::List(types)) = inventory else { panic!("{inventory:?}") };
    assert!(types.len() > 40, "{}", types.len());
}

/// RFC 8342 section 5.3.4: what devices told of the topology is learned, all else that nobody configured is the system's.
#[tokio::test]
async fn networks_are_learned_and_configuration_is_intended() {
    let mut north = North::new(sample::store());
    north.commit(north.config(TWO)).await.unwrap();
    let state = north.provider.state(&Selection::all()).await.unwrap();
    let tree = north.running.merged_as(&state, Origin::System);
    let mut out = Vec::new();
    let options = WriteOptions { with_origin: true, ..WriteOptions::default() };
    write(&tree, &Selection::all(), None, options, &mut out);
    let text = String::from_utf8(out).unwrap();
    let origin_of = |top: &str| {
        let tag = text
            .split_once(&format!("<{top} "))
            .and_then(|(_, rest)| rest.split_once('>'))
            .unwrap_or_else(|| panic!("{top}"))
            .0;
        tag.split_once(" or:origin=\"or:").map(|(_, origin)| origin.trim_end_matches('"').to_owned())
    };
    assert_eq!(origin_of("networks").as_deref(), Some("learned"));
    assert_eq!(origin_of("devices").as_deref(), Some("intended"));
    // Nothing inside the networks is of another origin than they are.
    let networks = text.split_once("<networks ").and_then(|(_, rest)| rest.split_once("</networks>")).unwrap().0;
    assert_eq!(networks.matches("or:origin").count(), 1, "{networks}");
}

#[tokio::test]
async fn a_get_reads_what_its_filter_reaches_and_nothing_else() {
    let mut north = North::new(sample::store());
    north.commit(north.config(TWO)).await.unwrap();
    let ours = "xmlns=\"urn:qkdn:yang:qkdn-manager\"";
    let rows = [
        (format!("<devices {ours}><device><name>l1-tx</name><state/></device></devices>"), vec!["devices l1-tx"]),
        (format!("<devices {ours}><credential/></devices>"), vec![]),
        (format!("<network {ours}><inconsistency/></network>"), vec!["inconsistencies *"]),
        (
            format!("<network {ours}><performance><information><current/></information></performance></network>"),
            vec!["performance *"],
        ),
        (
            format!("<procedures {ours}><run><run-id>run-1</run-id><step/></run></procedures>"),
            vec!["runs run-1", "steps run-1"],
        ),
        (format!("<procedures {ours}><run><state/></run></procedures>"), vec!["runs *"]),
        (
            "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list/></alarms>".to_owned(),
            vec!["alarms *"],
        ),
        ("<networks xmlns=\"urn:ietf:params:xml:ns:yang:ietf-network\"/>".to_owned(), vec!["networks *"]),
    ];
    for (filter, expected) in rows {
        north.store.looked_at();
        north.get(&filter).await;
        assert_eq!(north.store.looked_at(), expected, "{filter}");
    }
}

#[tokio::test]
async fn configured_devices_become_plans() {
    let mut north = North::new(Memory::default());
    north.commit(north.config(TWO)).await.unwrap();
    let plans = north.field.plans.lock().unwrap().clone();
    let [rx, tx] = plans.as_slice() else { panic!("{plans:?}") };
    assert_eq!((tx.kind, tx.managed, tx.address.as_deref(), tx.port), (Kind::QkdModule, true, Some("127.0.0.1"), 8301));
    assert_eq!(tx.timeout.as_secs(), 3);
    let credential = tx.credential.as_ref().unwrap();
    assert!(credential.user == "qlm");
    assert!(credential.secret == Secret::PrivateKeyFile(north.directory.path().join("qlm")));
    assert_eq!((rx.managed, rx.port, rx.address.as_deref(), rx.timeout.as_secs()), (false, 830, None, 10));
    assert!(
        north.field.told.lock().unwrap().iter().any(|input| matches!(input, Input::Devices(all) if all.len() == 2))
    );
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_its_place_and_a_way_out() {
    let north = North::new(Memory::default());
    let key = "\"private-key-file\": \"qlm\"";
    std::fs::write(north.directory.path().join("garbage"), "no key").unwrap();
    let rows = [
        (changed(key, "\"private-key-file\": \"lost\""), "private-key-file", "no such file"),
        (changed(key, "\"private-key-file\": \"garbage\""), "private-key-file", "garbage"),
        (changed(key, "\"password\": \"hunter2\""), "password", "use private-key-file"),
        (changed(&format!(", {key}"), ""), "credential", "set private-key-file"),
        (changed("\"port\": 8301,", "\"transport\": \"call-home\","), "transport", "not supported yet"),
        (changed("\"port\": 8301,", "\"transport\": \"tls\","), "transport", "not supported yet"),
        (changed("\"credential\": \"qlm\", \"timeout\"", "\"timeout\""), "connection", "no credential"),
    ];
    for (devices, place, reason) in rows {
        let error = north.provider.validate(&north.config(&devices)).unwrap_err();
        let (path, message) = (error.path.as_ref().unwrap().text.clone(), error.message.clone().unwrap());
        assert_eq!(error.tag, ErrorTag::InvalidValue);
        assert!(path.contains(place) && message.contains(reason), "{path}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let mut north = north;
    north.commit(north.config(TWO)).await.unwrap();
    // What is in effect already is not asked again.
    std::fs::remove_file(north.directory.path().join("qlm")).unwrap();
    north.commit(north.config(&changed("\"timeout\": 3", "\"timeout\": 4"))).await.unwrap();
    let text = r#"{"ietf-alarms:alarms": {"control": {"max-alarm-status-changes": "infinite"}}}"#;
    let control = json::read(&north.schema, text).unwrap();
    assert!(north.provider.validate(&north.running.merged(&control)).unwrap_err().to_string().contains("At most 32"));
}

#[tokio::test]
async fn a_devices_configuration_is_pushed_and_what_goes_is_removed() {
    let mut north = North::new(Memory::default());
    north.field.connect("l1-tx");
    north.commit(north.config(TWO)).await.unwrap();
    let have = north.field.configured("l1-tx");
    assert!(have.starts_with("<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\">"), "{have}");
    assert!(have.contains("<warning>5.0</warning>") && have.contains("<name>main</name>"), "{have}");
    let text = "l1-rx Pending It is told when there is a session.";
    assert_eq!(north.field.statuses(), ["l1-tx InSync", text]);
    let less = changed("\"warning\": \"5.0\", ", "").replace(", \"quantum-channel\": [{\"name\": \"main\"}]", "");
    north.commit(north.config(&less)).await.unwrap();
    let have = north.field.configured("l1-tx");
    assert!(!have.contains("warning") && !have.contains("main") && have.contains("<critical>9.0</critical>"), "{have}");
    assert_eq!(north.field.statuses(), ["l1-tx InSync"]);
}

#[tokio::test]
async fn a_device_that_refuses_keeps_the_others_as_they_were() {
    let mut north = North::new(Memory::default());
    north.field.connect("l1-tx");
    north.field.connect("l1-rx");
    north.commit(north.config(TWO)).await.unwrap();
    let before = [north.field.configured("l1-tx"), north.field.configured("l1-rx")];
    *north.field.stubborn.lock().unwrap() = Some("l1-rx".to_owned());
    let new = changed("\"warning\": \"5.0\"", "\"major\": \"6.0\"").replace("interval\": 5", "interval\": 6");
    let error = north.commit(north.config(&new)).await.unwrap_err();
    assert_eq!(error.tag, ErrorTag::InUse);
    let message = error.message.clone().unwrap();
    assert!(message.contains("\"l1-rx\"") && message.contains("The laser is hot."), "{message}");
    let path =
        bridge::instance_path(&north.schema, "/qkdn-manager:devices/device[name='l1-rx']/qkd-module/sampling-interval");
    assert_eq!(error.path.as_ref().unwrap().text, path.unwrap().to_error_path(&north.schema).text);
    assert_eq!([north.field.configured("l1-tx"), north.field.configured("l1-rx")], before);
    assert_eq!(north.field.plans.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_device_is_told_once_it_is_there_and_compared_later() {
    let mut store = Memory::default();
    store.devices.push(sample::device("l1-tx"));
    let mut north = North::new(store);
    north.commit(north.config(TWO)).await.unwrap();
    north.field.statuses();
    north.field.connect("l1-tx");
    north.provider.0.reconcile("l1-tx").await;
    assert_eq!(north.field.statuses(), ["l1-tx InSync"]);
    assert!(north.field.configured("l1-tx").contains("<warning>5.0</warning>"));
    // Somebody else writes to the device.
    let other = r#"{"qkdn-mq:qkd-module": {"thresholds": {"qber": {"warning": "4.0"}}}}"#;
    let other = json::read(&north.field.schema(), other).unwrap();
    let tree = north.field.devices.lock().unwrap()["l1-tx"].merged(&other);
    north.field.devices.lock().unwrap().insert("l1-tx".to_owned(), tree);
    let check =
        "<check-synchronization xmlns=\"urn:qkdn:yang:qkdn-manager\"><device>l1-tx</device></check-synchronization>";
    let reply = north.call(check).await.unwrap();
    assert!(reply.contains("\"drift\"") && reply.contains("thresholds/qber/warning is 4.0, not 5.0"), "{reply}");
    let unknown = north.call(&check.replace("l1-tx", "l9")).await.unwrap_err();
    assert_eq!(unknown.tag, ErrorTag::DataMissing);
}

#[tokio::test]
async fn a_device_of_which_nothing_is_wanted_has_what_is_wanted() {
    let mut store = Memory::default();
    store.devices.push(sample::device("l1-tx"));
    let mut north = North::new(store);
    let unowned = TWO.replace(", \"quantum-channel\": [{\"name\": \"main\"}]}}", "}").replace(
        "\"qkd-module\": {\"thresholds\": {\"qber\": {\"warning\": \"5.0\", \"critical\": \"9.0\"}}",
        "\"managed\": true",
    );
    assert!(!unowned.contains("thresholds"), "{unowned}");
    north.commit(north.config(&unowned)).await.unwrap();
    north.field.statuses();
    north.field.connect("l1-tx");
    north.provider.0.reconcile("l1-tx").await;
    assert_eq!(north.field.statuses(), ["l1-tx InSync"]);
    let check =
        "<check-synchronization xmlns=\"urn:qkdn:yang:qkdn-manager\"><device>l1-tx</device></check-synchronization>";
    let reply = north.call(check).await.unwrap();
    assert!(reply.contains("\"in-sync\"") && reply.contains("nothing is wanted"), "{reply}");
    // Owned, and let go again: what somebody else made of it is no drift any more.
    north.commit(north.config(TWO)).await.unwrap();
    north.field.statuses();
    north.commit(north.config(&unowned)).await.unwrap();
    assert_eq!(north.field.statuses(), ["l1-tx InSync"]);
    // Of a kind that is not known nothing can be wanted.
    north.commit(north.config(&unowned.replacen("\"kind\": \"qkd-module\", ", "", 1))).await.unwrap();
    north.field.statuses();
    north.provider.0.reconcile("l1-tx").await;
    assert_eq!(north.field.statuses(), [""; 0]);
}

fn alarm_action(action: &str) -> String {
    format!("<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list>{action}</alarm-list></alarms>")
}

#[tokio::test]
async fn an_operator_acts_on_alarms() {
    let north = North::new(Memory::default());
    *north.field.answer.lock().unwrap() = Some(Ok(Answered::Done));
    let ack = alarm_action(
        "<alarm><resource xmlns:m=\"urn:qkdn:yang:qkdn-manager\">/m:network/m:resource[m:resource-id='urn:l1']</resource>\
         <alarm-type-id xmlns:q=\"urn:qkdn:yang:qkdn-alarms\">q:qber-abort</alarm-type-id><alarm-type-qualifier/>\
         <set-operator-state><state>ack</state><text>seen</text></set-operator-state></alarm>",
    );
    assert_eq!(north.call(&ack).await.unwrap(), "");
    *north.field.answer.lock().unwrap() = Some(Ok(Answered::Count(3)));
    let purge = alarm_action(
        "<purge-alarms><alarm-clearance-status>cleared</alarm-clearance-status><older-than><hours>2</hours></older-than>\
         <severity><below>major</below></severity><operator-state-filter><state>closed</state></operator-state-filter></purge-alarms>",
    );
    let reply = north.call(&purge).await.unwrap();
    assert!(reply.contains("\"purged-alarms\":3"), "{reply}");
    let compress = alarm_action("<compress-alarms><resource>urn:l1</resource></compress-alarms>");
    assert!(north.call(&compress).await.unwrap().contains("\"compressed-alarms\":3"));
    let key = AlarmKey {
        resource: "urn:l1".to_owned(),
        alarm_type_id: "qkdn-alarms:qber-abort".to_owned(),
        alarm_type_qualifier: String::new(),
    };
    let filter = PurgeFilter {
        clearance: "cleared".to_owned(),
        older_than_seconds: Some(7_200),
        severity: Some(("below".to_owned(), Severity::Major)),
        operator_state: Some(("closed".to_owned(), None)),
    };
    let asked = north.field.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [
            Request::SetOperatorState {
                alarm: key,
                state: "ack".to_owned(),
                text: Some("seen".to_owned()),
                operator: "ann".to_owned()
            },
            Request::PurgeAlarms(filter),
            Request::CompressAlarms {
                resource: Some("urn:l1".to_owned()),
                alarm_type_id: None,
                alarm_type_qualifier: None
            },
        ]
    );
    let cause = RootCause {
        root_alarm_id: Some("1".to_owned()),
        confidence: Some(87.5),
        related: vec![("2".to_owned(), Some("1".to_owned()))],
        ..RootCause::default()
    };
    *north.field.answer.lock().unwrap() = Some(Ok(Answered::RootCause(cause)));
    let root = "<get-root-cause xmlns=\"urn:qkdn:yang:qkdn-manager\"><alarm-id>2</alarm-id></get-root-cause>";
    let reply = north.call(root).await.unwrap();
    assert!(reply.contains("\"parent-alarm-id\":\"1\"") && reply.contains("87.5"), "{reply}");
}

#[tokio::test]
async fn an_operation_is_passed_through_and_on_record_without_its_content() {
    let north = North::new(Memory::default());
    north.field.connect("l1-tx");
    let pass = |device: &str, operation: &str| {
        format!(
            "<execute-operation xmlns=\"urn:qkdn:yang:qkdn-manager\"><device>{device}</device>\
             <operation>{operation}</operation></execute-operation>"
        )
    };
    let edit = "<edit-config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><target><running/></target><config>\
                <qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><description>precious</description></qkd-module></config></edit-config>";
    let reply = north.call(&pass("l1-tx", edit)).await.unwrap();
    assert!(reply.contains("<ok"), "{reply}");
    assert!(north.field.configured("l1-tx").contains("precious"));
    let refused = north.call(&pass("l1-tx", "<reboot xmlns=\"urn:x\"/>")).await.unwrap_err();
    assert_eq!(refused.tag, ErrorTag::OperationNotSupported);
    assert!(refused.message.as_deref().unwrap().contains("No <reboot>."));
    assert_eq!(north.call(&pass("l9", "<reboot xmlns=\"urn:x\"/>")).await.unwrap_err().tag, ErrorTag::ResourceDenied);
    assert_eq!(
        north.call(&pass("l1-tx", "<a xmlns=\"urn:x\"/><b xmlns=\"urn:x\"/>")).await.unwrap_err().tag,
        ErrorTag::InvalidValue
    );
    let kept = north.field.kept.lock().unwrap();
    let lines: Vec<String> = kept
        .iter()
        .map(|record| match record {
            Record::Audit(audit) => {
                format!("{} {} {} {}", audit.user, audit.operation, audit.device.as_deref().unwrap(), audit.result)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let name = "ann qkdn-manager:execute-operation";
    let expected = [
        format!("{name} edit-config l1-tx ok"),
        format!("{name} reboot l1-tx operation-not-supported"),
        format!("{name} reboot l9 resource-denied"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn every_notification_fits_its_model_and_is_numbered() {
    let schema = northbound_schema().unwrap();
    let empty = Tree::initial(schema.clone());
    let now = sample::time(0);
    let store = sample::store();
    let (run, steps) = store.runs[0].clone();
    let told = [
        (Notification::Alarm(store.alarms[0].clone()), "alarm-notification", true),
        (Notification::Alarm(store.alarms[1].clone()), "\"perceived-severity\":\"cleared\"", true),
        (Notification::OperatorAction(store.alarms[1].clone()), "operator-action", false),
        (
            Notification::DeviceState {
                device: "l1-tx".to_owned(),
                old: ConnectionState::Connecting,
                new: ConnectionState::Failed,
                reason: Some("wrong host key".to_owned()),
            },
            "\"action-required\":true,\"layer\":\"key-management\",\"reference-point\":\"mk\"",
            true,
        ),
        (Notification::ProcedureStep(steps[0].clone()), "procedure-step", true),
        (Notification::ProcedureEnded(run), "procedure-ended", true),
        (
            Notification::TopologyChanged {
                version: 4,
                added: vec!["urn:a".to_owned()],
                removed: Vec::new(),
                changed: vec!["urn:b".to_owned()],
            },
            "topology-changed",
            true,
        ),
    ];
    for (notification, expected, numbered) in told {
        let tree = notification::tree(&schema, &notification, |_| Kind::KeyManager, 17, now).unwrap().unwrap();
        let text = json::write(&tree);
        let valid = Validator::new(schema.clone()).validate_operation(&tree, Message::Notification, &empty);
        // A notification inside the data tree is checked in its place, which an empty datastore does not have.
        assert!(valid.is_ok() || !numbered, "{valid:?}: {text}");
        assert!(text.contains(expected), "{expected} is not in {text}");
        assert_eq!(text.contains("\"sequence-number\":\"17\""), numbered, "{text}");
    }
}

#[tokio::test]
async fn subscribers_are_told_what_the_alarm_control_lets_pass() {
    use netconf::server::provider::Event;
    let mut north = North::new(Memory::default());
    let text = r#"{"ietf-alarms:alarms": {"control": {"notify-status-changes": "raise-and-clear"}}}"#;
    let control = json::read(&north.schema, text).unwrap();
    north.commit(Tree::initial(north.schema.clone()).merged(&control)).await.unwrap();
    let (events, mut heard) = EventSender::channel();
    north.provider.start(events);
    let (sender, receiver) = mpsc::channel(8);
    let sequence = Sequence::open(&north.directory.path().join("sequence")).unwrap();
    let store = sample::store();
    // Raised, then major after minor, then cleared.
    let (mut raised, worse, cleared) = (store.alarms[0].clone(), store.alarms[0].clone(), store.alarms[1].clone());
    raised.status_change.remove(0);
    raised.perceived_severity = Severity::Minor;
    for alarm in [raised, worse, cleared] {
        sender.send(Notification::Alarm(alarm)).await.unwrap();
    }
    drop(sender);
    north.provider.tell(receiver, sequence).await;
    let mut texts = Vec::new();
    while let Some(Event::Notification(tree)) = heard.try_recv() {
        texts.push(json::write(&tree));
    }
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("\"minor\"") && texts[1].contains("\"cleared\""), "{texts:?}");
    assert!(texts[1].contains("\"sequence-number\":\"2\""), "{texts:?}");
}
