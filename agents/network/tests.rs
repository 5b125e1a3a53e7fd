//! The network with the time turned by hand: what both ends of a link see, and what stands between them.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn lab() -> Arc<Network> {
    Network::new(&Topology::load("lab").unwrap(), at(0))
}

fn view(network: &Network, link: &str, second: i64) -> LinkView {
    network.link(&format!("urn:qkdn:lab:link:{link}"), at(second)).unwrap()
}

fn passage(input: &str, output: &str, link: Option<&str>) -> Passage {
    let link_id = link.map(|link| format!("urn:qkdn:lab:link:{link}"));
    Passage { input: input.to_owned(), output: output.to_owned(), loss_db: 1.0, link_id }
}

#[test]
fn light_goes_where_a_switch_lets_it() {
    let network = lab();
    let told = Arc::new(Mutex::new(0));
    let count = told.clone();
    network.watch("urn:qkdn:lab:link:bc", Arc::new(move || *count.lock().unwrap() += 1));
    assert!(view(&network, "bc", 10).up);
    for (passages, lit) in [
        (vec![], false),
        (vec![passage("p1", "s-out", None)], true),
        (vec![passage("s-in", "p2", None)], true),
        (vec![passage("s-in", "s-out", None)], false),
        (vec![passage("s-in", "s-out", Some("bc"))], true),
        (vec![passage("s-in", "s-out", Some("ab"))], false),
        (vec![passage("p2", "p1", None)], true),
    ] {
        let before = *told.lock().unwrap();
        network.set_passages("urn:qkdn:lab:switch:os", passages.clone(), at(20));
        assert_eq!(view(&network, "bc", 30).light, lit, "{passages:?}");
        assert!(view(&network, "ab", 30).light, "another link");
        assert_eq!(*told.lock().unwrap(), before + 1, "it is told once");
    }
}
