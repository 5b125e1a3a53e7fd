//! Tests of schema sets against scripted devices.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::duplex;
use tokio::task::JoinHandle;

use super::*;
use crate::capability::{BASE_1_1, YANG_LIBRARY};
use crate::client::tests::script::{Script, in_time};
use crate::client::{Notifications, SessionConfig};
use crate::error::RpcError;
use crate::xml::{Document, Limits};

const LIBRARY: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-library";
const MONITORING: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring";

/// A device: what its library lists beside each module's name, and the texts that it gives away.
#[derive(Clone, Default)]
struct Device {
    content_id: &'static str,
    library: String,
    texts: HashMap<String, String>,
}

/// What a device was asked for.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<[AtomicU32; 2]>);

impl Asked {
    /// Libraries and texts.
    fn count(&self) -> (u32, u32) {
        (self.0[0].load(Ordering::Relaxed), self.0[1].load(Ordering::Relaxed))
    }
}

impl Device {
    fn new(content_id: &'static str) -> Device {
        Device { content_id, ..Device::default() }
    }

    fn lists(mut self, list: &str, name: &str, more: &str) -> Device {
        let entry = format!(
            "<{list}><name>{name}</name><revision>2026-01-01</revision><namespace>urn:{name}</namespace>{more}</{list}>"
        );
        self.library.push_str(&entry);
        self
    }

    /// A module of which it gives away a text.
    fn has(mut self, name: &str, more: &str, body: &str) -> Device {
        self.gives(name, format!("module {name} {{ yang-version 1.1; namespace urn:{name}; prefix {name}; {body} }}"));
        self.lists("module", name, more)
    }

    fn gives(&mut self, name: &str, text: String) {
        // Revisions come last among the statements of the head.
        let dated = text.replacen("/*r*/", "revision 2026-01-01;", 1);
        self.texts.insert(name.to_owned(), dated);
    }

    async fn connect(&self) -> (Session, Notifications, Asked, JoinHandle<()>) {
        let (ours, theirs) = duplex(1 << 16);
        let device = self.clone();
        let asked = Asked::default();
        let counts = asked.clone();
        let server = tokio::spawn(async move {
            let library = format!("{YANG_LIBRARY}?revision=2019-01-04&content-id={}", device.content_id);
            let mut script = Script::greet(theirs, &[BASE_1_1, &library, &format!("{MONITORING}?module=m")]).await;
            while let Some((operation, head)) = script.request().await {
                let document = Document::parse(&operation, &Limits::default()).unwrap();
                if document.root().name() == "get" {
                    counts.0[0].fetch_add(1, Ordering::Relaxed);
                    let (id, library) = (device.content_id, &device.library);
                    let set =
                        format!("<module-set><name>all</name>{library}</module-set><content-id>{id}</content-id>");
                    script
                        .reply(&head, &format!("<data><yang-library xmlns=\"{LIBRARY}\">{set}</yang-library></data>"))
                        .await;
                    continue;
                }
                counts.0[1].fetch_add(1, Ordering::Relaxed);
                let name = document.root().child(MONITORING, "identifier").unwrap().text();
                match device.texts.get(name) {
                    Some(text) => {
                        let text = text.replace('<', "&lt;");
                        script.reply(&head, &format!("<data xmlns=\"{MONITORING}\">{text}</data>")).await;
                    }
                    None => {
                        head.write_errors(script.encoder.body(), &[RpcError::invalid_value("none such")]);
                        script.flush().await;
                    }
                }
            }
        });
        let (session, notifications) = Session::open(ours, SessionConfig::default()).await.unwrap();
        (session, notifications, asked, server)
    }
}

