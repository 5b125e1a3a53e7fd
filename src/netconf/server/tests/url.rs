//! :url (RFC 6241 section 8.8): files and https, in every operation that takes a `<url>`.

use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

use super::*;

const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";

fn with_name(value: &str) -> String {
    format!("<system xmlns=\"urn:fixture\"><name>{value}</name></system>")
}

fn document(config: &str) -> String {
    format!("<config xmlns=\"{BASE}\">{config}</config>")
}

fn url(text: impl Into<String>) -> Datastore {
    Datastore::Url(text.into())
}

/// A server with a directory of files, and its session.
async fn with_files() -> (Bench, Session, tempfile::TempDir) {
    let files = tempfile::tempdir().unwrap();
    let urls = UrlOptions { dir: Some(files.path().into()), ..UrlOptions::default() };
    let bench = start_with(tempfile::tempdir().unwrap(), Options { urls, ..Options::default() }).await;
    let session = bench.admin().await;
    (bench, session, files)
}

#[tokio::test]
async fn urls_are_announced_where_there_are_any() {
    let bench = start().await;
    let session = bench.admin().await;
    assert!(!session.capabilities().has(crate::capability::URL));
    let edit = EditConfig::from_url(Datastore::Running, "file:///a.xml");
    for refused in [
        session.copy_config(&Datastore::Running, &url("file:///a.xml")).await,
        session.delete_config(&url("file:///a.xml")).await,
        session.validate(&url("file:///a.xml")).await,
        session.edit_config(&edit).await,
    ] {
        assert_eq!(tag(refused.unwrap_err()).0, ErrorTag::UnknownElement);
    }
    let (_bench, session, _files) = with_files().await;
    assert_eq!(session.capabilities().parameter(crate::capability::URL, "scheme"), Some("file"));
    let base = session.capabilities().modules().find(|module| module.name == "ietf-netconf").unwrap();
    assert!(base.features.contains(&"url"), "{base:?}");
}

/// RFC 6241 sections 8.8.5.1 to 8.8.5.4.
#[tokio::test]
async fn files_are_written_read_edited_from_validated_and_deleted() {
    let (_bench, session, files) = with_files().await;
    std::fs::create_dir(files.path().join("backup")).unwrap();
    set(&session, Datastore::Running, &name("saved")).await.unwrap();
    session.copy_config(&url("file:///backup/one.xml"), &Datastore::Running).await.unwrap();
    let saved = std::fs::read_to_string(files.path().join("backup/one.xml")).unwrap();
    assert!(saved.ends_with(&format!("{}\n", document(&with_name("saved")))), "{saved}");
    set(&session, Datastore::Running, &name("later")).await.unwrap();
    for target in [Datastore::Candidate, Datastore::Startup, Datastore::Running] {
        session.copy_config(&target, &url("file:///backup/one.xml")).await.unwrap();
        assert_eq!(content(&session, target).await, with_name("saved"));
    }
    // The file system's own path; and from one URL to another.
    let two = format!("file://{}/two.xml", files.path().display());
    session.copy_config(&url(&two), &url("file:///backup/one.xml")).await.unwrap();
    session.validate(&url(&two)).await.unwrap();
    let same = session.copy_config(&url(&two), &url("file:///two.xml")).await.unwrap_err();
    assert_eq!(tag(same).0, ErrorTag::InvalidValue);
    session.replace_config(&url(&two), "<system xmlns=\"urn:fixture\"><mtu>99</mtu></system>").await.unwrap();
    session.edit_config(&EditConfig::from_url(Datastore::Running, &two)).await.unwrap();
    assert_eq!(running(&session).await, "<system xmlns=\"urn:fixture\"><name>saved</name><mtu>99</mtu></system>");
    session.delete_config(&url(&two)).await.unwrap();
    assert!(!files.path().join("two.xml").exists());
    for missing in [
        session.delete_config(&url(&two)).await,
        session.validate(&url(&two)).await,
        session.copy_config(&url("file:///nowhere/three.xml"), &Datastore::Running).await,
    ] {
        assert_eq!(tag(missing.unwrap_err()).0, ErrorTag::DataMissing);
    }
    let left: Vec<_> = std::fs::read_dir(files.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["backup"], "nothing temporary is left");
}

