//! Patches as they are written: operations, targets, points and values.

use super::*;
use crate::xml::{Document, Limits};
use crate::yang::diff::diff;
use crate::yang::{edit, fixture};

/// Each edit as "operation target [after point] [value]"
fn patch(old: &str, new: &str) -> Result<Vec<String>, NoTarget> {
    let schema = fixture::schema();
    let tree = |data: &str| {
        let text = format!("<data>{data}</data>");
        edit::read_data(&schema, Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
    };
    let (old, new) = (tree(old), tree(new));
    let mut out = b"<patch>".to_vec();
    write(&schema, "7", &edits(&diff(&old, &new), &new)?, &mut out);
    out.extend_from_slice(b"</patch>");
    let text = String::from_utf8(out).unwrap();
    let document = Document::parse(&text, &Limits::default()).unwrap();
    assert_eq!(document.root().child("", "patch-id").unwrap().text(), "7");
    let described = document.root().children().filter(|e| e.name() == "edit").enumerate().map(|(n, edit)| {
        let text = |name: &str| edit.child("", name).map(|leaf| leaf.text().to_owned());
        assert_eq!(text("edit-id").unwrap(), (n + 1).to_string());
        let mut all = format!("{} {}", text("operation").unwrap(), text("target").unwrap());
        if let Some(place) = text("where") {
            all.push_str(&format!(" {place} {}", text("point").unwrap_or_default()));
        }
        if let Some(value) = edit.child("", "value") {
            let mut out = Vec::new();
            value.children().next().unwrap().write(&mut out);
            all.push_str(&format!(" {}", String::from_utf8(out).unwrap()));
        }
        all
    });
    Ok(described.collect())
}

fn system(body: &str) -> String {
    format!("<system xmlns=\"urn:fixture\">{body}</system>")
}

fn servers(body: &str) -> String {
    format!("<servers xmlns=\"urn:fixture\">{body}</servers>")
}

#[test]
fn leafs_and_entries_are_created_replaced_and_deleted() {
    let told = patch(&system("<name>a</name><level>1</level>"), &system("<name>b</name><pet>cat</pet>")).unwrap();
    assert_eq!(
        told,
        [
            "replace /fixture:system/name <name xmlns=\"urn:fixture\">b</name>",
            "delete /fixture:system/level",
            "create /fixture:system/pet <pet xmlns=\"urn:fixture\" xmlns:fixture=\"urn:fixture\">fixture:cat</pet>",
        ]
    );
    let told = patch(&system("<tag>x</tag>"), &system("<tag>y z</tag>")).unwrap();
    assert_eq!(
        told,
        ["delete /fixture:system/tag=x", "create /fixture:system/tag=y%20z <tag xmlns=\"urn:fixture\">y z</tag>"]
    );
}

#[test]
fn keys_are_percent_encoded_as_in_restconf() {
    let old = servers("<server><name>a/b, c:ü</name></server>");
    let told = patch(&old, &servers("<server><name>a/b, c:ü</name><address>1</address></server>")).unwrap();
    let target = "/fixture:servers/server=a%2Fb%2C%20c%3A%C3%BC/address";
    assert_eq!(told, [format!("create {target} <address xmlns=\"urn:fixture\">1</address>")]);
}

#[test]
fn the_order_of_the_user_is_told_by_insert_and_move() {
    let rule = |id: u8| format!("<rule><id>{id}</id><sub>s</sub><action>x</action></rule>");
    let all = |ids: &[u8]| servers(&ids.iter().map(|id| rule(*id)).collect::<String>());
    let told = patch(&all(&[1, 2, 3]), &all(&[3, 1, 2])).unwrap();
    assert_eq!(told, ["move /fixture:servers/rule=3,s first "]);
    let told = patch(&all(&[1, 2]), &all(&[1, 4, 2])).unwrap();
    let value = "<rule xmlns=\"urn:fixture\"><id>4</id><sub>s</sub><action>x</action></rule>";
    assert_eq!(told, [format!("insert /fixture:servers/rule=4,s after /fixture:servers/rule=1,s {value}")]);
    let told = patch(&system("<search>a</search><search>b</search>"), &system("<search>b</search><search>a</search>"));
    assert_eq!(told.unwrap().len(), 1);
}

#[test]
fn what_has_no_key_is_told_by_replacing_what_is_around_it() {
    let sample = |at: u32| format!("<sample><at>{at}</at></sample>");
    let told = patch(&servers(&sample(1)), &servers(&(sample(1) + &sample(2)))).unwrap();
    let all = "<servers xmlns=\"urn:fixture\"><sample><at>1</at></sample><sample><at>2</at></sample></servers>";
    assert_eq!(told, [format!("replace /fixture:servers {all}")]);
}
