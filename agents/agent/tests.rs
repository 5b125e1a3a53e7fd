//! An agent as its server sees it: trees in, trees and events out, over a simulated module, with the time turned by tokio.

use std::path::PathBuf;
use std::time::Duration;

use netconf::error::ErrorTag;
use netconf::server::provider::{EventReceiver, EventSender};
use netconf::xml::{Document, Limits};
use netconf::yang::edit;
use netconf::yang::ffi::data::Kind;
use netconf::yang::validate::Validator;

use super::*;
use crate::physics::System;
use crate::qkd_module::model::Role;
use crate::qkd_module::{Parameters, SimulatedModule};
use crate::schema::agent_schema;

const MODULE: &str = "urn:qkdn:test:module:1";

/// 2026-11-22T00:07:00Z: inside a quarter of an hour.
const BEGIN: i64 = 1_795_305_600 + 420;

struct Life {
    agent: Agent<SimulatedModule>,
    events: EventReceiver,
    schema: Arc<Schema>,
    running: Tree,
    validator: Validator,
    clock: Clock,
}

fn schema() -> Arc<Schema> {
    agent_schema(Schema::builder(), &["qkdn-mq"], true).unwrap()
}

fn module(now: Timestamp) -> SimulatedModule {
    let parameters = Parameters {
        module_id: MODULE.to_owned(),
        link_id: "urn:qkdn:test:link:1".to_owned(),
        role: Role::Receiver,
        system: System::GYS,
        seed: 3,
        length_km: 20.0,
        extra_loss_db: 0.5,
    };
    SimulatedModule::new(parameters, now)
}

/// A clock that tokio's paused time drives.
fn turned_clock() -> Clock {
    let begin = tokio::time::Instant::now();
    Arc::new(move || Timestamp::from_second(BEGIN).unwrap() + begin.elapsed())
}

impl Life {
    async fn begin(directory: &Path, clock: Clock, running: Option<Tree>) -> Life {
        let schema = running.as_ref().map_or_else(schema, |tree| tree.schema().clone());
        let running = running.unwrap_or_else(|| Tree::initial(schema.clone()));
        let agent = Agent::open(module(clock()), schema.clone(), directory, clock.clone()).unwrap();
        let (sender, events) = EventSender::channel();
        agent.start(sender);
        agent.apply(&Tree::initial(schema.clone()), &running, &[]).await.unwrap();
        let validator = Validator::new(schema.clone());
        let life = Life { agent, events, schema, running, validator, clock };
        life.pass(1).await;
        life
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.settled().await;
    }

    /// The agent did all that was to be done by now.
    async fn settled(&self) {
        let reached = (self.clock)() - Duration::from_millis(1);
        loop {
            let current = self
                .agent
                .0
                .mind()
                .surveillance
                .performance
                .iter()
                .filter_map(|(_, s)| s.current())
                .map(|c| c.time)
                .max();
            let sampling = self.agent.0.mind().surveillance.rules().sampling;
            if current.is_some_and(|time| time + sampling > reached) {
                break;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_micros(10)).await;
        }
        // Whoever writes records has the lock; behind it, all is told.
        drop(self.agent.0.records.lock().await);
    }