#[tokio::test]
async fn nothing_outside_the_directory_is_reached() {
    let (_bench, session, files) = with_files().await;
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.xml");
    std::fs::write(&secret, document(&with_name("secret"))).unwrap();
    std::os::unix::fs::symlink(&secret, files.path().join("link.xml")).unwrap();
    std::os::unix::fs::symlink(outside.path(), files.path().join("away")).unwrap();
    std::fs::create_dir(files.path().join("directory")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        files.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    for name in ["link.xml", "away/secret.xml", "../secret.xml", "directory", "fifo"] {
        let it = url(format!("file:///{name}"));
        for refused in
            [session.copy_config(&Datastore::Running, &it).await, session.copy_config(&it, &Datastore::Running).await]
        {
            assert_eq!(tag(refused.unwrap_err()).0, ErrorTag::InvalidValue, "{name}");
        }
    }
    session.delete_config(&url("file:///link.xml")).await.expect("the link itself can go");
    session.delete_config(&url("file:///away/secret.xml")).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), document(&with_name("secret")));
    assert_eq!(running(&session).await, "");
}

#[tokio::test]
async fn what_is_no_configuration_is_refused() {
    let (_bench, session, files) = with_files().await;
    let file = files.path().join("a.xml");
    for (text, expected) in [
        ("", ErrorTag::OperationFailed),
        ("<config", ErrorTag::OperationFailed),
        ("<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\"/>", ErrorTag::OperationFailed),
        ("<config xmlns=\"urn:fixture\"/>", ErrorTag::OperationFailed),
        (&document("<system xmlns=\"urn:fixture\"><nope/></system>"), ErrorTag::UnknownElement),
        (&document("<system xmlns=\"urn:fixture\"><mtu>x</mtu></system>"), ErrorTag::InvalidValue),
        (
            &document("<servers xmlns=\"urn:fixture\"><rule><id>1</id><sub>s</sub></rule></servers>"),
            ErrorTag::DataMissing,
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        for refused in [
            session.copy_config(&Datastore::Running, &url("file:///a.xml")).await,
            session.validate(&url("file:///a.xml")).await,
            session.edit_config(&EditConfig::from_url(Datastore::Running, "file:///a.xml")).await,
        ] {
            assert_eq!(tag(refused.expect_err(text)).0, expected, "{text}");
        }
    }
    std::fs::write(&file, b"\xff").unwrap();
    assert_eq!(tag(session.validate(&url("file:///a.xml")).await.unwrap_err()).0, ErrorTag::OperationFailed);
    let both = "<edit-config><target><running/></target><config/><url>file:///a.xml</url></edit-config>";
    assert_eq!(tag(session.rpc(both).await.unwrap_err()).0, ErrorTag::BadElement);
    assert_eq!(running(&session).await, "");
}

/// RFC 8341 section 3.2.6: what one may not read one cannot save either.
#[tokio::test]
async fn a_file_holds_what_its_author_may_read() {
    let (bench, admin, files) = with_files().await;
    let config = "<system xmlns=\"urn:fixture\"><name>seen</name><secret>s</secret></system>";
    set(&admin, Datastore::Running, config).await.unwrap();
    let bob = bench.session("bob").await.0;
    bob.copy_config(&url("file:///bob.xml"), &Datastore::Running).await.unwrap();
    let saved = std::fs::read_to_string(files.path().join("bob.xml")).unwrap();
    assert!(saved.contains("seen") && !saved.contains("secret"), "{saved}");
    // delete-config is denied to all whom no rule permits it.
    assert_eq!(tag(bob.delete_config(&url("file:///bob.xml")).await.unwrap_err()).0, ErrorTag::AccessDenied);
}

/// What an https server was asked, and what it holds.
#[derive(Default)]
struct Web {
    files: HashMap<String, Vec<u8>>,
    /// The first line and the Authorization of each request.
    requests: Vec<(String, Option<String>)>,
}

/// Serves https on a port of the system's choice, until the process ends.
fn serve(web: Arc<Mutex<Web>>, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let key = rustls::pki_types::PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            // A client that does not trust the certificate goes away; the next one counts.
            let _ = answer(&web, rustls::StreamOwned::new(tls, stream.unwrap()));
        }
    });
    port
}

