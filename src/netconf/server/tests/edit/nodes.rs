//! Containers, leafs, choices, anydata and anyxml in edits (RFC 7950 sections 7.5.8, 7.6.8, 7.9.6, 7.10.5, 7.11.5, 7.20.2 and
//! 7.20.3).

use super::*;

#[tokio::test]
async fn containers_with_and_without_presence() {
    let garden = garden().await;
    assert_eq!(garden.merge("<pump/>").await, "<pump/>");
    assert_eq!(garden.refused("<pump nc:operation=\"create\"/>").await.tag, ErrorTag::DataExists);
    assert_eq!(garden.merge("<pump><rate>3</rate></pump>").await, "<pump><rate>3</rate></pump>");
    assert_eq!(garden.merge("<pump nc:operation=\"replace\"/>").await, "<pump/>");
    // RFC 7950 section 7.5.8: what is deleted goes with all that is in it.
    garden.merge("<pump><rate>3</rate></pump>").await;
    assert_eq!(garden.merge("<pump nc:operation=\"delete\"/>").await, "");
    assert_eq!(garden.refused("<pump nc:operation=\"delete\"/>").await.tag, ErrorTag::DataMissing);
    assert_eq!(garden.merge("<pump nc:operation=\"remove\"/>").await, "");
    // Without presence it is there for what it holds, and only for that.
    assert_eq!(garden.merge("<shed nc:operation=\"create\"/>").await, "");
    assert_eq!(
        garden.merge("<shed nc:operation=\"create\"><lock>x</lock></shed>").await,
        "<shed><lock>x</lock></shed>"
    );
    assert_eq!(garden.refused("<shed nc:operation=\"create\"/>").await.tag, ErrorTag::DataExists);
    assert_eq!(garden.merge("<shed><lock nc:operation=\"delete\"/></shed>").await, "");
    assert_eq!(garden.refused("<shed nc:operation=\"delete\"/>").await.tag, ErrorTag::DataMissing);
}

#[tokio::test]
async fn operations_inside_operations() {
    let garden = garden().await;
    // Create inside create, and what cannot be inside it.
    let body = "<pump nc:operation=\"create\"><rate nc:operation=\"create\">1</rate></pump>";
    assert_eq!(garden.merge(body).await, "<pump><rate>1</rate></pump>");
    let body = "<bed nc:operation=\"create\"><name>a</name><depth nc:operation=\"delete\"/></bed>";
    let error = garden.refused(body).await;
    assert_eq!(error.tag, ErrorTag::DataMissing);
    assert_eq!(error.path.as_ref().unwrap().text, "/garden:garden/garden:bed[garden:name='a']/garden:depth");
    assert!(garden.merge(&body.replace("delete", "remove")).await.starts_with("<pump><rate>1</rate></pump><bed>"));
    // What is inside something that goes may say so too. It must be known, and cannot ask to stay.
    for operation in ["create", "merge", "replace"] {
        let body = format!("<pump nc:operation=\"delete\"><rate nc:operation=\"{operation}\">2</rate></pump>");
        let error = garden.refused(&body).await;
        assert_eq!(error.tag, ErrorTag::BadAttribute, "{body}");
        assert_eq!(error.info, [ErrorInfo::BadAttribute("operation".into()), ErrorInfo::BadElement("rate".into())]);
    }
    assert_eq!(garden.refused("<pump nc:operation=\"delete\"><speed/></pump>").await.tag, ErrorTag::UnknownElement);
    let body = "<pump nc:operation=\"delete\"><rate nc:operation=\"delete\"/></pump>\
                <bed nc:operation=\"remove\"><name>a</name><soil/></bed>";
    assert_eq!(garden.merge(body).await, "");
}

#[tokio::test]
async fn leafs() {
    let garden = garden().await;
    assert_eq!(garden.merge("<owner>me</owner>").await, "<owner>me</owner>");
    assert_eq!(garden.merge("<owner nc:operation=\"replace\">you</owner>").await, "<owner>you</owner>");
    assert_eq!(garden.refused("<owner nc:operation=\"create\">x</owner>").await.tag, ErrorTag::DataExists);
    // The value does not matter when it goes.
    assert_eq!(garden.merge("<owner nc:operation=\"delete\">whoever it may have been</owner>").await, "");
    let error = garden.refused("<owner nc:operation=\"delete\"/>").await;
    assert_eq!((error.tag, error.error_type), (ErrorTag::DataMissing, crate::error::ErrorType::Application));
    assert_eq!(error.path.as_ref().unwrap().text, "/garden:garden/garden:owner");
    // RFC 7950 sections 7.20.2 and 7.20.3: by the features and deviations of this server.
    assert_eq!(garden.merge("<drip>1</drip>").await, "<drip>1</drip>");
    for absent in ["frost", "pond", "age"] {
        let error = garden.refused(&format!("<{absent}>1</{absent}>")).await;
        assert_eq!(
            (error.tag, &error.info[..]),
            (ErrorTag::UnknownElement, &[ErrorInfo::BadElement(absent.into())][..])
        );
    }
    assert_eq!(garden.refused("<fence>wood</fence>").await.tag, ErrorTag::InvalidValue);
    assert_eq!(garden.merge("<fence>3</fence>").await, "<drip>1</drip><fence>3</fence>");
}

