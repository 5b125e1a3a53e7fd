//! Tests of subtree filters, those of RFC 6241 section 6.4 on a model of our own among them.

use std::sync::Arc;

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::ffi::Source;
use crate::yang::tree::Tree;
use crate::yang::write::{WithDefaults, WriteOptions, write};
use crate::yang::xpath::{Namespaces, XPath};
use crate::yang::{edit, fixture};

const STAFF: Source = Source {
    name: "staff",
    revision: Some("2026-01-01"),
    text: r#"
module staff {
  yang-version 1.1;
  namespace "urn:staff";
  prefix st;
  revision 2026-01-01;
  container site {
    container people {
      list person {
        key name;
        leaf name { type string; }
        leaf role { type string; }
        leaf-list skill { type string; }
        container office { leaf floor { type uint8; } leaf desk { type uint16; } }
      }
    }
    container rooms { list room { key "floor number"; leaf floor { type uint8; } leaf number { type uint8; } leaf seats { type uint8; } } }
    list visit { config false; leaf who { type string; } leaf day { type uint16; } }
    leaf motto { type string; }
  }
  leaf open { type boolean; }
}
"#,
};

const AUGMENT: Source = Source {
    name: "badge",
    revision: Some("2026-01-01"),
    text: r#"
module badge {
  yang-version 1.1;
  namespace "urn:badge";
  prefix bd;
  import staff { prefix st; }
  revision 2026-01-01;
  augment "/st:site/st:people/st:person" { leaf role { type string; } leaf badge { type uint32; } }
}
"#,
};

fn staff_schema() -> Arc<Schema> {
    let builder = Schema::builder().standard().sources([STAFF, AUGMENT]);
    builder.module("staff", None, &[]).module("badge", None, &[]).build().unwrap()
}

