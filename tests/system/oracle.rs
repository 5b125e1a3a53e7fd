//! Debian's netconfd as an oracle: the same random edits go to it and to our server, and both hold the same afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use netconf::client::{Datastore, EditConfig, Error, Filter, Options, Session, SessionConfig, data};
use netconf::error::ErrorTag;
use netconf::transport::ssh::{Credential, HostKeyCheck, Target, connect};
use netconf::xml::Element;

use crate::foreign::{Netconfd, key, login};
use crate::program::Program;

/// Edits on which netconfd 2.13 has another answer than the RFCs: what is there before, the default-operation, the edit, our
/// answer, netconfd's, and why ours.
const DEVIATIONS: &[(&str, &str, &str, Answer, Answer, &str)] = &[
    (
        "",
        "merge",
        "<entry><k>p</k><v nc:operation=\"remove\">q</v></entry>",
        Ok("<entry><k>p</k></entry>"),
        Ok("<entry><k>p</k><v>q</v></entry>"),
        "RFC 6241 section 7.2: remove of what is not there is ignored, and sets nothing",
    ),
    (
        "",
        "merge",
        "<short>p</short><left>q</left>",
        Err(ErrorTag::BadElement),
        Ok("<left>q</left>"),
        "RFC 7950 section 8.3.1: data for two cases of a choice is bad-element",
    ),
    (
        "",
        "none",
        "<plain>p</plain>",
        Err(ErrorTag::DataMissing),
        Ok(""),
        "RFC 6241 section 7.2: with default-operation none, what is not there is data-missing",
    ),
    (
        "<set>p</set>",
        "merge",
        "<set nc:operation=\"replace\">p</set>",
        Ok("<set>p</set>"),
        Err(ErrorTag::DataExists),
        "RFC 7950 section 7.7.9: a replaced entry can be there",
    ),
    (
        "<row>p</row><row>q</row>",
        "merge",
        "<row nc:operation=\"merge\" yang:insert=\"last\">p</row>",
        Ok("<row>q</row><row>p</row>"),
        Err(ErrorTag::DataExists),
        "RFC 7950 section 7.7.9: merge with insert moves an entry",
    ),
    (
        "<entry><k>q</k><turn><k>r</k><v>r</v></turn><turn><k>q</k><v>p</v></turn><turn><k>p</k></turn></entry>",
        "merge",
        "<entry><k>q</k><turn yang:insert=\"before\" yang:key=\"[o:k='r']\"><k>p</k><v>p</v></turn></entry>",
        Ok(
            "<entry><k>q</k><turn><k>p</k><v>p</v></turn><turn><k>r</k><v>r</v></turn><turn><k>q</k><v>p</v></turn></entry>",
        ),
        Err(ErrorTag::BadAttribute),
        "RFC 7950 section 7.8.6: merge moves an entry before one that is there, and can change it on the way",
    ),
    (
        "<entry><k>p</k><turn><k>r</k></turn><turn><k>p</k></turn></entry>",
        "merge",
        "<entry><k>p</k><turn yang:insert=\"first\"><k>p</k><v nc:operation=\"replace\">p</v></turn></entry>",
        Ok("<entry><k>p</k><turn><k>p</k><v>p</v></turn><turn><k>r</k></turn></entry>"),
        Ok("<entry><k>p</k><turn><k>r</k></turn><turn><k>p</k><v>p</v></turn></entry>"),
        "RFC 7950 section 7.8.6: the same to the first place",
    ),
];

type Answer = Result<&'static str, ErrorTag>;

/// Both take some milliseconds for each.
const EDITS: u32 = 600;

const MODULE: &str = "module oracle { namespace urn:oracle; prefix o; revision 2026-01-01;
  container top {
    leaf keep { type string; }
    leaf plain { type string; }
    leaf usual { type uint8; default 7; }
    container here { presence x; leaf in { type string; } leaf-list tag { type string; } }
    container around { leaf one { type string; } leaf two { type uint8; default 9; } }
    leaf-list set { type string; }
    leaf-list row { ordered-by user; type string; }
    list entry { key k; leaf k { type string; } leaf v { type string; }
      list turn { key k; ordered-by user; leaf k { type string; } leaf v { type string; } } }
    choice which {
      leaf short { type string; }
      case pair { leaf left { type string; } leaf right { type string; } }
    }
  } }";

/// A fixed sequence (Knuth's MMIX generator): what fails once fails again.
struct Random(u64);

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Around {
    /// Directly in `<top>`.
    Top,
    Inside,
    /// Something that is replaced or made.
    Replaced,
    /// Something that goes.
    Removed,
}

