//! Lines in; events, state and reasons out.

use netconf::server::base_modules;
use netconf::server::provider::Event;
use netconf::yang::ffi::Source as Module;
use netconf::yang::{Schema, Tree, json};

use super::interpret::Interpreter;
use super::line::{Line, Lines};

const TEXT: &str = r#"module device { yang-version 1.1; namespace urn:device; prefix d; revision 2026-01-01;
  container device {
    leaf name { type string; }
    container health {
      config false;
      leaf temperature { type int8; }
      leaf-list fault { type string; }
      list sample { leaf value { type uint8; } }
      choice power { case mains { leaf voltage { type uint16; } } case battery { leaf charge { type uint8; } } }
    }
    list port {
      key name; config false; leaf name { type string; } leaf up { type boolean; } leaf speed { type uint32; }
      notification flap { leaf count { type uint32; mandatory true; } }
      notification slow { must "../speed < 10" { error-message "It is fast."; } }
      action reset;
    }
  }
  notification port-lost { leaf port { type leafref { path "/d:device/d:port/d:name"; } } leaf why { type string; } }
  rpc restart; }"#;

fn device() -> Interpreter {
    let builder = base_modules(Schema::builder());
    let builder = builder.sources([Module { name: "device", revision: Some("2026-01-01"), text: TEXT }]);
    Interpreter::new(builder.module("device", None, &[]).build().unwrap())
}

fn take(device: &mut Interpreter, line: &str) -> Result<Option<Event>, String> {
    let running = Tree::new(device.state().schema().clone());
    device.take(line, &running)
}