    /// The notifications so far, as XML.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = self.events.try_recv() {
            if let Event::Notification(tree) = event {
                let valid = self.validator.validate_operation(&tree, Kind::Notification, &self.running);
                let xml = xml(&tree);
                assert!(valid.is_ok(), "{valid:?}: {xml}");
                told.push(xml);
            }
        }
        told
    }

    async fn call(&mut self, xml: &str) -> Result<Option<Tree>, RpcError> {
        let document = Document::parse(xml, &Limits::default()).unwrap();
        let input = edit::read_operation(&self.schema, document.root()).unwrap();
        self.validator.validate_operation(&input, Kind::Rpc, &self.running).unwrap();
        let node = operation_of(&self.schema, input.root()).unwrap();
        let who = Requester { user: "qlm".into(), session_id: 7, annotations: Vec::new() };
        let reply = self.agent.call(Operation { node, input }, &who).await;
        if let Ok(Some(tree)) = &reply {
            self.validator.validate_operation(tree, Kind::Reply, &self.running).unwrap();
        }
        reply
    }

    async fn fault(&mut self, kind: &str) -> String {
        let xml = format!("<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\">{kind}</inject-fault>");
        let reply = self.call(&xml).await.unwrap().unwrap();
        self.settled().await;
        reply.value("/qkdn-simulation:inject-fault/output/fault-id").unwrap().to_string()
    }

    async fn clear(&mut self) {
        let clear = "<clear-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><all/></clear-fault>";
        self.call(clear).await.unwrap();
    }

    async fn state(&self) -> Tree {
        self.agent.state(&Selection::all()).await.unwrap()
    }

    /// As the server does it: valid, then accepted, then applied.
    async fn configure(&mut self, xml: &str) -> Result<(), RpcError> {
        let config = format!("<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">{xml}</config>");
        let document = Document::parse(&config, &Limits::default()).unwrap();
        let (new, errors) = edit::edit(&self.running, document.root(), edit::Operation::Merge);
        assert_eq!(errors, []);
        let new = self.validator.validate(&self.running, &new).unwrap();
        let edits = netconf::yang::diff::diff(&self.running, &new);
        self.agent.validate(&new)?;
        self.agent.apply(&self.running, &new, &edits).await?;
        self.running = new;
        Ok(())
    }

    async fn module(&mut self, xml: &str) -> Result<(), RpcError> {
        self.configure(&format!("<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\">{xml}</qkd-module>")).await
    }

    /// What kill -9 leaves at this moment: the files as they are, copied to another place.
    fn remains(&self) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let to = place.path().join(DIRECTORY);
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(self.agent.0.directory.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        place
    }
}

fn operation_of(schema: &Schema, inner: &netconf::yang::Inner) -> Option<netconf::yang::NodeId> {
    use netconf::yang::{Content, NodeKind};
    inner.iter().find_map(|child| match (&schema.node(child.node).kind, &child.content) {
        (NodeKind::Rpc | NodeKind::Action, _) => Some(child.node),
        (_, Content::Container(inner)) => operation_of(schema, inner),
        (_, Content::List(list)) => list.iter().find_map(|(_, entry)| operation_of(schema, entry)),
        _ => None,
    })
}

