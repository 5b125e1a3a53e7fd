//! Our own checks against libyang's: random edits of a module with every kind of constraint, and what an edit costs.

use proptest::prelude::*;

use super::*;
use crate::yang::ffi::Source;

const BOUNDS: Source = Source {
    name: "bounds",
    revision: None,
    text: r#"module bounds { yang-version 1.1; namespace urn:bounds; prefix b;
      container net {
        leaf mode { type enumeration { enum a; enum b; } default a; }
        leaf limit { type uint8; default 10; }
        container fast { when "../mode = 'b'";
          leaf rate { type uint8; default 5; must ". <= ../../limit" { error-message "Too fast."; error-app-tag fast; } } }
        leaf note { when "../mode = 'a'"; type string; }
        list port { key name; unique slot;
          must "not(role = 'up') or slot";
          leaf name { type string; }
          leaf speed { type uint8; must ". <= ../../limit"; }
          leaf slot { type uint8; }
          leaf role { type enumeration { enum up; enum down; } }
          leaf uplink { when "../role = 'up'"; type uint8; default 3; }
          leaf peer { type leafref { path "../../port/name"; } must "not(. = ../name)"; }
        }
        list link { key id; ordered-by user; max-elements 3;
          must "/b:net/port[name = current()/from]/role = 'up'";
          must "not(special) or count(preceding-sibling::link) < 1";
          leaf id { type string; }
          leaf special { type empty; }
          leaf from { type leafref { path "../../port/name"; } mandatory true; }
          leaf slot { type leafref { path "../../port[name = current()/../from]/slot"; } }
        }
        leaf active { type leafref { path "../port/name"; } must "../port[name = current()]/role = 'up'"; }
        leaf-list tag { type string; max-elements 2; must "string-length(.) < 3"; }
        choice way {
          case x { when "mode = 'b'"; leaf x { type uint8; default 1; } }
          case y { leaf y { type uint8; } container z { presence here; leaf must-be { type uint8; mandatory true; } } }
        }
        container guard { must "not(../limit > 20) or allowed"; leaf allowed { type empty; } }
        container sum { must "sum(../port/speed) <= 30"; }
      } }"#,
};

fn schema() -> Arc<Schema> {
    Schema::builder().standard().sources([BOUNDS]).module("bounds", None, &[]).build().unwrap()
}

/// One element of `<net>`.
fn part() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("p"), Just("q"), Just("r")];
    let id = prop_oneof![Just("1"), Just("2"), Just("3"), Just("4")];
    let port = (
        name.clone(),
        prop_oneof![
            Just(String::new()),
            (0..16u8).prop_map(|n| format!("<speed>{n}</speed>")),
            (0..3u8).prop_map(|n| format!("<slot>{n}</slot>")),
            (0..3u8).prop_map(|n| format!("<role>up</role><slot>{n}</slot>")),
            Just("<role>down</role>".to_owned()),
            Just("<role nc:operation=\"remove\"/>".to_owned()),
            Just("<slot nc:operation=\"remove\"/>".to_owned()),
            (0..9u8).prop_map(|n| format!("<uplink>{n}</uplink>")),
            Just("<uplink nc:operation=\"remove\"/>".to_owned()),
            name.clone().prop_map(|name| format!("<peer>{name}</peer>")),
            Just("<peer nc:operation=\"remove\"/>".to_owned()),
        ],
    );
    let link = (
        id.clone(),
        name.clone(),
        prop_oneof![
            Just(String::new()),
            Just("<special/>".to_owned()),
            Just("<special nc:operation=\"remove\"/>".to_owned()),
            (0..3u8).prop_map(|n| format!("<slot>{n}</slot>")),
        ],
    );
    prop_oneof![
        4 => port.prop_map(|(name, inside)| format!("<port><name>{name}</name>{inside}</port>")),
        2 => link.clone().prop_map(|(id, from, inside)| format!("<link><id>{id}</id><from>{from}</from>{inside}</link>")),
        1 => link.prop_map(|(id, from, _)| format!("<link yang:insert=\"first\"><id>{id}</id><from>{from}</from></link>")),
        1 => id.prop_map(|id| format!("<link nc:operation=\"remove\"><id>{id}</id></link>")),
        1 => name.prop_map(|name| format!("<port nc:operation=\"remove\"><name>{name}</name></port>")),
        1 => prop_oneof![Just("<mode>a</mode>"), Just("<mode>b</mode>"), Just("<mode nc:operation=\"remove\"/>")]
            .prop_map(str::to_owned),
        1 => (4..24u8).prop_map(|n| format!("<limit>{n}</limit>")),
        1 => Just("<limit nc:operation=\"remove\"/>".to_owned()),
        1 => (4..24u8).prop_map(|n| format!("<fast><rate>{n}</rate></fast>")),
        1 => Just("<fast nc:operation=\"remove\"/>".to_owned()),
        1 => Just("<note>n</note>".to_owned()),
        2 => prop_oneof![Just("p"), Just("q"), Just("r")].prop_map(|name| format!("<active>{name}</active>")),
        1 => prop_oneof![Just("t"), Just("tt"), Just("ttt"), Just("u")].prop_map(|tag| format!("<tag>{tag}</tag>")),
        1 => prop_oneof![Just("t"), Just("tt")].prop_map(|tag| format!("<tag nc:operation=\"remove\">{tag}</tag>")),
        1 => prop_oneof![Just("<x>4</x>"), Just("<y>4</y>"), Just("<z/>"), Just("<z><must-be>1</must-be></z>"),
            Just("<x nc:operation=\"remove\"/>"), Just("<y nc:operation=\"remove\"/>")].prop_map(str::to_owned),
        1 => prop_oneof![Just("<guard><allowed/></guard>"), Just("<guard nc:operation=\"remove\"/>")].prop_map(str::to_owned),
    ]
}