/// Edits about which both servers are to agree: none of those of [`DEVIATIONS`], and none about which the RFCs say nothing: operations
/// inside what is replaced or goes, defaults that are set to their value, insert where something goes, and whether a
/// container without presence is there (RFC 7950 section 7.5.1).
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn operation(&mut self, around: Around) -> &'static str {
        match around {
            Around::Top => self.pick(&["", "", "", "merge", "replace", "create", "delete", "remove"]),
            Around::Inside => self.pick(&["", "", "", "merge", "replace", "create", "delete"]),
            Around::Replaced => self.pick(&["", "merge"]),
            Around::Removed => "",
        }
    }

    fn value(&mut self) -> &'static str {
        self.pick(&["p", "q", "r"])
    }

    fn insert(&mut self, name: &str) -> String {
        let value = self.value();
        let anchor = match name {
            "turn" => format!("yang:key=\"[o:k='{value}']\""),
            _ => format!("yang:value=\"{value}\""),
        };
        match self.below(6) {
            0 => " yang:insert=\"first\"".into(),
            1 => " yang:insert=\"last\"".into(),
            2 => format!(" yang:insert=\"before\" {anchor}"),
            3 => format!(" yang:insert=\"after\" {anchor}"),
            _ => String::new(),
        }
    }

    /// One to three of these, each once, and of one case only.
    fn some(&mut self, names: &[&'static str]) -> Vec<&'static str> {
        let mut chosen: Vec<&str> = Vec::new();
        for _ in 0..1 + self.below(3) {
            let name = self.pick(names);
            let other_case = match name {
                "short" => chosen.iter().any(|n| ["left", "right"].contains(n)),
                "left" | "right" => chosen.contains(&"short"),
                _ => false,
            };
            if !chosen.contains(&name) && !other_case {
                chosen.push(name);
            }
        }
        chosen
    }

    /// With its default-operation.
    fn edit(&mut self) -> (&'static str, String) {
        if self.below(4) == 0 {
            // What has no operation of its own is only on the way to what has one.
            let key = self.value();
            let inside = self.some(&["v", "turn"]).into_iter().map(|name| self.explicit(name)).collect::<String>();
            let leafs =
                self.some(&["plain", "set", "row"]).into_iter().map(|name| self.explicit(name)).collect::<String>();
            return ("none", format!("<entry><k>{key}</k>{inside}</entry>{leafs}"));
        }
        let names =
            ["plain", "usual", "here", "around", "set", "row", "entry", "entry", "entry", "short", "left", "right"];
        let chosen = self.some(&names);
        ("merge", chosen.into_iter().map(|name| self.element(name, Around::Top)).collect())
    }

    fn explicit(&mut self, name: &str) -> String {
        let key = if name == "turn" { format!("<k>{}</k>", self.value()) } else { self.value().to_owned() };
        let operation = match name {
            "set" | "row" => self.pick(&["create", "delete"]),
            _ => self.pick(&["merge", "replace", "create", "delete"]),
        };
        format!("<{name} nc:operation=\"{operation}\">{key}</{name}>")
    }

    fn element(&mut self, name: &str, around: Around) -> String {
        let is_value = matches!(name, "set" | "row" | "tag");
        let operation = match self.operation(around) {
            "replace" | "merge" if is_value => "",
            "create" | "delete" if name == "around" => "",
            operation => operation,
        };
        let within = match operation {
            _ if around == Around::Removed => Around::Removed,
            "delete" | "remove" => Around::Removed,
            "create" | "replace" => Around::Replaced,
            _ => around.min(Around::Replaced).max(Around::Inside),
        };
        let mut attributes = match operation {
            "" => String::new(),
            operation => format!(" nc:operation=\"{operation}\""),
        };
        if operation == "create" && matches!(name, "row" | "turn") {
            attributes += &self.insert(name);
        }
        let (key, names): (String, &[&str]) = match name {
            "here" => (String::new(), &["in", "tag"]),
            "around" => (String::new(), &["one", "two"]),
            "entry" => (format!("<k>{}</k>", self.value()), &["v", "turn", "turn"]),
            "turn" => (format!("<k>{}</k>", self.value()), &["v"]),
            "usual" | "two" => (self.pick(&["1", "2", "3"]).to_owned(), &[]),
            _ => (self.value().to_owned(), &[]),
        };
        let inside: String = match names.is_empty() || within == Around::Removed || self.below(4) == 0 {
            true => String::new(),
            false => self.some(names).into_iter().map(|name| self.element(name, within)).collect(),
        };
        format!("<{name}{attributes}>{key}{inside}</{name}>")
    }
}

fn config(body: &str) -> String {
    format!(
        "<top xmlns=\"urn:oracle\" xmlns:o=\"urn:oracle\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\" \
         xmlns:yang=\"urn:ietf:params:xml:ns:yang:1\">{body}</top>"
    )
}

async fn send(session: &Session, body: &str, default: &'static str) -> Result<(), ErrorTag> {
    let edit = EditConfig::new(Datastore::Running, config(body)).default_operation(default);
    match session.edit_config(&edit).await {
        Ok(_) => Ok(()),
        Err(Error::Rpc(errors)) => Err(errors[0].tag),
        Err(error) => panic!("{body}: {error}"),
    }
}

/// What is set, the system's order put in one order.
async fn held(session: &Session) -> String {
    let filter = Filter::Subtree("<top xmlns=\"urn:oracle\"/>".into());
    let options = Options { filter: Some(filter), with_defaults: Some("explicit") };
    let reply = session.get_config(&Datastore::Running, &options).await.unwrap();
    let document = reply.document().unwrap();
    data(&document).unwrap().children().map(shown).collect()
}

fn shown(element: Element<'_>) -> String {
    let mut children: Vec<(&str, String, String)> = element
        .children()
        .map(|child| {
            // Entries by their keys, values by themselves; the user's order is left as it is.
            let user = matches!(child.name(), "turn" | "row");
            let key = child.child("urn:oracle", "k").map_or(child.text(), |key| key.text());
            (child.name(), if user { String::new() } else { key.to_owned() }, shown(child))
        })
        .collect();
    children.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let inside: String = children.into_iter().map(|(_, _, text)| text).collect();
    // A container without presence is the same whether it is shown or not.
    if inside.is_empty() && matches!(element.name(), "top" | "around") {
        return String::new();
    }
    format!("<{0}>{1}{inside}</{0}>", element.name(), element.text().trim())
}

async fn open(netconfd: &Netconfd, directory: &Path) -> Session {
    let target = Target {
        host: "127.0.0.1".into(),
        port: netconfd.port,
        user: login(),
        credential: Credential::KeyFile { path: directory.join("client"), passphrase: None },
        host_key: HostKeyCheck::AcceptNew(directory.join("netconfd_known_hosts")),
        timeout: Duration::from_secs(5),
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let opened = match connect(&target).await {
            Ok(stream) => Session::open(stream, SessionConfig::default()).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match opened {
            Ok((session, _)) => {
                // It answers no request that reaches it in one read with the client's hello.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return session;
            }
            Err(error) => assert!(Instant::now() < deadline, "netconfd: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_edits_leave_the_same_behind_as_with_netconfd() {
    let directory = tempfile::tempdir().unwrap();
    let client = key(directory.path(), "client");
    let module = directory.path().join("oracle.yang");
    std::fs::write(&module, MODULE).unwrap();
    let public = format!("{client}.pub");
    let Some(netconfd) = Netconfd::start(directory.path(), Path::new(&public), Some(&module)) else { return };
    let theirs = open(&netconfd, directory.path()).await;
    let program = Program::start_with(directory.path(), "oracle", MODULE);
    let (ours, _) = program.session().await;
    let both = [&ours, &theirs];
    for (before, default, body, our_answer, their_answer, why) in DEVIATIONS {
        for (session, answer) in both.into_iter().zip([our_answer, their_answer]) {
            reset(session, before).await;
            let done = send(session, body, default).await;
            let found = held(session).await;
            let found = found.strip_prefix("<top>").unwrap_or(&found).replace("<keep>k</keep>", "");
            let found = found.strip_suffix("</top>").unwrap_or(&found);
            assert_eq!(done.map(|()| found), *answer, "{body}: {why}");
        }
    }
    for session in both {
        reset(session, "").await;
    }
    let mut random = Random(0x0dd5);
    let mut done = 0;
    for number in 0..EDITS {
        let (default, body) = random.edit();
        let before = held(&ours).await;
        let (a, b) = (send(&ours, &body, default).await, send(&theirs, &body, default).await);
        let all = format!("edit {number}, {default}: {body}\nof {before}\nours {a:?}, netconfd {b:?}");
        assert_eq!(a.is_ok(), b.is_ok(), "{all}");
        assert_eq!(held(&ours).await, held(&theirs).await, "{all}");
        done += u32::from(a.is_ok());
    }
    assert!(done > EDITS / 4 && done < EDITS, "{done} of {EDITS} edits were done: there are no two sides to it");
}

/// Leaves only this in `<top>`, and one leaf by which it is there.
async fn reset(session: &Session, content: &str) {
    send(session, "<keep>k</keep>", "merge").await.unwrap();
    let body = config(&format!("<keep>k</keep>{content}")).replacen("<top ", "<top nc:operation=\"replace\" ", 1);
    session.edit_config(&EditConfig::new(Datastore::Running, body)).await.unwrap();
}
