//! RFC 8526 and the origins of RFC 8342: their worked examples, on a small module of our own.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::client::{GetData, NmdaDatastore, OriginFilter};
use crate::server::url::UrlOptions;
use crate::xml::{Document, Limits};
use crate::yang::edit;

const MODULE: Source = Source {
    name: "router",
    revision: None,
    text: "module router { yang-version 1.1; namespace urn:router; prefix r;
      import ietf-netconf-acm { prefix nacm; }
      import ietf-origin { prefix or; }
      identity dhcp { base or:learned; }
      container system { leaf hostname { type string; } }
      container users { list user { key name; leaf name { type string; } leaf type { type string; default standard; }
        leaf full-name { type string; } container company { leaf dept { type uint8; } leaf id { type uint8; } }
        leaf secret { nacm:default-deny-all; type string; } } }
      container interfaces { list interface { key name; leaf name { type string; } leaf description { type string; }
        leaf mtu { type uint16; default 1500; }
        container auto-negotiation { leaf enabled { type boolean; default true; } leaf speed { type uint32; } }
        leaf-list ip-address { type string; }
        leaf oper-status { config false; type string; }
        container statistics { config false; leaf in-octets { type uint64; } } } }
      container bgp { leaf local-as { type uint32; } leaf peer-as { type uint32; }
        list peer { key name; leaf name { type string; } leaf local-as { type uint32; } leaf peer-as { type uint32; }
          leaf local-port { type uint16; } leaf remote-port { type uint16; default 179; }
          leaf state { config false; type string; } } } }",
};

/// A device whose state is what the test says it is.
struct Router(std::sync::Mutex<Tree>);

impl Provider for Router {
    async fn state(&self, _want: &Selection) -> Result<Tree, RpcError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn call(&self, _operation: Operation, _who: &Requester) -> Result<Option<Tree>, RpcError> {
        Ok(None)
    }
}

struct Nmda {
    server: Server<Router>,
    session: Session,
    _directory: tempfile::TempDir,
}

impl Nmda {
    async fn start() -> Nmda {
        Nmda::start_with(UrlOptions::default()).await
    }

    async fn start_with(urls: UrlOptions) -> Nmda {
        let directory = tempfile::tempdir().unwrap();
        let builder = urls.modules(base_modules(Schema::builder())).sources([MODULE]);
        let schema = builder.module("router", None, &[]).build().unwrap();
        let options = Options {
            state_dir: directory.path().join("state"),
            superuser: Some("admin".into()),
            urls,
            ..Options::default()
        };
        let router = Router(Tree::new(schema.clone()).into());
        let server = Server::start(schema.clone(), router, Tree::initial(schema), options).await.unwrap();
        let session = open(&server, "admin").await;
        Nmda { server, session, _directory: directory }
    }

    async fn configure(&self, config: &str) {
        self.session.edit_data(NmdaDatastore::Running, config, None).await.unwrap();
    }

    /// Data without a configured origin, and data of some origin.
    fn report(&self, found: &str, others: &[(Origin, &str)]) {
        let schema = &self.server.shared().schema;
        let read = |data: &str| {
            let text = format!("<data>{data}</data>");
            edit::read_data(schema, Document::parse(&text, &Limits::default()).unwrap().root()).unwrap()
        };
        let mut state = read(found);
        for (origin, data) in others {
            state = state.merged(&read(data).with_origin(*origin));
        }
        *self.server.shared().provider.0.lock().unwrap() = state;
    }

    async fn get(&self, datastore: NmdaDatastore, options: &GetData) -> String {
        content(self.session.get_data(datastore, options).await.unwrap().text())
    }

    /// What a request gives, sent as it stands.
    async fn raw(&self, request: &str) -> Result<String, client::Error> {
        Ok(content(self.session.rpc(request).await?.text()))
    }

    async fn refused(&self, request: &str) -> (ErrorTag, Vec<ErrorInfo>) {
        let client::Error::Rpc(errors) = self.session.rpc(request).await.unwrap_err() else { panic!("{request}") };
        (errors[0].tag, errors[0].info.clone())
    }
}

async fn open(server: &Server<Router>, user: &str) -> Session {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let peer = Peer { user: user.into(), transport: Transport::Ssh, address: "127.0.0.1:1".parse().unwrap() };
    let server = server.clone();
    tokio::spawn(async move { server.serve(BufReader::new(theirs), peer).await });
    Session::open(ours, client::SessionConfig::default()).await.unwrap().0
}

