//! What the models must refuse, they refuse; and what is next to it, they take.

use netconf::xml::{Document, Limits};
use netconf::yang::validate::Validator;
use netconf::yang::{Tree, edit};

use crate::TOGETHER;

fn check(config: &str) -> Result<Tree, String> {
    let schema = &*TOGETHER;
    let text = format!("<config>{config}</config>");
    let document = Document::parse(&text, &Limits::default()).expect("the test's XML is well-formed");
    edit::read_config(schema, document.root())
        .and_then(|tree| Validator::new(schema.clone()).validate_all(&tree))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn takes(config: &str) {
    if let Err(error) = check(config) {
        panic!("refused: {config}\n{error}");
    }
}

#[track_caller]
fn refuses(config: &str, why: &str) {
    match check(config) {
        Ok(_) => panic!("taken: {config}"),
        Err(error) => assert!(error.contains(why), "refused for another reason than \"{why}\": {config}\n{error}"),
    }
}

fn module(body: &str) -> String {
    format!("<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\"><role>transmitter</role>{body}</qkd-module>")
}

#[test]
fn threshold_levels_are_in_order() {
    let qber = |levels: &str| module(&format!("<thresholds><qber>{levels}</qber></thresholds>"));
    takes(&qber("<warning>4</warning><major>6</major><critical>9</critical>"));
    refuses(&qber("<warning>7</warning><major>6</major><critical>9</critical>"), "beyond the major");
    let rate = |levels: &str| module(&format!("<thresholds><secret-key-rate>{levels}</secret-key-rate></thresholds>"));
    takes(&rate("<warning>1000</warning><major>100</major><critical>0</critical>"));
    refuses(&rate("<warning>1000</warning><major>2000</major><critical>0</critical>"), "beyond the major");
}

#[test]
fn the_active_channel_is_one_that_there_is() {
    let channel =
        |enabled: bool| format!("<quantum-channel><name>q1</name><enabled>{enabled}</enabled></quantum-channel>");
    let active = "<active-channel>q1</active-channel>";
    takes(&module(&format!("{}{active}", channel(true))));
    refuses(&module(active), "q1");
    refuses(&module(&format!("{}{active}", channel(false))), "active-channel");
}

#[test]
fn units_and_ranges_are_checked() {
    let qber = |value: &str| module(&format!("<thresholds><qber><critical>{value}</critical></qber></thresholds>"));
    takes(&qber("100"));
    refuses(&qber("100.001"), "critical");
    refuses(&qber("-1"), "critical");
    refuses(&module("<service-state>broken</service-state>"), "service-state");
}

#[test]
fn a_connection_has_two_ends_and_stands_once() {
    let switch = |connections: &[(&str, &str)]| {
        let ports: String = (1..=3).map(|name| format!("<port><name>{name}</name></port>")).collect();
        let connection = |(name, (input, output)): (usize, &(&str, &str))| {
            format!("<cross-connect><name>{name}</name><input>{input}</input><output>{output}</output></cross-connect>")
        };
        let connections: String = connections.iter().enumerate().map(connection).collect();
        format!("<optical-switch xmlns=\"urn:qkdn:yang:qkdn-mops\">{ports}{connections}</optical-switch>")
    };
    // A splitter leads one input to several outputs.
    takes(&switch(&[("1", "2"), ("1", "3")]));
    refuses(&switch(&[("1", "1")]), "connected to itself");
    refuses(&switch(&[("1", "4")]), "no target instance");
    refuses(&switch(&[("1", "2"), ("1", "2")]), "Unique data leaf");
}
