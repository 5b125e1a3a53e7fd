//! What is answered to edits that are wrong (RFC 7950 sections 8.3 and 15, RFC 6241 appendix A).

use super::*;

#[tokio::test]
async fn each_wrong_element_has_its_tag_and_names_what_is_bad() {
    let garden = garden().await;
    let element = |name: &str| vec![ErrorInfo::BadElement(name.into())];
    let attribute = |name: &str, of: &str| vec![ErrorInfo::BadAttribute(name.into()), ErrorInfo::BadElement(of.into())];
    let top = "/garden:garden";
    for (body, tag, path, info) in [
        ("<nothing/>", ErrorTag::UnknownElement, top, element("nothing")),
        (
            "<bed><name>a</name><nothing/></bed>",
            ErrorTag::UnknownElement,
            "/garden:garden/garden:bed[garden:name='a']",
            element("nothing"),
        ),
        (
            "<owner xmlns=\"urn:nobody\">x</owner>",
            ErrorTag::UnknownNamespace,
            top,
            vec![ErrorInfo::BadElement("owner".into()), ErrorInfo::BadNamespace("urn:nobody".into())],
        ),
        (
            "<owner g:shade=\"1\">x</owner>",
            ErrorTag::UnknownAttribute,
            "/garden:garden/garden:owner",
            attribute("g:shade", "owner"),
        ),
        (
            "<owner nc:operation=\"make\">x</owner>",
            ErrorTag::BadAttribute,
            "/garden:garden/garden:owner",
            attribute("operation", "owner"),
        ),
        (
            "<owner nc:operation=\"none\">x</owner>",
            ErrorTag::BadAttribute,
            "/garden:garden/garden:owner",
            attribute("operation", "owner"),
        ),
        ("<owner><first/></owner>", ErrorTag::UnknownElement, "/garden:garden/garden:owner", element("first")),
        ("<owner>a</owner><owner>a</owner>", ErrorTag::BadElement, top, element("owner")),
        ("<shed/><shed/>", ErrorTag::BadElement, top, element("shed")),
        ("words", ErrorTag::BadElement, top, element("garden")),
        ("<width>1e3</width>", ErrorTag::InvalidValue, "/garden:garden/garden:width", vec![]),
        ("<reach>g:tool</reach>", ErrorTag::InvalidValue, "/garden:garden/garden:reach", vec![]),
    ] {
        let error = garden.refused(body).await;
        let found = error.path.as_ref().map(|path| path.text.as_str());
        assert_eq!((error.tag, found, &error.info), (tag, Some(path), &info), "{body}");
    }
    // RFC 7950 sections 7.5.4 and 9.4.4: the model's own words.
    let error = garden.refused("<owner>much too long a name</owner>").await;
    assert_eq!(error.app_tag.as_deref(), Some("name-length"));
    assert_eq!(error.message.as_deref(), Some("A name has up to 12 letters."));
}

#[tokio::test]
async fn every_error_is_told() {
    let garden = garden().await;
    let body =
        in_garden("<nothing/><width>0</width><bed/><owner nc:operation=\"delete\"/><shed><lock><x/></lock></shed>");
    let errors = errors_of(garden.send(EditConfig::new(Datastore::Running, body)).await);
    let tags: Vec<ErrorTag> = errors.iter().map(|error| error.tag).collect();
    use ErrorTag::{DataMissing, InvalidValue, MissingElement, UnknownElement};
    assert_eq!(tags, [UnknownElement, InvalidValue, MissingElement, DataMissing, UnknownElement]);
    let many: String = (0..100).map(|i| format!("<n{i}/>")).collect();
    let errors = errors_of(garden.send(EditConfig::new(Datastore::Running, in_garden(&many))).await);
    assert_eq!(errors.len(), crate::yang::edit::MAX_ERRORS);
}

/// RFC 7950 section 15, one by one.
#[tokio::test]
async fn constraints_have_the_answers_of_section_15() {
    let garden = garden().await;
    let entry = |name: &str| format!("<tree><name>{name}</name><row>1</row><place>2</place></tree>");
    let trees = [entry("a"), entry("b")].concat();
    let rule = |rest: &str| format!("/garden:rule/garden:{rest}");
    for (body, tag, app_tag, path) in [
        (trees.as_str(), ErrorTag::OperationFailed, Some("data-not-unique"), None),
        (
            "<two>1</two><two>2</two><two>3</two>",
            ErrorTag::OperationFailed,
            Some("too-many-elements"),
            Some(rule("two")),
        ),
        ("<least/>", ErrorTag::OperationFailed, Some("too-few-elements"), Some(rule("least/garden:one"))),
        ("<low>2</low><high>1</high>", ErrorTag::OperationFailed, Some("above-low"), Some(rule("high"))),
        ("<best>oak</best>", ErrorTag::DataMissing, Some("instance-required"), Some(rule("best"))),
        ("<need/>", ErrorTag::DataMissing, Some("missing-choice"), Some(rule("need"))),
        ("<must-have/>", ErrorTag::DataMissing, None, Some(rule("must-have/garden:it"))),
        ("<glove>wool</glove>", ErrorTag::UnknownElement, None, None),
    ] {
        let errors = errors_of(garden.send(EditConfig::new(Datastore::Running, in_rule(body))).await);
        let error = &errors[0];
        assert_eq!((error.tag, error.app_tag.as_deref()), (tag, app_tag), "{body}: {errors:?}");
        if let Some(path) = path {
            assert_eq!(error.path.as_ref().unwrap().text, path, "{body}");
        }
        let named: Vec<&str> = error
            .info
            .iter()
            .filter_map(|info| match info {
                ErrorInfo::Other { name, .. } => Some(name.as_ref()),
                _ => None,
            })
            .collect();
        match app_tag {
            Some("data-not-unique") => {
                assert!(named.len() >= 2 && named.iter().all(|n| *n == "non-unique"), "{error:?}")
            }
            Some("missing-choice") => assert_eq!(named, ["missing-choice"], "{error:?}"),
            _ => {}
        }
    }
    assert_eq!(garden.shown().await, "");
}