/// What is in `<data>`, without the namespaces that every test has.
fn content(reply: &str) -> String {
    let document = Document::parse(reply, &Limits::default()).unwrap();
    let mut out = Vec::new();
    if let Ok(data) = client::data(&document) {
        assert!(matches!(data.namespace(), NMDA | "urn:ietf:params:xml:ns:netconf:base:1.0"));
        data.children().for_each(|child| child.write(&mut out));
    }
    let text = String::from_utf8(out).unwrap();
    text.replace(" xmlns=\"urn:router\"", "").replace(" xmlns:or=\"urn:ietf:params:xml:ns:yang:ietf-origin\"", "")
}

const NMDA: &str = "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda";

fn get_data(datastore: &str, parameters: &str) -> String {
    format!(
        "<get-data xmlns=\"{NMDA}\" xmlns:ds=\"urn:ietf:params:xml:ns:yang:ietf-datastores\" \
         xmlns:or=\"urn:ietf:params:xml:ns:yang:ietf-origin\" xmlns:r=\"urn:router\"><datastore>{datastore}</datastore>\
         {parameters}</get-data>"
    )
}

fn top(name: &str) -> Filter {
    Filter::Subtree(format!("<{name} xmlns=\"urn:router\"/>"))
}

/// The origins of one subtree, as a client sees them.
fn with_origin(name: &str) -> GetData {
    GetData { with_origin: true, ..top(name).into() }
}

const USERS: &str = "<users xmlns=\"urn:router\"><user><name>root</name><type>superuser</type><full-name>Charlie Root\
    </full-name><company><dept>1</dept><id>1</id></company></user><user><name>fred</name><full-name>Fred Flintstone\
    </full-name><company><dept>2</dept><id>2</id></company></user></users>";

/// RFC 8526 section 3.1.3: a subtree of running, and a part of operational by config, origin and with-origin.
#[tokio::test]
async fn the_examples_of_get_data() {
    let nmda = Nmda::start().await;
    nmda.configure(USERS).await;
    let filter = "<subtree-filter><users xmlns=\"urn:router\"><user><name>fred</name><full-name/></user></users></subtree-filter>";
    assert_eq!(
        nmda.raw(&get_data("ds:running", filter)).await.unwrap(),
        "<users><user><name>fred</name><full-name>Fred Flintstone</full-name></user></users>"
    );
    bgp(&nmda).await;
    let parameters = "<subtree-filter><bgp xmlns=\"urn:router\"/></subtree-filter><config-filter>true</config-filter>\
                      <origin-filter>or:intended</origin-filter><origin-filter>or:system</origin-filter><with-origin/>";
    assert_eq!(
        nmda.raw(&get_data("ds:operational", parameters)).await.unwrap(),
        "<bgp or:origin=\"or:intended\"><local-as>64501</local-as><peer-as>64502</peer-as><peer><name>2001:db8::2:3</name>\
         <local-port or:origin=\"or:system\">60794</local-port></peer></bgp>"
    );
    // Section 3.1: nothing selected is an empty <data>.
    assert_eq!(nmda.raw(&get_data("ds:running", "<subtree-filter/>")).await.unwrap(), "");
}

/// RFC 8342 appendix C.2: what a peer inherits is a default by its description, its port the system's choice.
async fn bgp(nmda: &Nmda) {
    nmda.configure(
        "<bgp xmlns=\"urn:router\"><local-as>64501</local-as><peer-as>64502</peer-as>\
         <peer><name>2001:db8::2:3</name></peer></bgp>",
    )
    .await;
    let peer = |body: &str| format!("<bgp xmlns=\"urn:router\"><peer><name>2001:db8::2:3</name>{body}</peer></bgp>");
    nmda.report(
        &peer("<local-port>60794</local-port><state>established</state>"),
        &[(Origin::Default, &peer("<local-as>64501</local-as><peer-as>64502</peer-as>"))],
    );
}

