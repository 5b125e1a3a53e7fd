//! Tests of path forms.

use super::*;

#[test]
fn instance_identifiers_compress_and_expand() {
    for (full, short) in [
        ("/a:b/a:c", "/a:b/c"),
        ("/a:b/c:d/c:e", "/a:b/c:d/e"),
        ("/a:b[a:k='x:y/z']/a:c[.=\"q\"]", "/a:b[k='x:y/z']/c[.=\"q\"]"),
        ("/a:b[3]/b:c", "/a:b[3]/b:c"),
    ] {
        assert_eq!(compress(full), short);
        assert_eq!(expand(short), full);
    }
}

#[test]
fn prefixes_map_outside_quotes_only() {
    let map = |p: &str| if p == "p" { Ok("mod".to_owned()) } else { Err(p.to_owned()) };
    assert_eq!(map_prefixes("/p:a[p:b='p:c']/child::p:d", map), Ok("/mod:a[mod:b='p:c']/child::mod:d".into()));
    assert_eq!(map_prefixes("count(p:a) > 1", map), Ok("count(mod:a) > 1".into()));
    assert_eq!(map_prefixes("/q:a", map), Err("q".into()));
}