fn read(schema: &Arc<Schema>, xml: &str) -> Tree {
    let text = format!("<data>{xml}</data>");
    edit::read_data(schema, Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
}

fn staff() -> Tree {
    let person = |name: &str, role: &str, skills: &str, floor: u8, desk: u16| {
        format!(
            "<person><name>{name}</name><role>{role}</role>{skills}<office><floor>{floor}</floor><desk>{desk}</desk>\
             </office><badge xmlns=\"urn:badge\">{desk}</badge></person>"
        )
    };
    let people = [
        person("ada", "boss", "<skill>c</skill><skill>rust</skill>", 1, 10),
        person("bob", "staff", "<skill>rust</skill>", 1, 11),
        person("cyd", "staff", "", 2, 20),
    ]
    .concat();
    let rooms: String = [(1, 1, 4), (1, 2, 8), (2, 1, 4)]
        .iter()
        .map(|(f, n, s)| format!("<room><floor>{f}</floor><number>{n}</number><seats>{s}</seats></room>"))
        .collect();
    let visits = "<visit><who>eve</who><day>1</day></visit><visit><who>fay</who><day>2</day></visit>";
    read(
        &staff_schema(),
        &format!(
            "<site xmlns=\"urn:staff\"><people>{people}</people><rooms>{rooms}</rooms>{visits}<motto>on &amp; on</motto></site>\
             <open xmlns=\"urn:staff\">true</open>"
        ),
    )
}

fn select(schema: &Schema, filter: &str) -> Result<Selection, RpcError> {
    let text = format!("<filter>{filter}</filter>");
    Selection::from_subtree(schema, Document::parse(&text, &Limits::default()).unwrap().root())
}

fn show(tree: &Tree, what: &Selection) -> String {
    let mut out = Vec::new();
    let options = WriteOptions { defaults: WithDefaults::ReportAll, ..WriteOptions::default() };
    write(tree, what, None, options, &mut out);
    String::from_utf8(out).unwrap()
}

/// What the filter selects of the staff, without the namespace declarations.
fn filtered(tree: &Tree, filter: &str) -> String {
    let text = filter.replace("<site>", "<site xmlns=\"urn:staff\">");
    show(tree, &select(tree.schema(), &text).unwrap())
        .replace(" xmlns=\"urn:staff\"", "")
        .replace(" xmlns=\"urn:badge\"", "")
}

fn people(body: &str) -> String {
    format!("<site><people>{body}</people></site>")
}

#[test]
fn no_filter_selects_all_and_an_empty_filter_nothing() {
    let tree = staff();
    let all = show(&tree, &Selection::all());
    assert!(
        all.contains("<motto>on &amp; on</motto>") && all.ends_with("<open xmlns=\"urn:staff\">true</open>"),
        "{all}"
    );
    assert_eq!(filtered(&tree, ""), "");
    assert_eq!(filtered(&tree, " \n "), "");
    assert_eq!(show(&tree, &Selection::nothing()), "");
}

/// RFC 6241 sections 6.4.3 to 6.4.7.
#[test]
fn the_worked_examples_of_the_rfc() {
    let tree = staff();
    let ada = "<person><name>ada</name><role>boss</role><skill>c</skill><skill>rust</skill><office><floor>1</floor>\
               <desk>10</desk></office><badge>10</badge></person>";
    let bob = "<person><name>bob</name><role>staff</role><skill>rust</skill><office><floor>1</floor>\
               <desk>11</desk></office><badge>11</badge></person>";
    let cyd = "<person><name>cyd</name><role>staff</role><office><floor>2</floor><desk>20</desk></office>\
               <badge>20</badge></person>";
    let everybody = people(&[ada, bob, cyd].concat());
    // 6.4.3: the whole subtree, by a selection node and by containment of one.
    assert_eq!(filtered(&tree, "<site><people/></site>"), everybody);
    assert_eq!(filtered(&tree, &people("<person/>")), everybody);
    // 6.4.4: all the names.
    let names = "<person><name>ada</name></person><person><name>bob</name></person><person><name>cyd</name></person>";
    assert_eq!(filtered(&tree, &people("<person><name/></person>")), people(names));
    // 6.4.5: one entry.
    assert_eq!(filtered(&tree, &people("<person><name>bob</name></person>")), people(bob));
    // 6.4.6: parts of one entry.
    assert_eq!(
        filtered(&tree, &people("<person><name>bob</name><role/><office/></person>")),
        people("<person><name>bob</name><role>staff</role><office><floor>1</floor><desk>11</desk></office></person>")
    );
    // 6.4.7: several subtrees: all of one, parts of two others.
    assert_eq!(
        filtered(
            &tree,
            &people(
                "<person><name>ada</name><office/></person><person><name>bob</name></person>\
                 <person><name>cyd</name><role/><office><desk/></office></person>"
            )
        ),
        people(
            &[
                "<person><name>ada</name><office><floor>1</floor><desk>10</desk></office></person>",
                bob,
                "<person><name>cyd</name><role>staff</role><office><desk>20</desk></office></person>"
            ]
            .concat()
        )
    );
}

/// RFC 6241 sections 6.2.2 and 6.4.8: YANG data has no attributes that could match.
#[test]
fn an_attribute_match_expression_selects_nothing() {
    let tree = staff();
    assert_eq!(filtered(&tree, &people("<person sex=\"f\"/>")), "");
    assert_eq!(filtered(&tree, &people("<person><name sex=\"f\">ada</name></person>")), "");
    let other = "<person><name>ada</name><role sex=\"f\"/></person>";
    assert_eq!(filtered(&tree, &people(other)), people("<person><name>ada</name></person>"));
}

#[test]
fn content_matches_are_joined_by_and_and_sibling_subtrees_by_or() {
    let tree = staff();
    let named = |names: &[&str]| {
        people(&names.iter().map(|name| format!("<person><name>{name}</name></person>")).collect::<String>())
    };
    for (filter, expected) in [
        ("<person><role>staff</role><name/></person>", vec!["bob", "cyd"]),
        ("<person><role>staff</role><name>cyd</name><absent/></person>", vec!["cyd"]),
        ("<person><role>boss</role><name>cyd</name><name/></person>", vec![]),
        ("<person><name>ada</name><name>bob</name><name/></person>", vec![]),
        ("<person><name>ada</name><name/></person><person><name>cyd</name><name/></person>", vec!["ada", "cyd"]),
        ("<person><name>ada</name><name/></person><person><role>boss</role><name/></person>", vec!["ada"]),
        ("<person><name> ada\n</name><name/></person>", vec!["ada"]),
        ("<person><name>Ada</name><name/></person>", vec![]),
    ] {
        let names: Vec<&str> = expected;
        let expected = if names.is_empty() { String::new() } else { named(&names) };
        // Matched leafs are part of the result: only the names are compared.
        let got = filtered(&tree, &people(filter)).replace("<role>staff</role>", "").replace("<role>boss</role>", "");
        assert_eq!(got, expected, "{filter}");
    }
}

#[test]
fn values_are_compared_in_canonical_form() {
    let tree = staff();
    let desk = |text: &str| filtered(&tree, &people(&format!("<person><office><desk>{text}</desk></office></person>")));
    let expected = people("<person><name>bob</name><office><floor>1</floor><desk>11</desk></office></person>");
    assert_eq!(desk("11"), expected);
    assert_eq!(desk(" 0011 "), expected);
    assert_eq!(desk("+11"), expected);
    assert_eq!(desk("eleven"), "");
    assert_eq!(desk("99999999"), "");

    let schema = fixture::schema();
    let data =
        read(&schema, "<system xmlns=\"urn:fixture\"><name>n</name><pet xmlns:p=\"urn:fixture\">p:cat</pet></system>");
    let by_pet = |pet: &str| {
        let filter = format!(
            "<system xmlns=\"urn:fixture\" xmlns:a=\"urn:fixture\" xmlns:b=\"urn:b\"><pet>{pet}</pet><name/></system>"
        );
        show(&data, &select(&schema, &filter).unwrap()).contains("<name>n</name>")
    };
    assert!(by_pet("a:cat") && by_pet("cat"));
    assert!(!by_pet("a:dog") && !by_pet("b:cat") && !by_pet("nobody:cat"));
}

#[test]
fn leaf_lists_match_by_any_entry_and_yield_the_matched_ones() {
    let tree = staff();
    let skills = |filter: &str| filtered(&tree, &people(&format!("<person>{filter}</person>")));
    assert_eq!(
        skills("<skill>rust</skill><name/>"),
        people(
            "<person><name>ada</name><skill>rust</skill></person><person><name>bob</name><skill>rust</skill></person>"
        )
    );
    assert_eq!(
        skills("<skill>rust</skill><skill>c</skill><name/>"),
        people("<person><name>ada</name><skill>c</skill><skill>rust</skill></person>")
    );
    assert_eq!(skills("<skill>go</skill>"), "");
    assert_eq!(
        skills("<skill/>"),
        people(
            "<person><name>ada</name><skill>c</skill><skill>rust</skill></person><person><name>bob</name><skill>rust</skill></person>"
        )
    );
}

/// RFC 6241 section 6.2.1.
#[test]
fn namespaces_select_and_none_is_a_wildcard() {
    let tree = staff();
    let open = "<open>true</open>";
    assert_eq!(filtered(&tree, "<open xmlns=\"urn:staff\"/>"), open);
    assert_eq!(filtered(&tree, "<open/>"), open);
    assert_eq!(filtered(&tree, "<open xmlns=\"urn:nobody\"/>"), "");
    assert_eq!(filtered(&tree, "<open xmlns=\"urn:badge\"/>"), "");
    assert_eq!(filtered(&tree, "<x:open xmlns:x=\"urn:staff\"/>"), open);
    let badge = |element: &str| filtered(&tree, &people(&format!("<person><name>cyd</name>{element}</person>")));
    let expected = people("<person><name>cyd</name><badge>20</badge></person>");
    assert_eq!(badge("<badge xmlns=\"urn:badge\"/>"), expected);
    assert_eq!(badge("<badge xmlns=\"\"/>"), expected);
    assert_eq!(badge("<badge/>"), people("<person><name>cyd</name></person>"));
    // A leaf of two modules: the wildcard means both, and a match on either will do.
    let schema = tree.schema().clone();
    let two = read(
        &schema,
        "<site xmlns=\"urn:staff\"><people><person><name>dan</name><role>a</role><role xmlns=\"urn:badge\">b</role></person>\
         </people></site>",
    );
    let role =
        |value: &str| filtered(&two, &people(&format!("<person><role xmlns=\"\">{value}</role><name/></person>")));
    assert_eq!(role("b"), people("<person><name>dan</name><role>b</role></person>"));
    assert_eq!(role("a"), people("<person><name>dan</name><role>a</role></person>"));
    assert_eq!(role("c"), "");
    assert_eq!(
        filtered(&two, &people("<person><role xmlns=\"\"/></person>")),
        people("<person><name>dan</name><role>a</role><role>b</role></person>")
    );
}

#[test]
fn what_is_not_there_selects_nothing_and_leaves_no_empty_element() {
    let tree = staff();
    for filter in [
        "<nobody/>",
        "<site><nobody/></site>",
        "<site><people><person><nobody/></person></people></site>",
        "<site><people><person><name>zoe</name></person></people></site>",
        "<site><people><person><name><deeper/></name></person></people></site>",
        "<site><people>text</people></site>",
        "<site><people><person>text</person></people></site>",
        "<site><motto>off</motto><people/></site>",
        "<open xmlns=\"urn:staff\">false</open><site/>",
    ] {
        assert_eq!(filtered(&tree, filter), "", "{filter}");
    }
    // A content match in one subtree is nothing to its siblings.
    assert_eq!(
        filtered(&tree, "<site><people><person><name>zoe</name></person></people><motto/></site>"),
        "<site><motto>on &amp; on</motto></site>"
    );
}

#[test]
fn content_match_at_the_top_selects_the_datastore() {
    let tree = staff();
    assert_eq!(
        show(&tree, &select(tree.schema(), "<open xmlns=\"urn:staff\">true</open>").unwrap()),
        show(&tree, &Selection::all())
    );
}

#[test]
fn lists_without_keys_and_with_several() {
    let tree = staff();
    assert_eq!(
        filtered(&tree, "<site><visit><day>2</day></visit></site>"),
        "<site><visit><who>fay</who><day>2</day></visit></site>"
    );
    assert_eq!(
        filtered(&tree, "<site><visit><who/></visit></site>"),
        "<site><visit><who>eve</who></visit><visit><who>fay</who></visit></site>"
    );
    let room = |filter: &str| filtered(&tree, &format!("<site><rooms><room>{filter}</room></rooms></site>"));
    assert_eq!(
        room("<number>1</number><floor>2</floor>"),
        "<site><rooms><room><floor>2</floor><number>1</number><seats>4</seats></room></rooms></site>"
    );
    // Keys come along with what is selected.
    assert_eq!(
        room("<floor>1</floor><seats/>"),
        "<site><rooms><room><floor>1</floor><number>1</number><seats>4</seats></room>\
         <room><floor>1</floor><number>2</number><seats>8</seats></room></rooms></site>"
    );
}

#[test]
fn mixed_content_is_an_error() {
    let schema = staff_schema();
    for filter in ["text", "text<open/>", "<site xmlns=\"urn:staff\">text<people/></site>"] {
        assert_eq!(select(&schema, filter).unwrap_err().tag, crate::error::ErrorTag::BadElement, "{filter}");
    }
}

#[test]
fn reach_tells_what_need_not_be_fetched() {
    let tree = staff();
    let schema = tree.schema();
    let what = select(
        schema,
        "<site xmlns=\"urn:staff\"><people><person><role>staff</role><office/></person></people></site>",
    )
    .unwrap();
    let reaches = |what: &Selection, path: &str| what.reaches(schema.find(path).unwrap());
    for path in [
        "/staff:site",
        "/staff:site/people/person",
        "/staff:site/people/person/role",
        "/staff:site/people/person/office/desk",
    ] {
        assert!(reaches(&what, path), "{path}");
        assert!(reaches(&Selection::all(), path) && !reaches(&Selection::nothing(), path));
    }
    for path in ["/staff:site/motto", "/staff:site/rooms", "/staff:site/people/person/skill", "/staff:open"] {
        assert!(!reaches(&what, path), "{path}");
    }
    // Content matches alone ask for all beside them.
    let what = select(schema, "<site xmlns=\"urn:staff\"><motto>x</motto></site>").unwrap();
    assert!(reaches(&what, "/staff:site/rooms/room/seats") && !reaches(&what, "/staff:open"));
}

#[test]
fn key_constraints_name_the_only_entries() {
    let schema = staff_schema();
    let person = schema.find("/staff:site/people/person").unwrap();
    let constraints = |filter: &str| {
        let text = filter.replace("<site>", "<site xmlns=\"urn:staff\">");
        select(&schema, &text).unwrap().key_constraints(&schema, person)
    };
    let key = |name: &str| Key::One(Value::Text(name.into()));
    assert_eq!(
        constraints(&people("<person><name>cyd</name><role/></person><person><name>ada</name></person>")),
        Some(vec![key("ada"), key("cyd")])
    );
    assert_eq!(constraints(&people("<person><name>cyd</name></person><person><role/></person>")), None);
    assert_eq!(constraints(&people("<person><name/></person>")), None);
    assert_eq!(constraints("<site/>"), None);
    assert_eq!(constraints("<site><motto>x</motto></site>"), None);
    assert_eq!(constraints("<site><motto/></site>"), Some(vec![]));
    assert_eq!(Selection::all().key_constraints(&schema, person), None);
}

#[test]
fn instances_are_selected_by_their_paths() {
    let tree = staff();
    let schema = tree.schema();
    let id = |path: &str| schema.find(path).unwrap();
    let person = |name: &str| {
        let mut path = InstancePath::default();
        path.push(id("/staff:site"), Predicate::None);
        path.push(id("/staff:site/people"), Predicate::None);
        path.push(id("/staff:site/people/person"), Predicate::Key(Key::One(Value::Text(name.into()))));
        path
    };
    let role = person("bob").child(id("/staff:site/people/person/role"), Predicate::None);
    let desk = person("cyd")
        .child(id("/staff:site/people/person/office"), Predicate::None)
        .child(id("/staff:site/people/person/office/desk"), Predicate::None);
    let skill = person("ada").child(id("/staff:site/people/person/skill"), Predicate::Value(Value::Text("c".into())));
    let mut visit = InstancePath::default();
    visit.push(id("/staff:site"), Predicate::None);
    visit.push(id("/staff:site/visit"), Predicate::Position(2));
    let what = Selection::from_paths(schema, vec![desk, person("nobody"), skill, visit, role]);
    let expected = people(
        "<person><name>ada</name><skill>c</skill></person><person><name>bob</name><role>staff</role></person>\
         <person><name>cyd</name><office><desk>20</desk></office></person>",
    );
    let expected = expected.replace("</site>", "<visit><who>fay</who><day>2</day></visit></site>");
    assert_eq!(show(&tree, &what).replace(" xmlns=\"urn:staff\"", ""), expected);
    assert!(what.reaches(id("/staff:site/visit/who")) && !what.reaches(id("/staff:site/rooms")));
    assert_eq!(what.key_constraints(schema, id("/staff:site/people/person")).unwrap().len(), 4);
    let whole = Selection::from_paths(schema, vec![person("cyd")]);
    assert!(show(&tree, &whole).contains("<badge xmlns=\"urn:badge\">20</badge>"));
    assert_eq!(show(&tree, &Selection::from_paths(schema, vec![])), "");
}

#[test]
fn notifications_are_filtered_like_data() {
    let schema = fixture::schema();
    let text = "<started xmlns=\"urn:fixture\"><job>j1</job><pet xmlns:f=\"urn:fixture\">f:dog</pet></started>";
    let content = edit::read_operation(&schema, Document::parse(text, &Limits::default()).unwrap().root()).unwrap();
    let by = |filter: &str| show(&content, &select(&schema, filter).unwrap());
    assert_eq!(
        by("<started xmlns=\"urn:fixture\"><job/></started>"),
        "<started xmlns=\"urn:fixture\"><job>j1</job></started>"
    );
    assert!(by("<started xmlns=\"urn:fixture\"><job>j1</job></started>").contains("dog"));
    assert_eq!(by("<started xmlns=\"urn:fixture\"><job>j2</job></started>"), "");
    assert_eq!(by("<stopped xmlns=\"urn:fixture\"/>"), "");
}

#[test]
fn an_expression_reaches_what_it_can_look_at_and_no_more() {
    let schema = fixture::schema();
    let selection = |expression: &str| {
        let xpath = XPath::parse(expression, &Namespaces::new(&schema)).unwrap();
        Selection::from_xpath(&schema, xpath).unwrap()
    };
    let at = |path: &str| schema.find(path).unwrap();
    let statistics = at("/fixture:servers/server/statistics/hits");
    for (expression, reached, beyond) in [
        ("/servers/server[name='a']", "/fixture:servers/server/statistics/hits", "/fixture:servers/sample"),
        ("/servers/server[address]/port", "/fixture:servers/server/address", "/fixture:servers/server/statistics/hits"),
        ("/system[uptime > 5]/name", "/fixture:system/uptime", "/fixture:servers"),
        ("//hits", "/fixture:servers/server/statistics/hits", "/fixture:system"),
        ("/system[contains(/servers/sample[1], '7')]/name", "/fixture:servers/sample/value", "/fixture:servers/server"),
        ("/system/name/following::at", "/fixture:servers/sample/at", "/fixture:servers/sample/value"),
        ("deref(//backup)/../port", "/fixture:servers/server/name", "/fixture:servers/server/weight"),
    ] {
        let selection = selection(expression);
        assert!(selection.reaches(at(reached)), "{expression} reaches {reached}");
        assert!(!selection.reaches(at(beyond)), "{expression} does not reach {beyond}");
    }
    assert!(selection("/").reaches(statistics));
    // The entries to fetch, where the expression names them all.
    let list = at("/fixture:servers/server");
    let keys = |expression: &str| selection(expression).key_constraints(&schema, list);
    let key = |name: &str| Key::One(Value::Text(name.into()));
    assert_eq!(keys("/servers/server[name='b']/port | //server[name='a']"), Some(vec![key("a"), key("b")]));
    for any in [
        "/servers/server[name='b'] | /servers/server[port=1]",
        "/servers/server[name='b']/../server",
        "//backup/..",
        "/servers[server/name='b']/server[name='b']",
        "/servers[contains(., 'x')]/server[name='b']",
        "/servers/server[name='b']/..",
        "deref(/system/target) | /servers/server[name='b']",
    ] {
        assert_eq!(keys(any), None, "{any}");
    }
    // Until it has seen the tree it selects nothing.
    assert!(!write(&Tree::initial(schema.clone()), &selection("/"), None, WriteOptions::default(), &mut Vec::new()));
}