fn xml(tree: &Tree) -> String {
    let mut out = Vec::new();
    netconf::yang::write::write(tree, &Selection::all(), None, netconf::yang::write::WriteOptions::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn alarm(alarm_type: &str, leaf: &str) -> String {
    let resource = "/qkdn-mq:qkd-module/resource[resource-id='urn:qkdn:test:link:1']";
    format!(
        "/ietf-alarms:alarms/alarm-list/alarm[resource=\"{resource}\"][alarm-type-id='qkdn-alarms:{alarm_type}'][alarm-type-qualifier='']/{leaf}"
    )
}

fn value(tree: &Tree, path: &str) -> Option<String> {
    tree.value(path).map(|value| value.to_string())
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    (directory, path)
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_an_alarm_and_its_end_clears_the_same_one() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.pass(10).await;
    life.told();
    life.fault("<qber><target>9</target></qber>").await;
    life.pass(5).await;
    let told = life.told();
    let raised: Vec<_> = told.iter().filter(|xml| xml.contains("alarm-notification")).collect();
    let qber = raised.iter().find(|xml| xml.contains("qber-threshold-exceeded")).unwrap();
    assert!(qber.contains("<perceived-severity>major</perceived-severity>"), "{qber}");
    assert!(qber.contains("resource-id='urn:qkdn:test:link:1'"), "{qber}");
    for part in [
        "qkdn-alarms\">1</alarm-id>",
        ">urn:qkdn:test:link:1</alarm-source-id>",
        "<threshold>8.0</threshold>",
        "sequence-number>",
    ] {
        assert!(qber.contains(part), "{part} in {qber}");
    }
    assert!(told.iter().any(|xml| xml.contains("<threshold-crossing")), "{told:?}");
    let state = life.state().await;
    let id = value(&state, &alarm("qber-threshold-exceeded", "qkdn-alarms:alarm-id"));
    assert_eq!(value(&state, &alarm("qber-threshold-exceeded", "is-cleared")).as_deref(), Some("false"));
    assert_eq!(
        value(&state, "/ietf-alarms:alarms/summary/alarm-summary[severity='major']/not-cleared").as_deref(),
        Some("1")
    );

    life.clear().await;
    life.pass(5).await;
    let told = life.told();
    assert!(
        told.iter().any(|xml| xml.contains("qber-threshold-exceeded") && xml.contains("<perceived-severity>cleared"))
    );
    let state = life.state().await;
    assert_eq!(value(&state, &alarm("qber-threshold-exceeded", "is-cleared")).as_deref(), Some("true"));
    assert_eq!(value(&state, &alarm("qber-threshold-exceeded", "qkdn-alarms:alarm-id")), id);
}

#[tokio::test(start_paused = true)]
async fn a_fibre_cut_is_told_at_once() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.module("<sampling-interval>900</sampling-interval>").await.unwrap();
    life.pass(10).await;
    life.told();
    let before = (life.clock)();
    life.fault("<fibre-cut/>").await;
    let mut told = String::new();
    while !told.contains("qkd-link-down") {
        let event = tokio::time::timeout(Duration::from_secs(2), life.events.recv()).await.unwrap().unwrap();
        if let Event::Notification(tree) = event {
            told = xml(&tree);
        }
    }
    assert!((life.clock)().duration_since(before) < jiff::SignedDuration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn the_whole_state_is_of_the_model() {
    let (_keep, directory) = place();
    let life = Life::begin(&directory, turned_clock(), None).await;
    life.pass(1000).await;
    let state = life.state().await;
    let of = |path: &str| value(&state, path).unwrap_or_else(|| panic!("{path} in {}", xml(&state)));
    assert_eq!(of("/qkdn-mq:qkd-module/state/oper-state"), "operational");
    assert_eq!(of("/qkdn-mq:qkd-module/state/module-id"), MODULE);
    assert_eq!(of(&format!("/qkdn-mq:qkd-module/resource[resource-id='{MODULE}']/kind")), "qkdn-types:qkd-module");
    assert_eq!(of("/qkdn-common:reference-points/reference-point[name='mq']/simulated"), "true");
    assert!(of("/qkdn-mq:qkd-module/counters/accounting/secret-bits").parse::<u64>().unwrap() > 100_000);
    let qber =
        "/qkdn-mq:qkd-module/performance/information[type='qkdn-performance:qber'][target='urn:qkdn:test:link:1']";
    assert_eq!(of(&format!("{qber}/unit")), "percent");
    assert_eq!(of(&format!("{qber}/current/validity")), "complete");
    let finished = format!("{qber}/interval-15-minutes[start-time='2026-11-22T00:00:00.000Z']");
    let quarter =
        state.get(&finished).is_some() || xml(&state).contains("<interval-15-minutes><start-time>2026-11-22T00:00:00");
    assert!(quarter, "{}", xml(&state));
    assert_eq!(of("/ietf-alarms:alarms/alarm-list/number-of-alarms"), "0");
    let xml = xml(&state);
    assert!(xml.contains("<alarm-type-id") && xml.contains("will-clear"), "the inventory");
    for forbidden in ["key-material", "key-value", "<key>"] {
        assert!(!xml.contains(forbidden));
    }
}

#[tokio::test(start_paused = true)]
async fn configuration_has_effect_and_what_the_device_refuses_says_where() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.pass(5).await;
    life.module("<thresholds><qber><warning>1</warning></qber></thresholds>").await.unwrap();
    life.pass(5).await;
    let state = life.state().await;
    assert_eq!(value(&state, &alarm("qber-threshold-exceeded", "perceived-severity")).as_deref(), Some("warning"));
    life.module("<admin-state>disabled</admin-state>").await.unwrap();
    life.pass(5).await;
    let state = life.state().await;
    assert_eq!(value(&state, "/qkdn-mq:qkd-module/state/oper-state").as_deref(), Some("down"));
    assert_eq!(value(&state, "/qkdn-mq:qkd-module/state/key-generation").as_deref(), Some("stopped"));
    assert_eq!(value(&state, &alarm("qber-threshold-exceeded", "is-cleared")).as_deref(), Some("true"));
    let refused = life.module("<service-state>reserved</service-state>").await.unwrap_err();
    assert_eq!(refused.tag, ErrorTag::InvalidValue);
    assert!(refused.path.as_ref().unwrap().text.ends_with("service-state"), "{refused:?}");
    assert_eq!(life.agent.0.mind().config.service_state, crate::state::ServiceState::InService);
}

#[tokio::test(start_paused = true)]
async fn the_control_of_notifications_is_obeyed() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    let control = "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><control>\
        <max-alarm-status-changes>2</max-alarm-status-changes>\
        <notify-status-changes>severity-level</notify-status-changes><notify-severity-level>critical</notify-severity-level>\
        </control></alarms>";
    life.configure(control).await.unwrap();
    life.pass(5).await;
    life.told();
    life.fault("<qber><target>9</target></qber>").await;
    life.pass(5).await;
    assert!(!life.told().iter().any(|xml| xml.contains("alarm-notification")), "major is below critical");
    life.clear().await;
    life.pass(6).await;
    assert!(life.told().iter().any(|xml| xml.contains("alarm-notification")), "clears are always told");
}

#[tokio::test(start_paused = true)]
async fn the_request_rate_is_what_is_configured() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    assert_eq!(life.agent.request_rate(), None);
    let rate = "<session-control xmlns=\"urn:qkdn:yang:qkdn-common\"><overload-control><maximum-request-rate>500\
                </maximum-request-rate></overload-control></session-control>";
    life.configure(rate).await.unwrap();
    assert_eq!(life.agent.request_rate().map(std::num::NonZeroU32::get), Some(500));
}