/// RFC 7950 section 7.9.6: a node of another case takes the place of what is there.
#[tokio::test]
async fn cases_take_each_others_place() {
    let garden = garden().await;
    garden.merge("<mix><bag>oats</bag></mix><scoop>2</scoop>").await;
    assert_eq!(garden.merge("<water nc:operation=\"create\"/>").await, "<water/>");
    assert_eq!(garden.merge("<left/>").await, "<left/>");
    assert_eq!(garden.merge("<right/>").await, "<right/>");
    // Whatever the order in which one goes and the other comes.
    assert_eq!(
        garden.merge("<mix><bag>hay</bag></mix><right nc:operation=\"delete\"/>").await,
        "<mix><bag>hay</bag></mix>"
    );
    let both =
        "<mix><bag nc:operation=\"delete\"/></mix><scoop nc:operation=\"remove\"/><water><litres>1</litres></water>";
    assert_eq!(garden.merge(both).await, "<water><litres>1</litres></water>");
    // Nothing is set by what only takes away, or only names: the case stays.
    for body in ["<mix/>", "<mix><bag nc:operation=\"remove\"/></mix>", "<scoop nc:operation=\"remove\"/>"] {
        assert_eq!(garden.merge(body).await, "<water><litres>1</litres></water>", "{body}");
    }
    // Where the way down is by default-operation none, what is set at its end counts.
    let body = in_garden("<mix><bag nc:operation=\"create\">rye</bag></mix>");
    garden.send(EditConfig::new(Datastore::Running, body).default_operation("none")).await.unwrap();
    assert_eq!(garden.shown().await, "<mix><bag>rye</bag></mix>");
    // RFC 7950 section 8.3.1.
    for (body, second) in [("<scoop>1</scoop><water/>", "water"), ("<left/><right/>", "right")] {
        let error = garden.refused(body).await;
        assert_eq!((error.tag, &error.info[..]), (ErrorTag::BadElement, &[ErrorInfo::BadElement(second.into())][..]));
    }
}

/// RFC 7950 sections 7.10.5 and 7.11.5: merge replaces what is inside, and it comes back as it was sent.
#[tokio::test]
async fn anydata_and_anyxml_are_taken_whole() {
    let garden = garden().await;
    let memo = |inside: &str| format!("<memo xmlns:m=\"urn:memo\">{inside}</memo>");
    let first = garden.merge(&memo("<m:line m:by=\"me\">m:one</m:line><plain xmlns=\"\">2</plain>")).await;
    assert!(first.contains("urn:memo") && first.contains("m:by=\"me\"") && first.contains(">m:one<"), "{first}");
    assert!(first.contains("<plain xmlns=\"\"") && first.contains(">2</plain>"), "{first}");
    // What is read can be written, and is the same.
    let again = garden.merge(&first).await;
    assert_eq!(again, first);
    let other = garden.merge("<memo><x xmlns=\"urn:x\"/></memo>").await;
    assert!(other.contains("<x xmlns=\"urn:x\"") && !other.contains("urn:memo"), "{other}");
    assert_eq!(garden.refused("<memo nc:operation=\"create\"/>").await.tag, ErrorTag::DataExists);
    assert_eq!(garden.merge("<memo nc:operation=\"delete\"/>").await, "");
    assert_eq!(garden.refused("<memo nc:operation=\"delete\"/>").await.tag, ErrorTag::DataMissing);

    assert_eq!(garden.merge("<sketch>a &lt; b</sketch>").await, "<sketch>a &lt; b</sketch>");
    assert_eq!(garden.merge("<sketch/>").await, "<sketch/>");
    // An operation inside is data like the rest; text between elements would come back elsewhere, and is refused.
    let inside = garden.merge("<sketch><nc:x nc:operation=\"delete\"/></sketch>").await;
    assert!(inside.contains("nc:operation=\"delete\""), "{inside}");
    let error = garden.refused("<sketch>one <b xmlns=\"\"/> two</sketch>").await;
    assert_eq!((error.tag, &error.info[..]), (ErrorTag::BadElement, &[ErrorInfo::BadElement("sketch".into())][..]));
}
