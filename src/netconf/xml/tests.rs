//! Tests of the XML reader and writer.

use super::*;

fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    Document::parse(text, &Limits::default())
}

#[test]
fn names_namespaces_attributes_and_text() {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><a xmlns=\"urn:a\" xmlns:b='urn:b' b:x=\"1&lt;&#x41;\" y=\"2\">\
                <b:c>one &amp; <![CDATA[<two>]]></b:c>\n  <d xmlns=\"\"/></a>\n";
    let document = parse(text).unwrap();
    let root = document.root();
    assert!(root.is("urn:a", "a"));
    assert_eq!(root.text(), "");
    assert_eq!(root.attribute("urn:b", "x"), Some("1<A"));
    assert_eq!(root.attribute("", "y"), Some("2"));
    let children: Vec<_> = root.children().collect();
    assert!(children[0].is("urn:b", "c"));
    assert_eq!(children[0].text(), "one & <two>");
    assert!(children[1].is("", "d"));
    assert_eq!(children[0].resolve_prefix("b"), Some("urn:b"));
    assert_eq!(children[1].resolve_prefix(""), None);
    assert_eq!(document.len(), 3);
}

#[test]
fn what_is_written_reads_the_same() {
    let text = "<a xmlns=\"urn:a\" xmlns:p=\"urn:p\"><p:b q=\"&quot;&#10;\">x&gt;y&#13;</p:b><c xmlns:p=\"urn:other\"><p:d/></c>\
                <e xmlns=\"\">p:value</e></a>";
    let document = parse(text).unwrap();
    let mut once = Vec::new();
    document.root().write(&mut once);
    let once = String::from_utf8(once).unwrap();
    let again = parse(&once).unwrap();
    let (a, b) = (document.root(), again.root());
    assert_same(a, b);
}

fn assert_same(a: Element<'_>, b: Element<'_>) {
    assert_eq!((a.namespace(), a.name(), a.text()), (b.namespace(), b.name(), b.text()));
    assert_eq!(a.resolve_prefix("p"), b.resolve_prefix("p"));
    assert_eq!(
        a.attributes().map(|x| (x.namespace, x.name, x.value)).collect::<Vec<_>>(),
        b.attributes().map(|x| (x.namespace, x.name, x.value)).collect::<Vec<_>>()
    );
    assert_eq!(a.children().count(), b.children().count());
    a.children().zip(b.children()).for_each(|(a, b)| assert_same(a, b));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for (text, reason) in [
        ("", "no root element"),
        ("<a>", "inside an element"),
        ("<a></b>", ""),
        ("<a/><b/>", "second root"),
        ("<a/>x", "outside the root"),
        ("x<a/>", "outside the root"),
        ("<p:a/>", "not declared"),
        ("<a p:x=''/>", "not declared"),
        ("<a x='1' x='2'/>", ""),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type"),
        ("<a>&x;</a>", "entity"),
        ("<a>&#0;</a>", ""),
        ("<a>&#11;</a>", "not a character"),
        ("<a>\u{1}</a>", "control character"),
        ("<1a/>", "not a name"),
        ("<a:b:c xmlns:a='u'/>", "not a name"),
        ("<a xmlns:p=''/>", "no namespace"),
        ("<a>]]></a>", "]]>"),
        ("<a b='<'/>", ""),
        ("<?xml version='1.0' encoding='latin1'?><a/>", "UTF-8"),
        ("<a><?xml version='1.0'?></a>", ""),
    ] {
        match parse(text) {
            Ok(_) => panic!("{text:?} was accepted"),
            Err(error) => assert!(error.reason.contains(reason), "{text:?}: {error}"),
        }
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { depth: 3, elements: 4, attributes: 2, namespaces: 2, name: 7 };
    for text in ["<a><b><c/></b></a>", "<a xmlns:a='u'><b xmlns:b='u'/><b xmlns:b='u'/></a>", "<a:efghi xmlns:a='u'/>"]
    {
        assert!(Document::parse(text, &limits).is_ok(), "{text}");
    }
    for text in [
        "<a><b><c><d></d></c></b></a>",
        "<a><b/><b/><b/><b/></a>",
        "<a><b x='' y=''/><b/></a>",
        "<a x='' y='' z=''/>",
        "<a xmlns:a='u'><b xmlns:b='u'><c xmlns:c='u'/></b></a>",
        "<a:efghij xmlns:a='u'/>",
        "<a abcdefgh=''/>",
    ] {
        assert!(Document::parse(text, &limits).is_err(), "{text}");
    }
}

#[test]
fn the_root_is_read_without_what_is_inside() {
    let limits = Limits::default();
    let text = "<?xml version='1.0'?> <a xmlns='urn:a' x='1'><b></c>\u{1}";
    let document = Document::parse_root(text, &limits).unwrap();
    assert!(document.root().is("urn:a", "a"));
    assert_eq!(document.root().attribute("", "x"), Some("1"));
    for text in ["<a x='\u{1}'/>", "x<a/>", "<a x='1'", ""] {
        assert!(Document::parse_root(text, &limits).is_err(), "{text:?}");
    }
}

#[test]
fn an_error_is_short_whatever_it_quotes() {
    let long = "ä".repeat(100_000);
    for text in [format!("<a>&{long};</a>"), format!("<a></{long}>"), format!("<a x='&{long};'/>")] {
        assert!(parse(&text).unwrap_err().reason.len() < 3_000);
    }
}