#[tokio::test(start_paused = true)]
async fn a_diagnostic_names_the_cause() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.pass(10).await;
    let id = life.fault("<eavesdropper><fraction>0.5</fraction></eavesdropper>").await;
    let diagnose = "<run-link-diagnostic xmlns=\"urn:qkdn:yang:qkdn-mq\"><duration>3</duration></run-link-diagnostic>";
    let reply = life.call(diagnose).await.unwrap().unwrap();
    let of = |leaf: &str| value(&reply, &format!("/qkdn-mq:run-link-diagnostic/output/{leaf}"));
    assert_eq!(of("probable-cause").as_deref(), Some("qkdn-mq:eavesdropping"), "{}", xml(&reply));
    assert_eq!(of("module-id").as_deref(), Some(MODULE));
    let list = life.call("<list-faults xmlns=\"urn:qkdn:yang:qkdn-simulation\"/>").await.unwrap().unwrap();
    let fraction = format!("/qkdn-simulation:list-faults/output/fault[fault-id='{id}']/eavesdropper/fraction");
    assert_eq!(value(&list, &fraction).as_deref(), Some("0.5"), "{}", xml(&list));
    let other =
        "<run-link-diagnostic xmlns=\"urn:qkdn:yang:qkdn-mq\"><link-id>urn:other</link-id></run-link-diagnostic>";
    let refused = life.call(other).await.unwrap_err();
    assert_eq!(refused.tag, ErrorTag::InvalidValue);
    let foreign = "<inject-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><km-crash/></inject-fault>";
    assert_eq!(life.call(foreign).await.unwrap_err().tag, ErrorTag::OperationNotSupported);
    let missing = "<clear-fault xmlns=\"urn:qkdn:yang:qkdn-simulation\"><fault-id>fault-99</fault-id></clear-fault>";
    assert_eq!(life.call(missing).await.unwrap_err().tag, ErrorTag::DataMissing);
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_model_can_be_injected() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    for fault in [
        "<qber><offset>2</offset><ramp-time>10</ramp-time></qber>",
        "<loss><loss>3</loss></loss>",
        "<fibre-cut><classical-channel>true</classical-channel></fibre-cut>",
        "<eavesdropper><fraction>0.1</fraction></eavesdropper>",
        "<misalignment><error>2</error></misalignment>",
        "<detector-failure/>",
        "<dark-counts><factor>10</factor></dark-counts>",
        "<laser-fault/>",
        "<synchronization-loss/>",
        "<classical-channel-loss/>",
        "<temperature><offset>10</offset></temperature>",
        "<module-failure/>",
        "<authentication-failure/>",
        "<random-number-failure/>",
        "<tamper/>",
        "<post-processing-failure/>",
    ] {
        let id = life.fault(fault).await;
        let list = life.call("<list-faults xmlns=\"urn:qkdn:yang:qkdn-simulation\"/>").await.unwrap().unwrap();
        let name = fault.split(['<', '>', '/']).find(|part| !part.is_empty()).unwrap();
        let path = format!("/qkdn-simulation:list-faults/output/fault[fault-id='{id}']/{name}");
        assert!(list.get(&path).is_some(), "{fault} in {}", xml(&list));
        life.clear().await;
    }
}

