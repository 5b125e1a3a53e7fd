//! Datastore subscriptions on a server: what is told of edits made through sessions, and of state.

use super::*;
use crate::server::operation::nmda::Named;
use crate::server::operation::parameters::Datastore as Store;
use crate::server::push::update::Content as Told;
use crate::server::push::{self, Hindrance, MIN_PERIOD, Message, Policy, Publication, Refusal, Trigger, Update};
use crate::yang::edit::{self, Operation as EditOperation};
use crate::yang::yang_patch;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const RUNNING: Named = Named::Writable(Store::Running);

fn on_change(selection: Selection) -> Policy {
    let trigger = Trigger::OnChange { dampening: Duration::ZERO, sync_on_start: true, excluded: Vec::new() };
    Policy { datastore: RUNNING, selection, trigger, stop: None }
}

fn subtree(bench: &Bench, filter: &str) -> Selection {
    let text = format!("<filter>{filter}</filter>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    Selection::from_subtree(&bench.server.shared().schema, document.root()).unwrap()
}

async fn publish(bench: &Bench, user: &str, policy: Policy) -> Publication {
    let shared = bench.server.shared();
    let access = shared.access(&shared.datastores.version(), user);
    push::check(shared, &access, &policy).await.unwrap();
    Publication::start(shared, &user.into(), policy).await
}

async fn refusal(bench: &Bench, user: &str, policy: Policy) -> Refusal {
    let shared = bench.server.shared();
    let access = shared.access(&shared.datastores.version(), user);
    push::check(shared, &access, &policy).await.unwrap_err()
}

async fn message(publication: &mut Publication) -> Message {
    tokio::time::timeout(Duration::from_secs(20), publication.next()).await.expect("a message in time")
}

async fn update(publication: &mut Publication) -> Update {
    match message(publication).await {
        Message::Update(update) => update,
        other => panic!("{other:?}"),
    }
}

fn text(bench: &Bench, update: &Update) -> String {
    let mut out = Vec::new();
    update.write(&bench.server.shared().schema, 9, &mut out);
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn an_edit_is_told_after_the_whole_that_it_changes() {
    let bench = start().await;
    let admin = bench.admin().await;
    set(&admin, Datastore::Running, &name("a")).await.unwrap();
    let mut publication = publish(&bench, "admin", on_change(subtree(&bench, "<system xmlns='urn:fixture'/>"))).await;
    let whole = text(&bench, &update(&mut publication).await);
    assert!(
        whole.contains(
            "<push-update xmlns=\"urn:ietf:params:xml:ns:yang:ietf-yang-push\"><id>9</id><datastore-contents>"
        )
    );
    assert!(whole.contains("<name>a</name>"), "{whole}");
    // What the filter does not select is not told: the next update is of the edit after it.
    let server = "<servers xmlns='urn:fixture'><server><name>x</name><address>1</address></server></servers>";
    set(&admin, Datastore::Running, server).await.unwrap();
    set(&admin, Datastore::Running, &name("b")).await.unwrap();
    let change = text(&bench, &update(&mut publication).await);
    let patch = "<datastore-changes><yang-patch><patch-id>0</patch-id><edit><edit-id>1</edit-id><operation>replace</operation>\
        <target>/fixture:system/name</target><value><name xmlns=\"urn:fixture\">b</name></value></edit></yang-patch>\
        </datastore-changes></push-change-update>";
    assert!(change.contains(patch), "{change}");
    publication.resync();
    let again = text(&bench, &update(&mut publication).await);
    assert!(again.contains("<push-update ") && again.contains("<name>b</name>"), "{again}");
    set(&admin, Datastore::Running, &name("c")).await.unwrap();
    assert!(text(&bench, &update(&mut publication).await).contains("<patch-id>0</patch-id>"), "counted anew");
}

#[tokio::test]
async fn changes_while_the_subscriber_does_not_read_are_one_update() {
    let bench = start().await;
    let admin = bench.admin().await;
    let mut publication = publish(&bench, "admin", on_change(Selection::all())).await;
    for n in 0..50 {
        set(&admin, Datastore::Running, &name(&format!("n{n}"))).await.unwrap();
    }
    let mut told = 0;
    loop {
        told += 1;
        if text(&bench, &update(&mut publication).await).contains(">n49<") {
            break;
        }
    }
    assert!(told <= 4, "{told} updates");
}

#[tokio::test]
async fn excluded_changes_and_no_first_update() {
    let bench = start().await;
    let admin = bench.admin().await;
    set(&admin, Datastore::Running, &name("a")).await.unwrap();
    let excluded = vec![yang_patch::Operation::Replace];
    let trigger = Trigger::OnChange { dampening: Duration::ZERO, sync_on_start: false, excluded };
    let mut publication = publish(&bench, "admin", Policy { trigger, ..on_change(Selection::all()) }).await;
    set(&admin, Datastore::Running, &name("b")).await.unwrap();
    set(&admin, Datastore::Running, "<system xmlns='urn:fixture'><level>3</level></system>").await.unwrap();
    let first = text(&bench, &update(&mut publication).await);
    assert!(first.contains("push-change-update") && first.contains("<operation>create</operation>"), "{first}");
    assert!(!first.contains("replace"), "{first}");
}

#[tokio::test]
async fn candidate_and_its_discard_are_told() {
    let bench = start().await;
    let admin = bench.admin().await;
    let datastore = Named::Writable(Store::Candidate);
    let mut publication = publish(&bench, "admin", Policy { datastore, ..on_change(Selection::all()) }).await;
    update(&mut publication).await;
    set(&admin, Datastore::Candidate, &name("c")).await.unwrap();
    assert!(text(&bench, &update(&mut publication).await).contains("<operation>create</operation>"));
    admin.discard_changes().await.unwrap();
    assert!(text(&bench, &update(&mut publication).await).contains("<operation>delete</operation>"));
}

#[tokio::test]
async fn a_user_is_told_what_it_may_read() {
    let bench = start().await;
    let admin = bench.admin().await;
    let mut publication = publish(&bench, "guest", on_change(Selection::all())).await;
    update(&mut publication).await;
    let both = "<system xmlns='urn:fixture'><name>a</name><secret>hush</secret></system>";
    set(&admin, Datastore::Running, both).await.unwrap();
    let change = text(&bench, &update(&mut publication).await);
    assert!(change.contains("name>a</name>") && !change.contains("hush"), "{change}");
}

#[tokio::test]
async fn periods_pass_whether_or_not_anything_changes() {
    let bench = start().await;
    let trigger = Trigger::Periodic { period: MIN_PERIOD, anchor: None };
    let stop = Some(jiff::Timestamp::now() + Duration::from_millis(550));
    let policy = Policy {
        datastore: Named::Operational,
        trigger,
        stop,
        ..on_change(subtree(&bench, "<system xmlns='urn:fixture'/>"))
    };
    let mut publication = publish(&bench, "admin", policy).await;
    let mut updates = 0;
    loop {
        match message(&mut publication).await {
            Message::Update(update) => {
                updates += 1;
                assert!(text(&bench, &update).contains("<uptime>7</uptime>"));
            }
            Message::Completed => break,
            // A busy machine.
            Message::Hindered(Hindrance::UnsupportableVolume) | Message::Able => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((2..=6).contains(&updates), "{updates}");
}

#[tokio::test]
async fn a_subscriber_that_misses_periods_is_told_so() {
    let bench = start().await;
    let trigger = Trigger::Periodic { period: MIN_PERIOD, anchor: None };
    let mut publication = publish(&bench, "admin", Policy { trigger, ..on_change(Selection::all()) }).await;
    tokio::time::sleep(MIN_PERIOD * 5).await;
    assert!(matches!(message(&mut publication).await, Message::Update(_)));
    assert!(matches!(message(&mut publication).await, Message::Hindered(Hindrance::UnsupportableVolume)));
    assert!(matches!(message(&mut publication).await, Message::Able));
    assert!(matches!(message(&mut publication).await, Message::Update(_)));
}

#[tokio::test]
async fn state_that_is_reported_is_told_and_other_state_is_not_there() {
    let bench = start().await;
    let operational = |filter: &str| Policy { datastore: Named::Operational, ..on_change(subtree(&bench, filter)) };
    let mut publication = publish(&bench, "admin", operational("<system xmlns='urn:fixture'/>")).await;
    let whole = text(&bench, &update(&mut publication).await);
    assert!(!whole.contains("uptime"), "{whole}");
    let unreported = operational("<system xmlns='urn:fixture'><uptime/></system>");
    assert_eq!(refusal(&bench, "admin", unreported).await, Refusal::OnChangeUnsupported);
    // The hub wakes whom a path concerns.
    let shared = bench.server.shared();
    let path = |text: &str| crate::yang::serde::instance_path(&shared.schema, text).unwrap();
    let interest = shared.hub.register(subtree(&bench, "<system xmlns='urn:fixture'/>"));
    shared.hub.changed(&[path("/fixture:servers")]);
    assert!(tokio::time::timeout(Duration::from_millis(20), interest.changed()).await.is_err());
    shared.hub.changed(&[path("/fixture:servers"), path("/fixture:system/uptime")]);
    interest.changed().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_its_reason() {
    let bench = start().await;
    let trigger = Trigger::Periodic { period: MIN_PERIOD / 2, anchor: None };
    let short = Policy { trigger, ..on_change(Selection::all()) };
    assert_eq!(refusal(&bench, "admin", short).await, Refusal::PeriodUnsupported);
    let unknown = on_change(subtree(&bench, "<nowhere xmlns='urn:nowhere'/>"));
    assert_eq!(refusal(&bench, "admin", unknown).await, Refusal::UnchangingSelection);
    let hidden = on_change(subtree(&bench, "<system xmlns='urn:fixture'><secret/></system>"));
    assert_eq!(refusal(&bench, "guest", hidden).await, Refusal::UnchangingSelection);
}

/// A subscriber's copy of a datastore, kept by what it is told.
fn follow(copy: Option<Tree>, schema: &Arc<Schema>, update: &Update) -> Tree {
    let mut out = Vec::new();
    update.write(schema, 1, &mut out);
    let text = String::from_utf8(out).unwrap();
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let told = document.root().children().nth(1).unwrap();
    let within = |name: &str| told.children().find(|e| e.name() == name);
    if let Some(contents) = within("datastore-contents") {
        return edit::read_config(schema, contents).unwrap();
    }
    let patch = within("datastore-changes").unwrap().children().next().unwrap();
    patch.children().filter(|e| e.name() == "edit").fold(copy.expect("a whole came first"), |copy, edit| {
        let config = edit_config(schema, edit);
        let document = Document::parse(&config, &Limits::default()).unwrap_or_else(|e| panic!("{e}: {config}"));
        let (copy, errors) = edit::edit(&copy, document.root(), EditOperation::Merge);
        assert!(errors.is_empty(), "{config}: {errors:?}");
        copy
    })
}

/// An edit of a patch as the `<config>` of an edit-config.
fn edit_config(schema: &Arc<Schema>, edit: crate::xml::Element<'_>) -> String {
    let text = |name: &str| edit.children().find(|e| e.name() == name).map(|e| e.text().to_owned());
    let target = text("target").unwrap();
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            let hex: Option<String> = (byte == b'%').then(|| rest.by_ref().take(2).map(char::from).collect());
            bytes.push(hex.map_or(byte, |hex| u8::from_str_radix(&hex, 16).unwrap()));
        }
        String::from_utf8(bytes).unwrap()
    };
    let values = |step: &str| -> Vec<String> {
        step.split_once('=').map(|(_, keys)| keys.split(',').map(decode).collect()).unwrap_or_default()
    };
    let steps: Vec<&str> = target[1..].split('/').collect();
    let (mut open, mut close, mut parent) = (String::from("<config>"), String::from("</config>"), None);
    let module = schema.module_by_name("fixture").unwrap();
    for (n, step) in steps.iter().enumerate() {
        let bare = step.split('=').next().unwrap();
        let name = bare.strip_prefix("fixture:").unwrap_or(bare);
        let node = schema.child(parent, module, name).unwrap();
        parent = Some(node);
        let last = n + 1 == steps.len();
        let mut attributes = String::from(" xmlns='urn:fixture'");
        if last {
            let operation = match text("operation").unwrap().as_str() {
                "delete" => "delete",
                "create" => "create",
                "insert" | "move" => "merge",
                _ => "replace",
            };
            attributes
                .push_str(&format!(" xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' nc:operation='{operation}'"));
            if let Some(place) = text("where") {
                attributes.push_str(&format!(" xmlns:y='urn:ietf:params:xml:ns:yang:1' y:insert='{place}'"));
                if let Some(point) = text("point") {
                    let point = values(point.rsplit('/').next().unwrap());
                    let keys = &schema.node(node).keys;
                    if keys.is_empty() {
                        attributes.push_str(&format!(" y:value='{}'", point[0]));
                    } else {
                        let keys = keys.iter().zip(&point);
                        let keys: String = keys.map(|(k, v)| format!("[f:{}='{v}']", schema.node(*k).name)).collect();
                        attributes.push_str(&format!(" xmlns:f='urn:fixture' y:key=\"{keys}\""));
                    }
                }
            }
        }
        open.push_str(&format!("<{name}{attributes}>"));
        let keys = &schema.node(node).keys;
        let value = edit.children().find(|e| e.name() == "value").filter(|_| last);
        match value {
            Some(value) => {
                let mut inside = Vec::new();
                let instance = value.children().next().unwrap();
                if instance.has_children() {
                    instance.children().for_each(|child| child.write(&mut inside));
                } else {
                    crate::xml::escape_text(&mut inside, instance.text());
                }
                open.push_str(std::str::from_utf8(&inside).unwrap());
            }
            None if keys.is_empty() => open.push_str(&values(step).concat()),
            None => {
                for (key, value) in keys.iter().zip(values(step)) {
                    let key = &schema.node(*key).name;
                    open.push_str(&format!("<{key}>{value}</{key}>"));
                }
            }
        }
        close.insert_str(0, &format!("</{name}>"));
    }
    open + &close
}

/// Replaces parts of running at random: leafs, entries, the order of the user.
fn configuration() -> impl Strategy<Value = String> {
    let letters = || prop::collection::btree_set(0u8..6, 0..5);
    let order = || {
        Just((0u8..6).collect::<Vec<_>>())
            .prop_shuffle()
            .prop_flat_map(|all| prop::sample::subsequence(all, 0..=6).prop_shuffle())
    };
    (prop::option::of(0u8..3), letters(), order(), prop::collection::btree_map(0u8..6, 0u8..3, 0..=3), order()).prop_map(
        |(level, tags, search, servers, rules)| {
            let all = |list: Vec<String>| list.concat();
            let level = level.map(|n| format!("<level>{n}</level>")).unwrap_or_default();
            let tags = all(tags.iter().map(|n| format!("<tag>t {n}</tag>")).collect());
            let search = all(search.iter().map(|n| format!("<search>s{n}</search>")).collect());
            let servers = servers.iter().map(|(n, a)| format!("<server><name>/{n}</name><address>{n}-{a}</address></server>"));
            let servers = all(servers.collect());
            let rules = rules.iter().map(|n| format!("<rule><id>{n}</id><sub>x</sub><action>a{n}</action></rule>"));
            let rules = all(rules.collect());
            format!(
                "<system xmlns='urn:fixture' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' nc:operation='replace'>{level}{tags}{search}</system>\
                 <servers xmlns='urn:fixture' xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' nc:operation='replace'>{servers}{rules}</servers>"
            )
        },
    )
}

#[test]
fn a_copy_that_follows_the_changes_is_what_get_data_gives() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let filters = [
        "",
        "<servers xmlns='urn:fixture'/>",
        "<servers xmlns='urn:fixture'><server><address/></server></servers><system xmlns='urn:fixture'><search/></system>",
    ];
    let edits = prop::collection::vec(configuration(), 1..6);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&(edits, 0..filters.len()), |(edits, filter)| {
        runtime.block_on(async {
            let bench = start().await;
            let shared = bench.server.shared();
            let admin = bench.admin().await;
            let selection = if filter == 0 { Selection::all() } else { subtree(&bench, filters[filter]) };
            let mut publication = publish(&bench, "admin", on_change(selection.clone())).await;
            let mut copy = None;
            for edit in &edits {
                set(&admin, Datastore::Running, edit).await.unwrap();
                // Some are read at once, and some come together.
                if let Some(Message::Update(update)) = publication.try_next() {
                    copy = Some(follow(copy, &shared.schema, &update));
                }
            }
            let written = |tree: &Tree| {
                let mut out = Vec::new();
                crate::yang::write::write(tree, &selection, None, Default::default(), &mut out);
                String::from_utf8(out).unwrap()
            };
            let expected = written(&shared.datastores.read(Store::Running));
            while copy.as_ref().is_none_or(|copy| written(copy) != expected) {
                let more = tokio::time::timeout(Duration::from_secs(10), publication.next()).await;
                let Ok(Message::Update(update)) = more else {
                    let copy = copy.as_ref().map(written).unwrap_or_default();
                    return Err(TestCaseError::fail(format!("is {copy}\nand not {expected}")));
                };
                assert!(matches!(update.content, Told::Whole(_)) == copy.is_none(), "one whole, and it comes first");
                copy = Some(follow(copy, &shared.schema, &update));
            }
            Ok(())
        })
    });
    outcome.unwrap();
}