#[tokio::test]
async fn origins_of_a_bgp_peer() {
    let nmda = Nmda::start().await;
    bgp(&nmda).await;
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &with_origin("bgp")).await,
        "<bgp or:origin=\"or:intended\"><local-as>64501</local-as><peer-as>64502</peer-as><peer><name>2001:db8::2:3</name>\
         <local-as or:origin=\"or:default\">64501</local-as><peer-as or:origin=\"or:default\">64502</peer-as>\
         <local-port or:origin=\"or:system\">60794</local-port><remote-port or:origin=\"or:default\">179</remote-port>\
         <state>established</state></peer></bgp>"
    );
    // C.2.2: the peer is removed from the configuration while the connection is still being closed.
    let delete = "<bgp xmlns=\"urn:router\" xmlns:nc=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\
                  <peer nc:operation=\"delete\"><name>2001:db8::2:3</name></peer></bgp>";
    nmda.configure(delete).await;
    nmda.report(
        "<bgp xmlns=\"urn:router\"><peer><name>2001:db8::2:3</name><local-port>60794</local-port><state>closing</state>\
         </peer></bgp>",
        &[],
    );
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &with_origin("bgp")).await,
        "<bgp or:origin=\"or:intended\"><local-as>64501</local-as><peer-as>64502</peer-as>\
         <peer or:origin=\"or:system\"><name>2001:db8::2:3</name><local-port>60794</local-port><state>closing</state></peer>\
         </bgp>"
    );
}

/// RFC 8342 appendix C.1: a hostname by DHCP, a speed that was set beside a default, a loopback that is always there.
/// Appendix C.3: that loopback, once the user configures it.
#[tokio::test]
async fn origins_of_hostname_and_interfaces() {
    let nmda = Nmda::start().await;
    nmda.configure(
        "<system xmlns=\"urn:router\"><hostname>foo.example.com</hostname></system><interfaces xmlns=\"urn:router\">\
         <interface><name>eth0</name><auto-negotiation><speed>1000</speed></auto-negotiation></interface></interfaces>",
    )
    .await;
    let interface = |body: &str| format!("<interfaces xmlns=\"urn:router\"><interface>{body}</interface></interfaces>");
    let loopback = interface(
        "<name>lo0</name><mtu>65535</mtu><ip-address>127.0.0.1</ip-address><ip-address>::1</ip-address>\
         <oper-status>up</oper-status>",
    );
    let hostname = "<system xmlns=\"urn:router\"><hostname>bar.example.com</hostname></system>";
    nmda.report(&loopback, &[(Origin::Learned, hostname)]);
    let eth0 = "<interface><name>eth0</name><mtu or:origin=\"or:default\">1500</mtu><auto-negotiation>\
                <enabled or:origin=\"or:default\">true</enabled><speed>1000</speed></auto-negotiation></interface>";
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &with_origin("system")).await,
        "<system or:origin=\"or:intended\"><hostname or:origin=\"or:learned\">bar.example.com</hostname></system>"
    );
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &with_origin("interfaces")).await,
        format!(
            "<interfaces or:origin=\"or:intended\">{eth0}<interface or:origin=\"or:system\"><name>lo0</name><mtu>65535</mtu>\
             <ip-address>127.0.0.1</ip-address><ip-address>::1</ip-address><oper-status>up</oper-status></interface>\
             </interfaces>"
        )
    );
    nmda.configure(&interface("<name>lo0</name><description>loopback</description>")).await;
    let without_defaults = GetData { with_defaults: Some("explicit"), ..with_origin("interfaces") };
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &without_defaults).await,
        "<interfaces or:origin=\"or:intended\"><interface><name>eth0</name><auto-negotiation><speed>1000</speed>\
         </auto-negotiation></interface><interface><name>lo0</name><description>loopback</description>\
         <mtu or:origin=\"or:system\">65535</mtu><ip-address or:origin=\"or:system\">127.0.0.1</ip-address>\
         <ip-address or:origin=\"or:system\">::1</ip-address><oper-status>up</oper-status></interface></interfaces>"
    );
    // Intended is running as it was asked for, and knows no state.
    assert_eq!(
        nmda.get(NmdaDatastore::Intended, &top("system").into()).await,
        "<system><hostname>foo.example.com</hostname></system>"
    );
    let learned = |origins| GetData { origins: Some(origins), config: Some(true), ..GetData::default() };
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &learned(OriginFilter::Only(vec![Origin::Learned]))).await,
        "<system><hostname>bar.example.com</hostname></system>"
    );
    let others = OriginFilter::AllBut(vec![Origin::Intended, Origin::Default, Origin::Learned]);
    let found = nmda.get(NmdaDatastore::Operational, &learned(others)).await;
    assert!(found.contains("lo0") && !found.contains("description") && !found.contains("eth0"), "{found}");
    // An identity derived from a standard one is a legal filter, and not the origin of anything here.
    let derived = "<origin-filter>r:dhcp</origin-filter><config-filter>true</config-filter>";
    assert_eq!(nmda.raw(&get_data("ds:operational", derived)).await.unwrap(), "");
}