#[test]
fn state_is_merged_and_deleted_and_what_changed_is_told() {
    let mut device = device();
    for (line, changed, left) in [
        // What is around state given for the first time is what has changed.
        (r#"{"operational":{"device:device":{"port":[{"name":"a","up":true,"speed":10}]}}}"#, "/device:device", None),
        (
            r#"{"operational":{"device:device":{"port":[{"name":"b"},{"name":"a","up":false}]}}}"#,
            "/device:device/port[name='a']/up /device:device/port[name='b']",
            Some(r#"{"device:device":{"port":[{"name":"a","up":false,"speed":10},{"name":"b"}]}}"#),
        ),
        (r#"{"operational":{"device:device":{"port":[{"name":"a","up":false}]}}}"#, "", None),
        (r#"{"delete":"/device:device/port[name='a']/speed"}"#, "/device:device/port[name='a']/speed", None),
        (
            r#"{ "delete" : "/device:device/port[name='b']" }"#,
            "/device:device/port[name='b']",
            Some(r#"{"device:device":{"port":[{"name":"a","up":false}]}}"#),
        ),
        // What has no key is given whole.
        (
            r#"{"operational":{"device:device":{"health":{"fault":["x","y"],"sample":[{"value":1},{"value":2}]}}}}"#,
            "/device:device/health",
            None,
        ),
        (
            r#"{"operational":{"device:device":{"health":{"fault":["z","y"],"sample":[{"value":3}],"voltage":230}}}}"#,
            "/device:device/health/fault[.='x'] /device:device/health/fault[.='z'] /device:device/health/sample[1] \
          /device:device/health/sample[2] /device:device/health/sample[1] /device:device/health/voltage",
            None,
        ),
        // One case takes the other's place.
        (
            r#"{"operational":{"device:device":{"health":{"charge":99}}}}"#,
            "/device:device/health/voltage /device:device/health/charge",
            None,
        ),
        (r#"{"delete":"/device:device/health/fault[.='z']"}"#, "/device:device/health/fault[.='z']", None),
        (r#"{"delete":"/device:device/health/fault[.='y']"}"#, "/device:device/health/fault[.='y']", None),
        (
            r#"{"delete":"/device:device/health/sample"}"#,
            "/device:device/health/sample[1]",
            Some(r#"{"device:device":{"health":{"charge":99},"port":[{"name":"a","up":false}]}}"#),
        ),
        // Nothing is left around what was the last.
        (r#"{"delete":"/device:device/health/charge"}"#, "/device:device/health", None),
        (r#"{"delete":"/"}"#, "/device:device", Some("{}")),
    ] {
        let event = take(&mut device, line).unwrap_or_else(|reason| panic!("{line}: {reason}"));
        let schema = device.state().schema();
        let told = match event {
            Some(Event::Changed(paths)) => paths.iter().map(|p| p.to_json_form(schema)).collect::<Vec<_>>().join(" "),
            Some(Event::Notification(_)) => panic!("{line} is no notification"),
            None => String::new(),
        };
        assert_eq!(told, changed, "{line}");
        if let Some(left) = left {
            assert_eq!(json::write(device.state()), left, "{line}");
        }
    }
}

#[test]
fn notifications_stand_where_they_belong() {
    let mut device = device();
    let flap = r#"{"device:device":{"port":[{"name":"a","flap":{"count":3}}]}}"#;
    let Ok(Some(Event::Notification(tree))) = take(&mut device, &format!(r#"{{"notification":{flap}}}"#)) else {
        panic!("it is a notification")
    };
    assert_eq!(json::write(&tree), flap);
    assert!(device.state().is_empty(), "the tree around a notification is no state");
    // What it refers to must be there.
    let lost = r#"{"notification":{"device:port-lost":{"port":"a"}}}"#;
    let reason = take(&mut device, lost).unwrap_err();
    assert!(reason.contains("/device:port-lost") && reason.contains("no target instance"), "{reason}");
    take(&mut device, r#"{"operational":{"device:device":{"port":[{"name":"a"}]}}}"#).unwrap();
    assert!(matches!(take(&mut device, lost), Ok(Some(Event::Notification(_)))));
    // Inside the data it sees what is around it.
    let slow = r#"{"notification":{"device:device":{"port":[{"name":"a","slow":{}}]}}}"#;
    for (speed, taken) in [("", false), (r#","speed":9"#, true), (r#","speed":10"#, false), (r#","speed":8"#, true)] {
        let state =
            format!(r#"{{"operational":{{"device:device":{{"port":[{{"name":"a"{speed}}},{{"name":"b"}}]}}}}}}"#);
        take(&mut device, &state).unwrap();
        for _ in 0..2 {
            let answer = take(&mut device, slow);
            assert_eq!(answer.is_ok(), taken, "{state}: {answer:?}");
        }
    }
}

#[test]
fn a_bad_line_changes_nothing_and_the_reason_says_what_to_do() {
    let mut device = device();
    let good = r#"{"operational":{"device:device":{"port":[{"name":"a"}],"health":{"temperature":20}}}}"#;
    take(&mut device, good).unwrap();
    let before = device.state().clone();
    for (line, wanted) in [
        ("", "column 0: EOF"),
        ("temperature=20", "a line is one JSON object"),
        ("[]", "a line is one JSON object"),
        ("{}", "0 members"),
        (r#"{"operational":{"device:device":{}}"#, "EOF"),
        (r#"{"operational":{"device:device":{}},}"#, "column 37: trailing comma"),
        (r#"{"operational":{},"delete":"/"}"#, "2 members"),
        (r#"{"operational":{},"operational":{}}"#, "trailing characters"),
        (r#"{"state":{"device:device":{}}}"#, r#"there is no "state"; a line is {"notification""#),
        (r#"{"operational":[]}"#, "an object of YANG data"),
        (r#"{"operational":{"device":{}}}"#, "/device: a top-level name needs its module"),
        (r#"{"operational":{"other:device":{}}}"#, "/other:device: no such module"),
        (
            r#"{"operational":{"device:device":{"health":{"colour":"red"}}}}"#,
            "/device:device/health/colour: no such node",
        ),
        (r#"{"operational":{"device:device":{"health":{"temperature":"20"}}}}"#, "an integer, without quotes"),
        (r#"{"operational":{"device:device":{"health":{"temperature":200}}}}"#, "/device:device/health/temperature"),
        (r#"{"operational":{"device:device":{"port":[{"up":true}]}}}"#, "/device:device/port[1]"),
        (r#"{"operational":{"device:device":{"health":{"voltage":1,"charge":1}}}}"#, r#"choice "power""#),
        (r#"{"operational":{"device:port-lost":{}}}"#, r#"is a notification; give it as {"notification""#),
        (r#"{"operational":{"device:restart":{}}}"#, "is an operation"),
        (r#"{"operational":{"device:device":{"port":[{"name":"a","reset":{}}]}}}"#, "is an operation"),
        (r#"{"operational":{"ietf-yang-library:yang-library":{"content-id":"1"}}}"#, "the server tells of this itself"),
        (r#"{"notification":{}}"#, "there is no notification; it stands there by its name"),
        (r#"{"notification":{"device:device":{}}}"#, "no notification in /device:device"),
        (r#"{"notification":{"device:device":{"name":"x"}}}"#, "is data and no notification"),
        (r#"{"notification":{"device:port-lost":{},"device:device":{}}}"#, "a line has one notification"),
        (r#"{"notification":{"device:device":{"port":[{"name":"a","up":true,"flap":{"count":1}}]}}}"#, "only keys"),
        (r#"{"notification":{"device:device":{"port":[{"name":"a"},{"name":"b","flap":{"count":1}}]}}}"#, "one entry"),
        (r#"{"notification":{"device:device":{"port":[{"name":"a","flap":{}}]}}}"#, r#""count""#),
        (r#"{"notification":{"nc-notifications:replayComplete":{}}}"#, "the server tells of this itself"),
        (r#"{"delete":{"device:device":{}}}"#, "one string"),
        (r#"{"delete":"device"}"#, "a path is /module:container"),
        (r#"{"delete":"/device:device/port/up"}"#, "needs its keys"),
        (r#"{"delete":"/device:device/port[name='a']/name"}"#, "is a key; delete the entry"),
        (r#"{"delete":"/device:device/port[name='z']"}"#, "nothing to delete"),
        (r#"{"delete":"/device:device/health/fault[.='x']"}"#, "nothing to delete"),
    ] {
        let reason = match take(&mut device, line) {
            Err(reason) => reason,
            Ok(event) => panic!("{line} was taken: {event:?}"),
        };
        assert!(reason.contains(wanted), "{line}: {reason}");
        assert_eq!(reason.lines().count(), 1, "{reason}");
        assert!(device.state().same_version(&before), "{line} has changed the state");
    }
}

#[test]
fn a_reason_is_one_short_line_however_long_the_value() {
    let mut device = device();
    for value in [format!("\\n{}", "é".repeat(100_000)), "\\r\\n".repeat(100_000)] {
        let line = format!(r#"{{"operational":{{"device:device":{{"health":{{"temperature":"{value}"}}}}}}}}"#);
        for line in [line, format!(r#"{{"delete":"{value}"}}"#), format!(r#"{{"{value}":1}}"#)] {
            let reason = take(&mut device, &line).unwrap_err();
            assert!(reason.chars().count() <= 1001 && !reason.contains(char::is_control), "{reason:?}");
        }
    }
}

#[test]
fn lines_are_numbered_and_bounded() {
    let input = b"first\n\n  \r\n0123456789\n01234567890\nafter\n\xff\nlast".as_slice();
    let mut lines = Lines::up_to(10, input);
    let mut found = Vec::new();
    while let Some(line) = lines.next().unwrap() {
        let text = match line {
            Line::Text(text) => text.to_owned(),
            Line::Bad(reason) => reason,
        };
        found.push((lines.number(), text));
    }
    let found: Vec<_> = found.iter().map(|(number, text)| (*number, text.as_str())).collect();
    let long = "longer than 10 bytes; give less at once, on several lines";
    let bytes = "byte 1 is not UTF-8, in which JSON is written";
    assert_eq!(found, [(1, "first"), (4, "0123456789"), (5, long), (6, "after"), (7, bytes), (8, "last")]);
}
