//! Expressions on the fixture: each axis, each function, types and bounds.

use std::sync::Arc;

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::edit::read_data;
use crate::yang::fixture;

const DATA: &str = "<system><name>box</name><level>-5</level><ratio>2.5</ratio><mode>fast</mode><pet>fx:cat</pet>\
    <target>/fx:servers/fx:server[fx:name='b']</target><options>a b</options><either>fx:dog</either><tag>x</tag><tag>y</tag><search>q</search>\
    <search>p</search><present/></system><servers>\
    <server><name>a</name><address>10.0.0.1</address><port>80</port><weight>3</weight></server>\
    <server><name>b</name><address>10.0.0.2</address><backup>a</backup></server>\
    <server><name>c</name><port>443</port><backup>b</backup></server>\
    <rule><id>2</id><sub>z</sub><action>drop</action></rule><rule><id>1</id><sub>y</sub><action>keep</action></rule>\
    <sample><at>1</at><value>-1</value></sample><sample><at>2</at><value>7</value></sample></servers>";

fn tree() -> Tree {
    let schema = fixture::schema();
    let text = format!("<data xmlns=\"urn:fixture\" xmlns:fx=\"urn:fixture\">{DATA}</data>");
    let document = Document::parse(&text, &Limits::default()).unwrap();
    read_data(&schema, document.root()).unwrap()
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
        ("deref(//server[name='c']/backup)/../address", vec![leaf("b", "address")]),
        ("deref(/system/target)/port", vec![leaf("b", "port")]),
        ("//server[name = current()/servers/server/backup]", vec![server("a"), server("b")]),
    ] {
        assert_eq!(paths(&tree, expression), expected, "{expression}");
    }
}
