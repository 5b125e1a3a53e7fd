//! Lists and leaf-lists in edits, and the order that is the user's (RFC 7950 sections 7.7.9, 7.7.10, 7.8.6 and 7.8.7).

use super::*;

fn turn(name: &str, attributes: &str) -> String {
    let (first, last) = name.split_once(' ').unwrap();
    format!("<turn {attributes}><first>{first}</first><last>{last}</last></turn>")
}

fn at(place: &str, name: &str) -> String {
    let (first, last) = name.split_once(' ').unwrap();
    format!("yang:insert=\"{place}\" yang:key=\"[g:first='{first}'] [g:last=&quot;{last}&quot;]\"")
}

/// The texts of an element, in order.
fn texts(shown: &str, element: &str) -> Vec<String> {
    let open = format!("<{element}>");
    shown.split(&open).skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
}

/// RFC 7950 section 7.8.7: an entry is made, changed, deleted.
#[tokio::test]
async fn entries_by_key() {
    let garden = garden().await;
    let create = "<turn nc:operation=\"create\"><first>fay</first><last>fox</last><kind>guest</kind></turn>";
    garden.merge(create).await;
    let changed =
        garden.merge("<turn><first>fay</first><last>fox</last><kind>host</kind><full>Fay Fox</full></turn>").await;
    assert_eq!(changed, "<turn><first>fay</first><last>fox</last><kind>host</kind><full>Fay Fox</full></turn>");
    let error = garden.refused(create).await;
    assert_eq!(error.tag, ErrorTag::DataExists);
    let path = "/garden:garden/garden:turn[garden:first='fay'][garden:last='fox']";
    assert_eq!(error.path.as_ref().unwrap().text, path);
    // The keys can stand anywhere, but each must be there, once, and with a value.
    let shown =
        garden.merge("<turn nc:operation=\"replace\"><last>fox</last><kind>x</kind><first>fay</first></turn>").await;
    assert_eq!(shown, "<turn><first>fay</first><last>fox</last><kind>x</kind></turn>");
    for (body, tag, bad) in [
        ("<turn><first>a</first></turn>", ErrorTag::MissingElement, "last"),
        ("<turn nc:operation=\"delete\"><first>fay</first></turn>", ErrorTag::MissingElement, "last"),
        ("<turn><first>a</first><first>b</first><last>c</last></turn>", ErrorTag::BadElement, "first"),
        ("<turn><first nc:operation=\"delete\">fay</first><last>fox</last></turn>", ErrorTag::BadElement, "first"),
    ] {
        let error = garden.refused(body).await;
        assert_eq!((error.tag, &error.info[..]), (tag, &[ErrorInfo::BadElement(bad.into())][..]), "{body}");
    }
    let delete = "<turn nc:operation=\"delete\"><first>fay</first><last>fox</last></turn>";
    assert_eq!(garden.merge(delete).await, "");
    assert_eq!(garden.refused(delete).await.tag, ErrorTag::DataMissing);
    assert_eq!(garden.merge(&delete.replace("delete", "remove")).await, "");
}

#[tokio::test]
async fn entries_in_the_users_order() {
    let garden = garden().await;
    let body = format!("{}{}{}", turn("b x", ""), turn("a x", ""), turn("d x", ""));
    let order = |shown: &str| texts(shown, "first").concat();
    assert_eq!(order(&garden.merge(&body).await), "bad");
    // A new one after another, before, at each end.
    let created = turn("c x", &format!("nc:operation=\"create\" {}", at("after", "a x")));
    assert_eq!(order(&garden.merge(&created).await), "bacd");
    assert_eq!(order(&garden.merge(&turn("e x", &at("before", "b x"))).await), "ebacd");
    assert_eq!(order(&garden.merge(&turn("f x", "yang:insert=\"first\"")).await), "febacd");
    // One that is there is moved by merge and by replace, and stays where nothing says so.
    assert_eq!(order(&garden.merge(&turn("f x", "yang:insert=\"last\"")).await), "ebacdf");
    let moved = turn("d x", &format!("nc:operation=\"replace\" {}", at("before", "a x")));
    assert_eq!(order(&garden.merge(&moved).await), "ebdacf");
    assert_eq!(order(&garden.merge(&turn("b x", "nc:operation=\"replace\"")).await), "ebdacf");
    assert_eq!(order(&garden.merge(&turn("b x", "")).await), "ebdacf");
    for (attributes, tag, app_tag, bad) in [
        (at("after", "z x"), ErrorTag::BadAttribute, Some("missing-instance"), "key"),
        (at("after", "q x"), ErrorTag::BadAttribute, Some("missing-instance"), "key"),
        ("yang:insert=\"after\" yang:key=\"[g:first='a']\"".into(), ErrorTag::BadAttribute, None, "key"),
        ("yang:insert=\"after\" yang:key=\"a\"".into(), ErrorTag::BadAttribute, None, "key"),
        ("yang:insert=\"middle\"".into(), ErrorTag::BadAttribute, None, "insert"),
        ("yang:insert=\"before\"".into(), ErrorTag::MissingAttribute, None, "key"),
        ("yang:insert=\"before\" yang:value=\"a\"".into(), ErrorTag::UnknownAttribute, None, "yang:value"),
        ("yang:key=\"[g:first='a'][g:last='x']\"".into(), ErrorTag::MissingAttribute, None, "insert"),
    ] {
        let error = garden.refused(&turn("q x", &attributes)).await;
        assert_eq!((error.tag, error.app_tag.as_deref()), (tag, app_tag), "{attributes}");
        assert_eq!(error.info, [ErrorInfo::BadAttribute(bad.into()), ErrorInfo::BadElement("turn".into())]);
    }
    // RFC 7950 section 8.3.1: where the system orders, there is no such attribute.
    let error = garden.refused("<bed yang:insert=\"first\"><name>a</name></bed>").await;
    assert_eq!(error.tag, ErrorTag::UnknownAttribute);
}

