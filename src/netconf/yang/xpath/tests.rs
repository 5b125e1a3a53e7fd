//! Expressions on the fixture: each axis, each function, types and bounds.

mod oracle;

use std::sync::Arc;

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::{edit, fixture};

const DATA: &str = "<system><name>box</name><level>-5</level><ratio>2.5</ratio><mode>fast</mode><pet>fx:cat</pet>\
    <target>/fx:servers/fx:server[fx:name='b']</target><options>a b</options><either>fx:dog</either><tag>x</tag><tag>y</tag><search>q</search>\
    <search>p</search><present/></system><servers>\
    <server><name>a</name><address>10.0.0.1</address><port>80</port><weight>3</weight></server>\
    <server><name>b</name><address>10.0.0.2</address><backup>a</backup></server>\
    <server><name>c</name><port>443</port><backup>b</backup></server>\
    <rule><id>2</id><sub>z</sub><action>drop</action></rule><rule><id>1</id><sub>y</sub><action>keep</action></rule></servers>";

const STATE: &str =
    "<servers><sample><at>1</at><value>-1</value></sample><sample><at>2</at><value>7</value></sample></servers>";

fn tree() -> Tree {
    let schema = fixture::schema();
    let within = |body| format!("<data xmlns=\"urn:fixture\" xmlns:fx=\"urn:fixture\">{body}</data>");
    let (config, state) = (within(DATA), within(STATE));
    let config = Document::parse(&config, &Limits::default()).unwrap();
    let state = Document::parse(&state, &Limits::default()).unwrap();
    let config = edit::read_config(&schema, config.root()).unwrap();
    config.merged(&edit::read_data(&schema, state.root()).unwrap())
}

fn paths(tree: &Tree, expression: &str) -> Vec<String> {
    let schema: &Arc<Schema> = tree.schema();
    let xpath = XPath::parse(expression, &Namespaces::new(schema)).unwrap_or_else(|e| panic!("{expression}: {e}"));
    let found = xpath.nodes(&Context::new(tree)).unwrap_or_else(|e| panic!("{expression}: {e}"));
    found.iter().map(|path| path.to_json_form(schema)).collect()
}

fn text(tree: &Tree, expression: &str) -> String {
    let xpath = XPath::parse(expression, &Namespaces::new(tree.schema()));
    let xpath = xpath.unwrap_or_else(|e| panic!("{expression}: {e}"));
    xpath.string(&Context::new(tree)).unwrap_or_else(|e| panic!("{expression}: {e}"))
}

#[test]
fn axes() {
    let tree = tree();
    let server = |name: &str| format!("/fixture:servers/server[name='{name}']");
    let leaf = |name: &str, leaf: &str| format!("/fixture:servers/server[name='{name}']/{leaf}");
    for (expression, expected) in [
        ("/servers/server[name='b']", vec![server("b")]),
        ("/fixture:servers/fixture:server[fixture:port > 79]", vec![server("a"), server("c")]),
        ("//server[2]", vec![server("b")]),
        ("//server[last()]", vec![server("c")]),
        ("//server[position() < 3]", vec![server("a"), server("b")]),
        ("//server[not(port)]", vec![]),
        ("//server/backup/..", vec![server("b"), server("c")]),
        ("//server[name='b']/following-sibling::server", vec![server("c")]),
        ("//server[name='c']/preceding-sibling::*[1]", vec![server("b")]),
        ("//server[name='c']/preceding-sibling::server[2]", vec![server("a")]),
        ("//address/ancestor::server", vec![server("a"), server("b")]),
        ("//address/ancestor::*[1]", vec![server("a"), server("b")]),
        ("//weight/ancestor-or-self::*[last()]", vec!["/fixture:servers".into()]),
        ("//weight/following::backup", vec![leaf("b", "backup"), leaf("c", "backup")]),
        ("//server[name='c']/name/preceding::address[1]", vec![leaf("b", "address")]),
        ("//server[name='c']/name/preceding::address[last()]", vec![leaf("a", "address")]),
        ("//name[parent::server]/self::name[. = 'a']", vec![leaf("a", "name")]),
        ("/servers/descendant::name[. > 'a' or . = 'c']", vec![leaf("c", "name")]),
        (
            "/system/tag[. = 'y'] | /system/search[1]",
            vec!["/fixture:system/tag[.='y']".into(), "/fixture:system/search[.='q']".into()],
        ),
        ("//sample[value = 7]", vec!["/fixture:servers/sample[2]".into()]),
        ("//rule[id=1]/action", vec!["/fixture:servers/rule[id='1'][sub='y']/action".into()]),
        ("//rule[sub='y'][id='1']", vec!["/fixture:servers/rule[id='1'][sub='y']".into()]),
        ("//rule[id='01' and sub='y']", vec![]),
        (
            "/servers/attribute::* | /servers/@x | //namespace::node() | //comment() | //processing-instruction('x')",
            vec![],
        ),
        ("/system/name/text()", vec!["/fixture:system/name".into()]),
        ("/system/name/node() | /system/name", vec!["/fixture:system/name".into()]),
        ("/system/*/text()/parent::*[. = 'box']", vec!["/fixture:system/name".into()]),
        ("deref(//server[name='c']/backup)/../address", vec![leaf("b", "address")]),
        ("deref(/system/target)/port", vec![leaf("b", "port")]),
        ("//server[name = current()/servers/server/backup]", vec![server("a"), server("b")]),
    ] {
        assert_eq!(paths(&tree, expression), expected, "{expression}");
    }
}