#[tokio::test(start_paused = true)]
async fn operators_act_on_alarms() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.fault("<fibre-cut/>").await;
    life.pass(2).await;
    life.told();
    let in_list = |inside: &str| {
        format!("<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list>{inside}</alarm-list></alarms>")
    };
    let entry = |resource: &str| {
        in_list(&format!(
            "<alarm xmlns:mq=\"urn:qkdn:yang:qkdn-mq\" xmlns:qa=\"urn:qkdn:yang:qkdn-alarms\">\
            <resource>/mq:qkd-module/mq:resource[mq:resource-id='{resource}']</resource>\
            <alarm-type-id>qa:qkd-link-down</alarm-type-id><alarm-type-qualifier/>\
            <set-operator-state><state>ack</state><text>on my way</text></set-operator-state></alarm>"
        ))
    };
    assert!(life.call(&entry("urn:qkdn:test:link:1")).await.unwrap().is_none());
    life.settled().await;
    let told = life.told();
    assert!(
        told.iter().any(|xml| xml.contains("<operator-action>") && xml.contains("<operator>qlm</operator>")),
        "{told:?}"
    );
    let state = life.state().await;
    assert!(xml(&state).contains("<text>on my way</text>"), "{}", xml(&state));
    assert_eq!(life.call(&entry("urn:other")).await.unwrap_err().tag, ErrorTag::DataMissing);

    let compress = in_list("<compress-alarms/>");
    let reply = life.call(&compress).await.unwrap().unwrap();
    let compressed = value(&reply, "/ietf-alarms:alarms/alarm-list/compress-alarms/output/compressed-alarms");
    assert_eq!(compressed.as_deref(), Some("0"));
    let purge = in_list(
        "<purge-alarms><alarm-clearance-status>any</alarm-clearance-status>\
        <operator-state-filter><state>ack</state><user>qlm</user></operator-state-filter></purge-alarms>",
    );
    let reply = life.call(&purge).await.unwrap().unwrap();
    let purged = value(&reply, "/ietf-alarms:alarms/alarm-list/purge-alarms/output/purged-alarms");
    assert_eq!(purged.as_deref(), Some("1"));
    life.pass(2).await;
    let state = life.state().await;
    let id = value(&state, &alarm("qkd-link-down", "qkdn-alarms:alarm-id"));
    assert_eq!(id.as_deref(), Some("2"), "it still holds, so it is raised anew");
}

#[tokio::test(start_paused = true)]
async fn an_agent_remembers() {
    let (_keep, directory) = place();
    let clock = turned_clock();
    let mut life = Life::begin(&directory, clock.clone(), None).await;
    life.module("<thresholds><qber><warning>1</warning></qber></thresholds>").await.unwrap();
    life.pass(1000).await;
    let before = life.state().await;
    let notified = life.agent.0.records.lock().await.last_notified();
    assert!(notified > 0);
    let remains = life.remains();

    let life = Life::begin(remains.path(), clock, Some(life.running.clone())).await;
    life.pass(5).await;
    assert!(life.agent.0.records.lock().await.last_notified() > notified, "numbers go on");
    let after = life.state().await;
    for leaf in ["qkdn-alarms:alarm-id", "time-created", "last-raised", "last-changed", "is-cleared"] {
        let path = alarm("qber-threshold-exceeded", leaf);
        assert_eq!(value(&after, &path), value(&before, &path), "{leaf}");
        assert!(value(&after, &path).is_some(), "{leaf}");
    }
    let interval = |tree: &Tree| {
        let xml = xml(tree);
        let at = xml.find("<interval-15-minutes>").unwrap();
        xml[at..at + 200].to_owned()
    };
    assert_eq!(interval(&after), interval(&before));
}

#[tokio::test(start_paused = true)]
async fn the_log_and_the_history_can_be_read() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    life.fault("<fibre-cut/>").await;
    life.pass(2000).await;
    let get = "<get-event-log xmlns=\"urn:qkdn:yang:qkdn-common\"><class>alarm</class></get-event-log>";
    let log = xml(&life.call(get).await.unwrap().unwrap());
    assert!(log.contains("alarm-raised") && log.contains("qkd-link-down") && !log.contains("fault-injected"), "{log}");
    let get = "<get-event-log xmlns=\"urn:qkdn:yang:qkdn-common\"><class>audit</class></get-event-log>";
    let log = xml(&life.call(get).await.unwrap().unwrap());
    assert!(log.contains("<user>qlm</user>") && log.contains("<session-identifier>7</session-identifier>"), "{log}");
    let get = "<get-performance-history xmlns=\"urn:qkdn:yang:qkdn-performance\" xmlns:p=\"urn:qkdn:yang:qkdn-performance\">\
        <granularity>fifteen-minutes</granularity><after>2026-11-22T00:00:00Z</after><type>p:channel-loss</type></get-performance-history>";
    let history = xml(&life.call(get).await.unwrap().unwrap());
    assert_eq!(history.matches("<interval>").count(), 1, "{history}");
    assert!(history.contains("<validity>complete</validity>") && history.contains("<more>false</more>"), "{history}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_stops_saves_what_runs() {
    let (_keep, directory) = place();
    let clock = turned_clock();
    let life = Life::begin(&directory, clock.clone(), None).await;
    life.pass(50).await;
    life.agent.stop().await;
    let samples = |life: &Life| {
        let mind = life.agent.0.mind();
        let series = mind.surveillance.performance.iter().find(|(key, _)| key.quantity.ends_with(":qber")).unwrap().1;
        series.running(crate::performance::Granularity::FifteenMinutes).unwrap().samples()
    };
    let before = samples(&life);
    let running = life.running.clone();
    drop(life);
    let life = Life::begin(&directory, clock, Some(running)).await;
    assert!(samples(&life) >= before && before >= 45);
}