#[tokio::test]
async fn depth_config_filter_and_defaults_in_each_datastore() {
    let nmda = Nmda::start().await;
    nmda.configure(USERS).await;
    let users = |depth| GetData { max_depth: Some(depth), ..top("users").into() };
    assert_eq!(nmda.get(NmdaDatastore::Running, &users(1)).await, "<users/>");
    assert_eq!(
        nmda.get(NmdaDatastore::Running, &users(2)).await,
        "<users><user><name>fred</name></user><user><name>root</name></user></users>"
    );
    let three = nmda.get(NmdaDatastore::Running, &users(3)).await;
    assert!(three.contains("<full-name>Fred Flintstone</full-name><company/>"), "{three}");
    assert!(
        nmda.raw(&get_data("ds:running", "<max-depth>unbounded</max-depth>")).await.unwrap().contains("<dept>2</dept>")
    );
    let defaults = |mode| GetData { with_defaults: mode, ..top("users").into() };
    let in_running = nmda.get(NmdaDatastore::Running, &defaults(None)).await;
    assert!(!in_running.contains("standard"), "{in_running}");
    let tagged = nmda.get(NmdaDatastore::Running, &defaults(Some("report-all-tagged"))).await;
    assert!(tagged.contains("wd:default=\"true\">standard"), "{tagged}");
    // Values in use are all reported where nothing else is said.
    let in_use = nmda.get(NmdaDatastore::Operational, &defaults(None)).await;
    assert!(in_use.contains("<type>standard</type>"), "{in_use}");
    assert_eq!(nmda.get(NmdaDatastore::Operational, &defaults(Some("trim"))).await, in_running);
    let only_state = GetData { config: Some(false), ..GetData::default() };
    assert_eq!(nmda.get(NmdaDatastore::Running, &only_state).await, "");
    let state = nmda.get(NmdaDatastore::Operational, &only_state).await;
    assert!(state.contains("<yang-library") && !state.contains("<users"), "{state}");
    assert!(state.contains("<denied-operations>") && !state.contains("<enable-nacm>"), "{state}");
}

/// RFC 8526 section 3.1.1: an expression's namespaces are those of its element, and levels count from what it selects.
#[tokio::test]
async fn xpath_filters_select_in_every_datastore() {
    let nmda = Nmda::start().await;
    nmda.configure(USERS).await;
    bgp(&nmda).await;
    let select = |select: &str, depth| GetData {
        max_depth: depth,
        ..Filter::XPath { select: select.into(), namespaces: vec![("x".into(), "urn:router".into())] }.into()
    };
    assert_eq!(
        nmda.get(NmdaDatastore::Running, &select("/x:users/x:user[x:company/x:dept = 2]/x:company", Some(1))).await,
        "<users><user><name>fred</name><company/></user></users>"
    );
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &select("//x:peer[x:state = 'established']/x:local-port", None)).await,
        "<bgp><peer><name>2001:db8::2:3</name><local-port>60794</local-port></peer></bgp>"
    );
    assert_eq!(nmda.get(NmdaDatastore::Running, &select("//x:peer/x:local-port", None)).await, "");
    let with_origin = GetData { with_origin: true, ..select("/x:bgp/x:peer/x:local-port", None) };
    assert_eq!(
        nmda.get(NmdaDatastore::Operational, &with_origin).await,
        "<bgp or:origin=\"or:intended\"><peer><name>2001:db8::2:3</name>\
         <local-port or:origin=\"or:system\">60794</local-port></peer></bgp>"
    );
}