#[test]
fn functions_and_types() {
    let tree = tree();
    for (expression, expected) in [
        ("1 + 2 * 3 - 4 div 2", "5"),
        ("5 mod -2", "1"),
        ("-5 mod 2", "-1"),
        ("1 div 0", "Infinity"),
        ("-1 div 0", "-Infinity"),
        ("0 div 0", "NaN"),
        ("- - 3", "3"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("100000000000000000000", "100000000000000000000"),
        ("-0", "0"),
        ("number(' -12.50 ')", "-12.5"),
        ("number('1e3')", "NaN"),
        ("number('+1')", "NaN"),
        ("number(true()) + number(/system/level)", "-4"),
        ("string(/system/ratio)", "2.5"),
        ("/system/mtu", "1500"),
        ("/system/plain/inner", "dflt"),
        ("/system/pet", "fixture:cat"),
        ("string(//server[1])", "a10.0.0.1803"),
        ("string(/nowhere)", ""),
        ("count(//server)", "3"),
        ("count(//server[backup])", "2"),
        ("count(/system/port)", "2"),
        ("sum(//server/port)", "545"),
        ("count(/servers/server | /servers/server[1]) + count(/servers/*) + count(/servers)", "11"),
        ("count(/servers/nobody) + count(/system/plain) + count(//server/../rule)", "3"),
        ("string(/system[pet = 'fixture:cat' and 'fixture:cat' = pet]/name)", "box"),
        ("concat('fixture:', 'x')", "fixture:x"),
        ("concat('a', 1, true())", "a1true"),
        ("starts-with('abc', 'ab') and not(starts-with('abc', 'b'))", "true"),
        ("contains('abc', 'bc')", "true"),
        ("substring-before('1999/04/01', '/')", "1999"),
        ("substring-after('1999/04/01', '/')", "04/01"),
        ("substring('12345', 2, 3)", "234"),
        ("substring('12345', 1.5, 2.6)", "234"),
        ("substring('12345', 0, 3)", "12"),
        ("substring('12345', 0 div 0, 3)", ""),
        ("substring('12345', -42, 1 div 0)", "12345"),
        ("substring('12345', -1 div 0, 1 div 0)", ""),
        ("substring('a\u{e9}o', 2)", "\u{e9}o"),
        ("string-length('a\u{e9}o')", "3"),
        ("normalize-space('  a \n b ')", "a b"),
        ("translate('bar', 'abc', 'AB')", "BAr"),
        ("translate('--aaa--', 'abc-', 'ABC')", "AAA"),
        ("boolean('false')", "true"),
        ("boolean(0) or boolean('') or boolean(/nowhere)", "false"),
        ("lang('en')", "false"),
        ("floor(-2.5)", "-3"),
        ("ceiling(2.1)", "3"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-2"),
        ("round(0.49999999999999994)", "0"),
        ("count(/system/name/node()) + count(/system/name//.)", "3"),
        ("local-name(/system/*[1])", "name"),
        ("name(/servers)", "fixture:servers"),
        ("namespace-uri(/system)", "urn:fixture"),
        ("count(id('a'))", "0"),
        ("re-match(/system/name, '[a-z]+')", "true"),
        ("re-match('xbox', 'box')", "false"),
        ("derived-from(/system/pet, 'fixture:animal')", "true"),
        ("derived-from(/system/pet, 'fixture:cat')", "false"),
        ("derived-from-or-self(/system/pet, 'cat')", "true"),
        ("derived-from-or-self(/system/either, 'fixture:animal')", "true"),
        ("enum-value(/system/mode)", "0"),
        ("enum-value(/system/name)", "NaN"),
        ("bit-is-set(/system/options, 'a')", "true"),
        ("bit-is-set(/system/options, 'c')", "false"),
        ("string(deref(//server[2]/backup)/../address)", "10.0.0.1"),
        ("/system/pet = 'cat' and /system/pet = 'fixture:cat' and not(/system/pet = 'dog')", "true"),
        // Node-sets compare by any of their nodes, in both senses at once.
        ("//port = 22 and //port != 22 and //port > 400 and //port < 80", "true"),
        ("//server/name = //backup", "true"),
        ("//server/name != //server/name", "true"),
        ("//server[1]/name != //server[1]/name", "false"),
        ("/nowhere = /nowhere or /nowhere != 1 or /nowhere = ''", "false"),
        ("/nowhere = false()", "true"),
        ("//server > 0", "false"),
        ("1 = '1' and true() = 'x' and '1' != '1.0'", "true"),
        ("1 < 2 = true()", "true"),
    ] {
        assert_eq!(text(&tree, expression), expected, "{expression}");
    }
}

#[test]
fn what_is_not_in_the_tree_but_exists() {
    let empty = Tree::new(fixture::schema());
    // Containers without presence exist where their parent does, with nothing in them (RFC 7950 section 7.5.1).
    assert_eq!(text(&empty, "count(/fixture:system) + count(/fixture:system/plain) + count(//present)"), "2");
    assert_eq!(paths(&empty, "/fixture:system"), Vec::<String>::new());
    // So does the context of a when (section 7.21.5).
    let tree = tree();
    let schema = tree.schema();
    let weight = schema.find("/fixture:servers/server/weight").unwrap();
    let module = schema.node(weight).module;
    let when = XPath::parse_at("../port != 22", &Namespaces::of_module(schema, module), Some(weight)).unwrap();
    let at = |name: &str| {
        let xpath = XPath::parse(&format!("/servers/server[name='{name}']"), &Namespaces::new(schema)).unwrap();
        let mut path = xpath.nodes(&Context::new(&tree)).unwrap().remove(0);
        path.push(weight, crate::yang::path::Predicate::None);
        when.boolean(&Context::new(&tree).at(&path)).unwrap()
    };
    assert_eq!(["a", "b", "c"].map(at), [true, false, true]);
    let seen: Vec<String> = when.bounds().nodes(schema).map(|id| schema.path(id)).collect();
    assert_eq!(seen, ["/fixture:servers/server", "/fixture:servers/server/port"]);
}

#[test]
fn wrong_expressions() {
    let schema = fixture::schema();
    let namespaces = Namespaces::new(&schema);
    for expression in [
        "",
        "/system/",
        "//",
        "a b",
        "a[",
        "a]",
        "a[]",
        "'open",
        "$x",
        "1 +",
        "f(1)",
        "count()",
        "count(1, 2)",
        "true(1)",
        "x:f()",
        "sideways::a",
        "a/(b)",
        "a | 1",
        "count(1)",
        "('a')[1]",
        "a::",
        "@",
        "fixture:",
        "#",
        "deref('x')",
        "..a",
        "not(",
    ] {
        assert!(XPath::parse(expression, &namespaces).is_err(), "{expression}");
    }
    let unbound = XPath::parse("/nobody:x", &namespaces).unwrap_err();
    assert!(matches!(unbound, XPathError::Name(_)), "{unbound}");
    assert_eq!(
        XPath::parse("/system/ +", &namespaces).unwrap_err().to_string(),
        "the expression is wrong at byte 9: a step is missing"
    );
    let tree = tree();
    let bad_pattern = XPath::parse("re-match('a', '[')", &namespaces).unwrap();
    assert!(matches!(bad_pattern.boolean(&Context::new(&tree)), Err(XPathError::Value(_))));
    assert!(matches!(XPath::parse("1", &namespaces).unwrap().nodes(&Context::new(&tree)), Err(XPathError::Type(_))));
}

#[test]
fn subtrees_are_outermost() {
    let tree = tree();
    let subtrees = |expression: &str| {
        let xpath = XPath::parse(expression, &Namespaces::new(tree.schema())).unwrap();
        let found = xpath.subtrees(&Context::new(&tree)).unwrap();
        found.iter().map(|path| path.to_json_form(tree.schema())).collect::<Vec<_>>()
    };
    assert_eq!(subtrees("//fixture:*"), ["/fixture:system", "/fixture:servers"]);
    assert_eq!(subtrees("//* | /"), ["/"]);
    let server = |name: &str| format!("/fixture:servers/server[name='{name}']");
    let expected = [server("a"), format!("{}/name", server("b")), server("c")];
    assert_eq!(subtrees("//server[port != 22] | //server/name | //server/name/text()"), expected);
}

#[test]
fn bounds_of_size_and_work() {
    let schema = fixture::schema();
    let namespaces = Namespaces::new(&schema);
    let too_large = |expression: &str| matches!(XPath::parse(expression, &namespaces), Err(XPathError::TooLarge(_)));
    assert!(too_large(&format!("{}1{}", "(".repeat(33), ")".repeat(33))));
    assert!(!too_large(&format!("{}1{}", "(".repeat(31), ")".repeat(31))));
    assert!(too_large(&format!("{}1", "1+".repeat(300))));
    assert!(too_large(&format!("'{}'", "x".repeat(MAX_LENGTH))));
    assert!(!too_large(&format!("{}true()", "1 = 2 or ".repeat(2000))));
    let tree = tree();
    // What passes the bounds fits the stack of a thread.
    let sum = format!("{}1 > 0", "1+".repeat(256));
    let deepest = format!("{}({sum}){}", "/fixture:system[".repeat(30), "]".repeat(30));
    let deepest = XPath::parse(&deepest, &namespaces).unwrap();
    assert_eq!(deepest.nodes(&Context::new(&tree)).unwrap().len(), 1);
    let signs = format!("{}1", "-".repeat(1000));
    assert_eq!(text(&tree, &signs), "1");
    let slow = XPath::parse("count(//*[count(//*[count(//*) > 1]) > 1])", &namespaces).unwrap();
    let context = Context { work: 10_000, ..Context::new(&tree) };
    assert_eq!(slow.number(&context), Err(XPathError::TooMuchWork));
}

#[test]
fn names_with_and_without_prefixes() {
    let tree = tree();
    let schema = tree.schema();
    let text =
        "<filter xmlns='urn:ietf:params:xml:ns:netconf:base:1.0' xmlns:f='urn:fixture' xmlns:nacm='urn:unknown'/>";
    let document = Document::parse(text, &Limits::default()).unwrap();
    let namespaces = Namespaces::of_element(schema, document.root());
    for (expression, count) in [
        ("/f:servers/f:server", 3),
        ("/servers/f:server", 3),
        ("/fixture:servers/*[f:name = 'a']", 1),
        ("/f:system[f:pet = 'f:cat']", 1),
        ("/f:system[f:target = '/f:servers/f:server[f:name=\"b\"]']", 0),
        ("/f:system[f:target = \"/f:servers/f:server[f:name='b']\"]", 1),
        ("/f:*", 2),
        // A text is a text, whatever it looks like.
        ("/f:system[concat('f:', 'x') = 'f:x']", 1),
        ("/f:system['f:x' != 'fixture:x']", 1),
        ("/f:system[(f:pet | f:nothing) = 'f:cat']", 1),
    ] {
        let xpath = XPath::parse(expression, &namespaces).unwrap();
        assert_eq!(xpath.nodes(&Context::new(&tree)).unwrap().len(), count, "{expression}");
    }
    // A prefix that is declared is that namespace's, also where a module has that name.
    assert!(XPath::parse("/nacm:nacm", &namespaces).is_err());
}

#[test]
fn keys_are_looked_up() {
    let schema = fixture::schema();
    let servers: String = (0..5000).map(|n| format!("<server><name>s{n}</name><port>{n}</port></server>")).collect();
    let xml = format!("<data xmlns=\"urn:fixture\"><servers>{servers}</servers></data>");
    let tree = edit::read_data(&schema, Document::parse(&xml, &Limits::default()).unwrap().root()).unwrap();
    for (expression, looks_up) in [
        ("/servers/server[name='s77']/port", true),
        ("/servers/server['s77' = name][port]/port", true),
        ("//server[name='s77' and port=77]/port", true),
        ("/servers/server[name=concat('s', 70 + 7)]/port", true),
        ("/servers/server[name=/servers/server[name='s77']/name]/port", true),
        ("/servers/server[port=77]/port", false),
    ] {
        let xpath = XPath::parse(expression, &Namespaces::new(&schema)).unwrap();
        let within = |work| xpath.nodes(&Context { work, ..Context::new(&tree) });
        assert_eq!(within(MAX_WORK).unwrap().len(), 1, "{expression}");
        assert_eq!(within(100).is_ok(), looks_up, "{expression}");
    }
}