fn lamp(content_id: &'static str) -> Device {
    Device::new(content_id)
        .has("lamp", "<feature>bright</feature>", "/*r*/ feature bright; feature dim;
             container lamp { leaf on { type boolean; } leaf level { if-feature bright; type uint8; } leaf night { if-feature dim; type uint8; } }")
        .has("broken", "", "/*r*/ container broken { leaf x { type no-such-type; } }")
        .has("leaning", "", "import broken { prefix b; } /*r*/ augment /b:broken { leaf y { type string; } }")
        .has("shade", "", "import lamp { prefix l; } /*r*/ augment /l:lamp { leaf shade { type string; } }")
}

fn left_out(set: &SchemaSet) -> Vec<&str> {
    let mut names: Vec<&str> = set.left_out.iter().map(|left_out| left_out.module.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_does_not_compile_is_left_out_and_the_rest_is_typed() {
    let device = lamp("1").lists("module", "secret", "").lists("module", "../../etc/evil", "");
    let (session, _notifications, ..) = in_time(device.connect()).await;
    let set = in_time(SchemaSets::new().of(&session, "a")).await.unwrap();
    assert_eq!(left_out(&set), ["../../etc/evil", "broken", "leaning", "secret"]);
    let reason = |module: &str| &set.left_out.iter().find(|left_out| left_out.module == module).unwrap().reason;
    assert!(reason("broken").contains("no-such-type"), "{}", reason("broken"));
    assert!(reason("secret").contains("none such"), "{}", reason("secret"));
    assert!(reason("../../etc/evil").contains("identifier"));
    assert!(set.schema.find("/lamp:lamp/level").is_some() && set.schema.find("/lamp:lamp/night").is_none());

    let data = "<data><lamp xmlns=\"urn:lamp\"><on>true</on><shade xmlns=\"urn:shade\">silk</shade></lamp>\
         <broken xmlns=\"urn:broken\"><x>1</x></broken></data>";
    let document = Document::parse(data, &Limits::default()).unwrap();
    let read = set.read(document.root());
    assert_eq!(crate::yang::json::write(&read.tree), "{\"lamp:lamp\":{\"on\":true,\"shade:shade\":\"silk\"}}");
    assert_eq!(read.raw, ["<broken xmlns=\"urn:broken\"><x>1</x></broken>"]);
    assert_eq!(read.errors.len(), 1);
}

#[tokio::test]
async fn a_set_is_made_once_and_a_content_id_is_of_one_device_alone() {
    let sets = SchemaSets::new();
    in_time(async {
        let (session, _first, asked, _) = lamp("1").connect().await;
        let (set, again) = tokio::join!(sets.of(&session, "a"), sets.of(&session, "a"));
        let set = set.unwrap();
        assert!(Arc::ptr_eq(&set, &again.unwrap()));
        assert_eq!(asked.count(), (2, 4), "at once: the library twice, the texts once");
        // A later session with the same device asks nothing, one with another device like it for the library.
        let (session, _second, asked, _) = lamp("1").connect().await;
        assert!(Arc::ptr_eq(&set, &sets.of(&session, "a").await.unwrap()));
        assert_eq!(asked.count(), (0, 0));
        assert!(Arc::ptr_eq(&set, &sets.of(&session, "b").await.unwrap()));
        assert_eq!(asked.count(), (1, 0));
        // One that is not like it, of whatever content-id.
        let other = Device::new("1").has("vase", "", "/*r*/ container vase;");
        let (session, _third, asked, _) = other.connect().await;
        let vase = sets.of(&session, "c").await.unwrap();
        assert!(vase.schema.find("/vase:vase").is_some() && vase.schema.find("/lamp:lamp").is_none());
        assert_eq!(asked.count(), (1, 1));
        // A device that was changed.
        let (session, _fourth, ..) = Device::new("2").has("vase", "", "/*r*/ container vase;").connect().await;
        assert!(Arc::ptr_eq(&vase, &sets.of(&session, "a").await.unwrap()));
        // The sets of many devices push it out.
        for number in 0..KEPT {
            let one = Device::new("1").has(&format!("m{number}"), "", "/*r*/ container c;");
            let (session, _more, ..) = one.connect().await;
            sets.of(&session, &number.to_string()).await.unwrap();
        }
        assert_eq!(lock(&sets.sets).len(), KEPT);
        let (session, _last, asked, _) = lamp("1").connect().await;
        sets.of(&session, "b").await.unwrap();
        assert_eq!(asked.count(), (1, 4));
    })
    .await;
}

#[tokio::test]
async fn texts_in_a_directory_outlive_the_program() {
    let directory = tempfile::tempdir().unwrap();
    in_time(async {
        let (session, _first, ..) = lamp("1").connect().await;
        SchemaSets::in_directory(directory.path()).of(&session, "a").await.unwrap();
        let (session, _second, asked, _) = lamp("1").connect().await;
        let set = SchemaSets::in_directory(directory.path()).of(&session, "a").await.unwrap();
        assert_eq!(asked.count(), (1, 0));
        assert!(set.schema.find("/lamp:lamp/shade:shade").is_some());
        // Where it cannot be written to, the device is asked.
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let set = SchemaSets::in_directory(file).of(&session, "a").await.unwrap();
        assert_eq!(asked.count(), (2, 4));
        assert_eq!(left_out(&set), ["broken", "leaning"]);
    })
    .await;
}
