//! Which URLs a server has, and which it refuses before anything is looked up.

use super::*;

fn urls(dir: Option<&std::path::Path>, allow: &[&str]) -> Urls {
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.cert.pem()).unwrap();
    let options = UrlOptions {
        dir: dir.map(Into::into),
        allow: allow.iter().map(|host| host.parse().unwrap()).collect(),
        authorities: Some(file.path().into()),
    };
    Urls::open(&options).unwrap()
}

#[test]
fn files_are_named_inside_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let urls = urls(Some(directory.path()), &[]);
    let absolute = format!("file://{}/a/b.xml", directory.path().display());
    for same in ["file:///a/b.xml", "file:/a/b.xml", "FILE://localhost/a/b.xml", "file:///a/%62.xml", &absolute] {
        assert_eq!(urls.url(same).unwrap().to_string(), "file:///a/b.xml", "{same}");
    }
    for refused in [
        "a/b.xml",
        "file:a.xml",
        "file://elsewhere/a.xml",
        "file:///../a.xml",
        "file:///a/../../b.xml",
        "file:///a/%2e%2E/b.xml",
        "file:///./a.xml",
        "file:///a%2fb.xml",
        "file:///a%00b.xml",
        "file:///a%+1.xml",
        "file:///a%fF.xml",
        "file:///a.xml?b",
        "file:///a.xml#b",
        "file:///",
        "file:///a//b.xml",
        "file:///a/",
        "https://localhost/a.xml",
        "ftp://localhost/a.xml",
    ] {
        let error = urls.url(refused).expect_err(refused);
        assert_eq!(error.tag, crate::error::ErrorTag::InvalidValue, "{refused}");
    }
    assert_eq!(urls.schemes().as_deref(), Some("file"));
}

#[test]
fn hosts_are_those_of_the_list() {
    let urls = urls(None, &["Example.com", "10.0.0.1:8443", "[::1]:9443"]);
    assert_eq!(urls.schemes().as_deref(), Some("https"));
    for (text, shown) in [
        ("https://user:password@example.com/cfg/new.txt", "https://example.com:443/cfg/new.txt"),
        ("https://EXAMPLE.com:443", "https://example.com:443/"),
        ("https://10.0.0.1:8443/a?b=c", "https://10.0.0.1:8443/a?b=c"),
        ("https://[::1]:9443/a", "https://[::1]:9443/a"),
    ] {
        let url = urls.url(text).expect(text);
        assert_eq!(url.to_string(), shown);
        assert!(!format!("{url:?}").contains("password"));
    }
    for refused in [
        "https://example.org/",
        "https://example.com:8443/",
        "https://example.com.evil.org/",
        "https://example.com@evil.org/",
        "https://evil.org\\@example.com/",
        "https://10.0.0.1/",
        "https://example.com:/",
        "https://example.com:99999/",
        "https:///a",
        "https://example.com/a#b",
        "http://example.com/",
        "file:///a",
    ] {
        let error = urls.url(refused).expect_err(refused);
        assert_eq!(error.tag, crate::error::ErrorTag::InvalidValue, "{refused}");
    }
    for wrong in ["", "user@host", "host/path", "host:x", "https://host"] {
        wrong.parse::<Host>().expect_err(wrong);
    }
}

#[test]
fn without_urls_the_element_is_unknown() {
    let error = Urls::default().url("file:///a").unwrap_err();
    assert_eq!(error.tag, crate::error::ErrorTag::UnknownElement);
}