#[tokio::test]
async fn errors_have_the_tags_of_the_rfc() {
    let nmda = Nmda::start().await;
    let element = |name: &str| vec![ErrorInfo::BadElement(name.into())];
    for (datastore, parameters, tag, info) in [
        ("ds:dynamic", "", ErrorTag::InvalidValue, element("datastore")),
        ("or:system", "", ErrorTag::InvalidValue, element("datastore")),
        ("nowhere:running", "", ErrorTag::InvalidValue, element("datastore")),
        ("ds:running", "<with-origin/>", ErrorTag::InvalidValue, element("with-origin")),
        ("ds:operational", "<with-origin>x</with-origin>", ErrorTag::InvalidValue, element("with-origin")),
        ("ds:intended", "<origin-filter>or:system</origin-filter>", ErrorTag::UnknownElement, element("origin-filter")),
        (
            "ds:operational",
            "<origin-filter>or:origin</origin-filter>",
            ErrorTag::InvalidValue,
            element("origin-filter"),
        ),
        (
            "ds:operational",
            "<origin-filter>ds:running</origin-filter>",
            ErrorTag::InvalidValue,
            element("origin-filter"),
        ),
        (
            "ds:operational",
            "<origin-filter>or:system</origin-filter><negated-origin-filter>or:default</negated-origin-filter>",
            ErrorTag::BadElement,
            element("negated-origin-filter"),
        ),
        ("ds:running", "<max-depth>0</max-depth>", ErrorTag::InvalidValue, element("max-depth")),
        ("ds:running", "<max-depth>65536</max-depth>", ErrorTag::InvalidValue, element("max-depth")),
        ("ds:running", "<config-filter>yes</config-filter>", ErrorTag::InvalidValue, element("config-filter")),
        ("ds:running", "<with-defaults>some</with-defaults>", ErrorTag::InvalidValue, element("with-defaults")),
        (
            "ds:running",
            "<config-filter>true</config-filter><config-filter>true</config-filter>",
            ErrorTag::BadElement,
            element("config-filter"),
        ),
        ("ds:running", "<xpath-filter>/r:users[</xpath-filter>", ErrorTag::InvalidValue, element("xpath-filter")),
        ("ds:running", "<xpath-filter>count(/r:users)</xpath-filter>", ErrorTag::InvalidValue, element("xpath-filter")),
        (
            "ds:running",
            "<subtree-filter/><xpath-filter>/r:users</xpath-filter>",
            ErrorTag::BadElement,
            element("xpath-filter"),
        ),
        ("ds:running", "<depth>1</depth>", ErrorTag::UnknownElement, element("depth")),
    ] {
        assert_eq!(nmda.refused(&get_data(datastore, parameters)).await, (tag, info), "{datastore} {parameters}");
    }
    let none = format!("<get-data xmlns=\"{NMDA}\"/>");
    assert_eq!(nmda.refused(&none).await, (ErrorTag::MissingElement, element("datastore")));
}

#[tokio::test]
async fn edit_data_writes_what_can_be_written() {
    let nmda = Nmda::start().await;
    nmda.configure(USERS).await;
    let session = &nmda.session;
    let hostname = |name: &str| format!("<system xmlns=\"urn:router\"><hostname>{name}</hostname></system>");
    session.edit_data(NmdaDatastore::Candidate, &hostname("c"), None).await.unwrap();
    assert_eq!(
        nmda.get(NmdaDatastore::Candidate, &top("system").into()).await,
        "<system><hostname>c</hostname></system>"
    );
    assert_eq!(nmda.get(NmdaDatastore::Running, &top("system").into()).await, "");
    session.discard_changes().await.unwrap();
    session.edit_data(NmdaDatastore::Startup, &hostname("s"), None).await.unwrap();
    assert!(nmda.get(NmdaDatastore::Startup, &GetData::default()).await.contains("<hostname>s</hostname>"));
    session.edit_data(NmdaDatastore::Running, &hostname("r"), Some("replace")).await.unwrap();
    assert_eq!(running(session).await, "<system xmlns=\"urn:router\"><hostname>r</hostname></system>");
    // One wrong value, and nothing is done.
    let half = "<system xmlns=\"urn:router\"><hostname>h</hostname></system>\
                <interfaces xmlns=\"urn:router\"><interface><name>e</name><mtu>x</mtu></interface></interfaces>";
    assert_eq!(tag(session.edit_data(NmdaDatastore::Running, half, None).await.unwrap_err()).0, ErrorTag::InvalidValue);
    let none = session.edit_data(NmdaDatastore::Running, USERS, Some("none")).await.unwrap_err();
    assert_eq!(tag(none).0, ErrorTag::DataMissing);
    assert_eq!(running(session).await, "<system xmlns=\"urn:router\"><hostname>r</hostname></system>");
    for unwritable in [NmdaDatastore::Intended, NmdaDatastore::Operational] {
        let error = session.edit_data(unwritable, &hostname("x"), None).await.unwrap_err();
        assert_eq!(tag(error).0, ErrorTag::InvalidValue, "{unwritable:?}");
    }
    let edit = |body: &str| {
        format!(
            "<edit-data xmlns=\"{NMDA}\" xmlns:ds=\"urn:ietf:params:xml:ns:yang:ietf-datastores\">\
             <datastore>ds:running</datastore>{body}</edit-data>"
        )
    };
    assert_eq!(nmda.refused(&edit("")).await, (ErrorTag::MissingElement, vec![ErrorInfo::BadElement("config".into())]));
    assert_eq!(nmda.refused(&edit("<url>file:a</url>")).await.0, ErrorTag::UnknownElement);
    let default = edit("<default-operation>delete</default-operation><config/>");
    assert_eq!(nmda.refused(&default).await.0, ErrorTag::InvalidValue);
}