fn edited_net(tree: &Tree, parts: &[String]) -> Option<Tree> {
    let text = format!(
        "<config xmlns:nc=\"{}\" xmlns:yang=\"urn:ietf:params:xml:ns:yang:1\"><net xmlns=\"urn:bounds\">{}</net></config>",
        edit::NETCONF_NAMESPACE,
        parts.concat()
    );
    let document = Document::parse(&text, &Limits::default()).unwrap();
    let (tree, errors) = edit::edit(tree, document.root(), Operation::Merge);
    errors.is_empty().then_some(tree)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn edits_are_judged_as_libyang_judges_the_whole(
        edits in prop::collection::vec(prop::collection::vec(part(), 1..5), 1..16)
    ) {
        let schema = schema();
        let mut validator = Validator::new(schema.clone());
        let mut running = validator.validate_all(&Tree::initial(schema.clone())).unwrap();
        for parts in edits {
            let Some(new) = edited_net(&running, &parts) else { continue };
            let theirs = Mirror::new(schema.clone()).follow(&running).unwrap().follow(&new).map(|mirror| mirror.at);
            let ours = validator.validate(&running, &new);
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    prop_assert!(ours == theirs, "{parts:?}\n{running:?}\nours {ours:?}\ntheirs {theirs:?}");
                    running = ours;
                }
                (Err(ours), Err(theirs)) => {
                    // libyang tells of the rest only where all instances are there.
                    let told = |errors: &[RpcError]| {
                        let mut told: Vec<_> = errors.iter().map(|e| format!("{e:?}")).collect();
                        told.sort();
                        told
                    };
                    let (ours, theirs) = (told(&ours), told(&theirs));
                    prop_assert!(theirs.iter().all(|error| ours.contains(error)), "{parts:?}\n{running:?}\nours {ours:#?}\ntheirs {theirs:#?}");
                }
                (ours, theirs) => prop_assert!(false, "{parts:?}\n{running:?}\nours {ours:?}\ntheirs {theirs:?}"),
            }
        }
    }
}

/// The number of expressions that an edit of one leaf asks does not grow with the entries beside it.
#[test]
fn an_edit_asks_what_it_touches() {
    let mut asked = Vec::new();
    for count in [1_000, 20_000] {
        let schema = schema();
        let mut validator = Validator::new(schema.clone());
        let initial = validator.validate_all(&Tree::initial(schema.clone())).unwrap();
        let ports: Vec<String> = (0..count)
            .map(|n| {
                format!("<port><name>n{n}</name>{}</port>", if n == 7 { "<role>up</role><slot>1</slot>" } else { "" })
            })
            .collect();
        let full = edited_net(&initial, &ports).unwrap();
        let mut running = validator.validate_all(&full).unwrap();
        let mut cost = |part: &str| {
            let before = validator.indexes.evaluations;
            let new = edited_net(&running, &[part.to_owned()]).unwrap();
            running = validator.validate(&running, &new).unwrap();
            assert!(validator.mirror.is_none(), "{part} was left to libyang");
            validator.indexes.evaluations - before
        };
        asked.push([
            cost("<port><name>n5</name><peer>n6</peer></port>"),
            cost("<link><id>1</id><from>n7</from></link>"),
            cost("<port><name>n7</name><slot>2</slot></port>"),
            cost("<port><name>n9</name><slot>9</slot></port>"),
            cost("<tag>t</tag>"),
        ]);
    }
    assert_eq!(asked[0], asked[1]);
    assert!(asked[0].iter().all(|asked| *asked < 12), "{asked:?}");
}