fn answer(web: &Mutex<Web>, stream: impl Read + Write) -> std::io::Result<()> {
    let mut stream = std::io::BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = head.iter().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned())
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let first = head.first().cloned().unwrap_or_default();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
    let mut web = web.lock().unwrap();
    web.requests.push((format!("{method} {path}"), header("authorization")));
    let (status, content) = match method {
        _ if path == "/moved" => ("302 Found\r\nLocation: /cfg/new.txt", Vec::new()),
        "GET" => match web.files.get(&path) {
            Some(content) => ("200 OK", content.clone()),
            None => ("404 Not Found", Vec::new()),
        },
        "PUT" => {
            web.files.insert(path, body);
            ("201 Created", Vec::new())
        }
        "DELETE" if web.files.remove(&path).is_some() => ("204 No Content", Vec::new()),
        _ => ("404 Not Found", Vec::new()),
    };
    let length = content.len();
    write!(stream.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.get_mut().write_all(&content)?;
    stream.get_mut().flush()
}

/// The example of RFC 6241 section 7.3 among them: `https://user:password@example.com/cfg/new.txt`.
#[tokio::test]
async fn https_is_read_written_and_deleted_at_allowed_hosts() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let web = Arc::new(Mutex::new(Web::default()));
    web.lock().unwrap().files.insert("/cfg/new.txt".into(), document(&with_name("new")).into_bytes());
    let port = serve(web.clone(), &certificate);
    let untrusted = serve(web.clone(), &stranger);
    let directory = tempfile::tempdir().unwrap();
    let authorities = directory.path().join("authorities.pem");
    std::fs::write(&authorities, certificate.cert.pem()).unwrap();
    let allow = [port, untrusted].map(|port| format!("localhost:{port}").parse().unwrap()).into();
    let urls = UrlOptions { allow, authorities: Some(authorities), ..UrlOptions::default() };
    let bench = start_with(directory, Options { urls, ..Options::default() }).await;
    let session = bench.admin().await;
    assert_eq!(session.capabilities().parameter(crate::capability::URL, "scheme"), Some("https"));
    let at = |path: &str| url(format!("https://localhost:{port}/{path}"));

    let example = url(format!("https://user:pass%20word@localhost:{port}/cfg/new.txt"));
    session.copy_config(&Datastore::Running, &example).await.unwrap();
    assert_eq!(running(&session).await, with_name("new"));
    // base64 of user:pass word
    let asked = web.lock().unwrap().requests.pop().unwrap();
    assert_eq!(asked, ("GET /cfg/new.txt".into(), Some("Basic dXNlcjpwYXNzIHdvcmQ=".into())));
    session.copy_config(&at("cfg/saved.xml"), &Datastore::Running).await.unwrap();
    let saved = web.lock().unwrap().files["/cfg/saved.xml"].clone();
    assert!(String::from_utf8(saved).unwrap().ends_with(&format!("{}\n", document(&with_name("new")))));
    session.validate(&at("cfg/saved.xml")).await.unwrap();
    session
        .edit_config(&EditConfig::from_url(Datastore::Candidate, format!("https://localhost:{port}/cfg/saved.xml")))
        .await
        .unwrap();
    session.delete_config(&at("cfg/saved.xml")).await.unwrap();
    assert!(!web.lock().unwrap().files.contains_key("/cfg/saved.xml"));
    assert_eq!(tag(session.validate(&at("cfg/saved.xml")).await.unwrap_err()).0, ErrorTag::DataMissing);

    // A redirect could lead anywhere; a certificate that nobody vouches for, and a host that is not on the list.
    assert_eq!(tag(session.validate(&at("moved")).await.unwrap_err()).0, ErrorTag::OperationFailed);
    let asked = web.lock().unwrap().requests.len();
    let wrong = url(format!("https://user:password@localhost:{untrusted}/cfg/new.txt"));
    let client::Error::Rpc(errors) = session.validate(&wrong).await.unwrap_err() else { panic!() };
    assert_eq!(errors[0].tag, ErrorTag::OperationFailed);
    assert!(!errors[0].message.as_ref().unwrap().contains("password"), "{}", errors[0]);
    let elsewhere = url(format!("https://127.0.0.1:{port}/cfg/new.txt"));
    assert_eq!(tag(session.validate(&elsewhere).await.unwrap_err()).0, ErrorTag::InvalidValue);
    assert_eq!(web.lock().unwrap().requests.len(), asked, "neither was asked");
}