#[tokio::test]
async fn edit_data_takes_its_content_from_a_url() {
    let files = tempfile::tempdir().unwrap();
    let config = "<config xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"><system xmlns=\"urn:router\">\
                  <hostname>file</hostname></system></config>";
    std::fs::write(files.path().join("a.xml"), config).unwrap();
    let nmda = Nmda::start_with(UrlOptions { dir: Some(files.path().into()), ..UrlOptions::default() }).await;
    let edit = |content: &str| {
        format!(
            "<edit-data xmlns=\"{NMDA}\" xmlns:ds=\"urn:ietf:params:xml:ns:yang:ietf-datastores\">\
             <datastore>ds:running</datastore>{content}</edit-data>"
        )
    };
    nmda.raw(&edit("<url>file:///a.xml</url>")).await.unwrap();
    assert_eq!(
        nmda.get(NmdaDatastore::Running, &top("system").into()).await,
        "<system><hostname>file</hostname></system>"
    );
    assert_eq!(nmda.refused(&edit("<url>file:///b.xml</url>")).await.0, ErrorTag::DataMissing);
    assert_eq!(nmda.refused(&edit("<url>file:///a.xml</url><config/>")).await.0, ErrorTag::BadElement);
}

/// RFC 8526 section 3.3: the datastore parameter of lock, unlock and validate.
#[tokio::test]
async fn datastores_are_locked_and_validated_by_identity() {
    let nmda = Nmda::start().await;
    let request = |operation: &str, parameter: &str, datastore: &str| {
        format!(
            "<{operation} xmlns:ds=\"urn:ietf:params:xml:ns:yang:ietf-datastores\"><{parameter}><datastore xmlns=\"{NMDA}\">\
             ds:{datastore}</datastore></{parameter}></{operation}>"
        )
    };
    nmda.session.rpc(request("lock", "target", "candidate")).await.unwrap();
    let other = open(&nmda.server, "admin").await;
    assert_eq!(tag(other.lock(&Datastore::Candidate).await.unwrap_err()).0, ErrorTag::LockDenied);
    nmda.session.rpc(request("unlock", "target", "candidate")).await.unwrap();
    other.lock(&Datastore::Candidate).await.unwrap();
    for datastore in ["running", "candidate", "startup", "intended"] {
        nmda.session.rpc(request("validate", "source", datastore)).await.unwrap();
    }
    for (operation, parameter, datastore) in [
        ("lock", "target", "intended"),
        ("lock", "target", "operational"),
        ("unlock", "target", "operational"),
        ("validate", "source", "operational"),
        ("validate", "source", "nothing"),
    ] {
        let refused = nmda.refused(&request(operation, parameter, datastore)).await;
        assert_eq!(refused, (ErrorTag::InvalidValue, vec![ErrorInfo::BadElement("datastore".into())]), "{operation}");
    }
}