#[tokio::test(start_paused = true)]
async fn two_agents_do_not_share_a_directory() {
    let (_keep, directory) = place();
    let life = Life::begin(&directory, turned_clock(), None).await;
    let now = (life.clock)();
    let second = Agent::open(module(now), life.schema.clone(), &directory, life.clock.clone());
    let error = second.err().unwrap().to_string();
    assert!(error.contains("in use") && !error.contains('\n'), "{error}");
}

#[tokio::test(start_paused = true)]
async fn every_change_of_the_alarm_list_is_reported() {
    let (_keep, directory) = place();
    let mut life = Life::begin(&directory, turned_clock(), None).await;
    let list = life.schema.find("/ietf-alarms:alarms/alarm-list").unwrap();
    let entry = life.schema.find("/ietf-alarms:alarms/alarm-list/alarm/is-cleared").unwrap();
    let measured = life.schema.find("/qkdn-mq:qkd-module/performance").unwrap();
    assert!(life.agent.reports_changes(list) && life.agent.reports_changes(entry));
    assert!(!life.agent.reports_changes(measured));

    /// Whether the list differs from what it was; if so, that was told.
    async fn changed(
        life: &mut Life,
        list: netconf::yang::NodeId,
        before: &mut Option<netconf::yang::Content>,
    ) -> bool {
        let now = life.state().await.get("/ietf-alarms:alarms/alarm-list");
        let mut told = false;
        while let Some(event) = life.events.try_recv() {
            if let Event::Changed(paths) = event {
                told |= paths.iter().any(|path| path.last().is_some_and(|step| step.node == list));
            }
        }
        let differs = now != *before;
        assert!(told || !differs, "was {before:?} and is {now:?}");
        *before = now;
        differs
    }

    let mut before = life.state().await.get("/ietf-alarms:alarms/alarm-list");
    life.fault("<fibre-cut/>").await;
    life.pass(2).await;
    assert!(changed(&mut life, list, &mut before).await, "raised");
    let in_list = |inside: &str| {
        format!("<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><alarm-list>{inside}</alarm-list></alarms>")
    };
    let acknowledge = in_list(
        "<alarm xmlns:mq=\"urn:qkdn:yang:qkdn-mq\" xmlns:qa=\"urn:qkdn:yang:qkdn-alarms\">\
        <resource>/mq:qkd-module/mq:resource[mq:resource-id='urn:qkdn:test:link:1']</resource>\
        <alarm-type-id>qa:qkd-link-down</alarm-type-id><alarm-type-qualifier/>\
        <set-operator-state><state>ack</state></set-operator-state></alarm>",
    );
    life.call(&acknowledge).await.unwrap();
    life.settled().await;
    assert!(changed(&mut life, list, &mut before).await, "acknowledged");
    life.clear().await;
    life.pass(60).await;
    assert!(changed(&mut life, list, &mut before).await, "cleared");
    let fewer = "<alarms xmlns=\"urn:ietf:params:xml:ns:yang:ietf-alarms\"><control>\
        <max-alarm-status-changes>1</max-alarm-status-changes></control></alarms>";
    life.configure(fewer).await.unwrap();
    life.settled().await;
    assert!(changed(&mut life, list, &mut before).await, "fewer status changes are kept");
    let compress = in_list("<compress-alarms/>");
    life.call(&compress).await.unwrap();
    life.settled().await;
    changed(&mut life, list, &mut before).await;
    life.call(&in_list("<purge-alarms><alarm-clearance-status>any</alarm-clearance-status></purge-alarms>"))
        .await
        .unwrap();
    life.settled().await;
    assert!(changed(&mut life, list, &mut before).await, "purged");
}