/// RFC 7950 section 7.7.10.
#[tokio::test]
async fn values_of_leaf_lists() {
    let garden = garden().await;
    garden.merge("<label>b</label><label>a</label>").await;
    let labels = |shown: &str| texts(shown, "label").concat();
    assert_eq!(labels(&garden.merge("<label>b</label>").await), "ab");
    assert_eq!(labels(&garden.merge("<label nc:operation=\"replace\">c</label>").await), "abc");
    let error = garden.refused("<label nc:operation=\"create\">a</label>").await;
    assert_eq!(error.tag, ErrorTag::DataExists);
    assert_eq!(error.path.as_ref().unwrap().text, "/garden:garden/garden:label[.='a']");
    assert_eq!(labels(&garden.merge("<label nc:operation=\"delete\">a</label>").await), "bc");
    assert_eq!(garden.refused("<label nc:operation=\"delete\">a</label>").await.tag, ErrorTag::DataMissing);
    assert_eq!(labels(&garden.merge("<label nc:operation=\"remove\">a</label>").await), "bc");

    let garden = self::garden().await;
    let guests = |shown: &str| texts(shown, "guest").concat();
    garden.merge("<guest>b</guest><guest>a</guest>").await;
    let insert = |value: &str, attributes: &str| format!("<guest {attributes}>{value}</guest>");
    let created = insert("c", "nc:operation=\"create\" yang:insert=\"after\" yang:value=\"b\"");
    assert_eq!(guests(&garden.merge(&created).await), "bca");
    assert_eq!(guests(&garden.merge(&insert("d", "yang:insert=\"first\"")).await), "dbca");
    assert_eq!(guests(&garden.merge(&insert("a", "yang:insert=\"before\" yang:value=\"b\"")).await), "dabc");
    assert_eq!(guests(&garden.merge(&insert("d", "nc:operation=\"replace\" yang:insert=\"last\"")).await), "abcd");
    assert_eq!(guests(&garden.merge(&insert("a", "")).await), "abcd");
    let error = garden.refused(&insert("e", "yang:insert=\"before\" yang:value=\"z\"")).await;
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::BadAttribute, Some("missing-instance")));
    assert_eq!(garden.refused(&insert("e", "yang:insert=\"before\"")).await.tag, ErrorTag::MissingAttribute);
    assert_eq!(garden.refused("<label yang:insert=\"first\">e</label>").await.tag, ErrorTag::UnknownAttribute);

    // A value with a prefix is meant by its namespace, in the attribute too.
    garden.merge("<reach>g:rake</reach>").await;
    let body = "<reach xmlns:other=\"urn:garden\" yang:insert=\"before\" yang:value=\"other:rake\">spade</reach>";
    let shown = garden.merge(body).await;
    assert!(shown.find("spade").unwrap() < shown.find("rake").unwrap(), "{shown}");
    let error = garden.refused("<reach yang:insert=\"before\" yang:value=\"hoe\">g:rake</reach>").await;
    assert_eq!((error.tag, error.app_tag.as_deref()), (ErrorTag::BadAttribute, None));
}