/// RFC 8526 section 6: data is read under the rules that get is read under.
#[tokio::test]
async fn access_control_applies_to_get_data_and_edit_data() {
    let nmda = Nmda::start().await;
    let secret =
        "<users xmlns=\"urn:router\"><user><name>u</name><full-name>f</full-name><secret>s</secret></user></users>";
    nmda.configure(secret).await;
    let guest = open(&nmda.server, "guest").await;
    for datastore in [NmdaDatastore::Running, NmdaDatastore::Operational] {
        let reply = guest.get_data(datastore, &top("users").into()).await.unwrap();
        assert!(reply.text().contains("<full-name>f") && !reply.text().contains("secret"), "{}", reply.text());
    }
    let other = secret.replace(">f<", ">g<");
    let error = guest.edit_data(NmdaDatastore::Running, &other, None).await.unwrap_err();
    assert_eq!(tag(error).0, ErrorTag::AccessDenied);
}

/// RFC 8526 section 2, RFC 8525 section 3.
#[tokio::test]
async fn the_library_and_the_hello_tell_of_nmda() {
    let nmda = Nmda::start().await;
    assert!(nmda.session.capabilities().has(crate::capability::WITH_OPERATIONAL_DEFAULTS));
    let filter = "<yang-library xmlns=\"urn:ietf:params:xml:ns:yang:ietf-yang-library\"/>".to_owned();
    let library = nmda.session.get(&Filter::Subtree(filter).into()).await.unwrap();
    let document = library.document().unwrap();
    let namespace = "urn:ietf:params:xml:ns:yang:ietf-yang-library";
    let library = client::data(&document).unwrap().child(namespace, "yang-library").unwrap();
    let datastores: Vec<_> = library
        .children()
        .filter(|e| e.name() == "datastore")
        .map(|e| [e.child(namespace, "name").unwrap().text(), e.child(namespace, "schema").unwrap().text()])
        .collect();
    let all =
        ["running", "candidate", "startup", "intended", "operational"].map(|name| format!("ietf-datastores:{name}"));
    assert_eq!(datastores, all.each_ref().map(|name| [name.as_str(), "complete"]));
    let module = |name: &str| {
        let set = library.child(namespace, "module-set").unwrap();
        let found = set.children().find(|m| m.child(namespace, "name").is_some_and(|n| n.text() == name));
        let found = found.unwrap_or_else(|| panic!("{name}"));
        assert_eq!(found.name(), "module", "{name} is implemented");
        found.children().filter(|e| e.name() == "feature").map(|e| e.text().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(module("ietf-netconf-nmda"), ["origin", "with-defaults"]);
    assert!(module("ietf-origin").is_empty() && module("ietf-datastores").is_empty());
}

/// Without filters, get-data of a configuration datastore is get-config.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_data_of_running_is_get_config() {
    let nmda = Nmda::start().await;
    let leaf = |name: &'static str, values: &'static str| {
        prop::option::of(values).prop_map(move |v| v.map_or(String::new(), |v| format!("<{name}>{v}</{name}>")))
    };
    let body =
        (leaf("description", "[a-z ]{0,4}"), leaf("mtu", "[1-9][0-9]{2}|1500"), leaf("ip-address", "[a-f:]{1,3}"));
    let config = prop::collection::btree_map("[a-z]{1,2}", body, 0..6);
    let mode =
        prop::sample::select(vec![None, Some("report-all"), Some("report-all-tagged"), Some("trim"), Some("explicit")]);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) });
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner.run(&(config, mode), |(config, with_defaults)| {
            let entries = config.iter();
            let body: String = entries
                .map(|(name, (a, b, c))| format!("<interface><name>{name}</name>{a}{b}{c}</interface>"))
                .collect();
            let config = format!("<interfaces xmlns=\"urn:router\">{body}</interfaces>");
            handle.block_on(async {
                nmda.session.edit_data(NmdaDatastore::Running, &config, Some("replace")).await.unwrap();
                let options = client::Options { filter: None, with_defaults };
                let by_get_config = nmda.session.get_config(&Datastore::Running, &options).await.unwrap();
                let options = GetData { with_defaults, ..GetData::default() };
                for datastore in [NmdaDatastore::Running, NmdaDatastore::Intended, NmdaDatastore::Candidate] {
                    let by_get_data = nmda.get(datastore, &options).await;
                    prop_assert_eq!(by_get_data, content(by_get_config.text()));
                }
                Ok(())
            })
        })
    })
    .unwrap();
}
