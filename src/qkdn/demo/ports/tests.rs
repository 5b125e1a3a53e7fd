//! Ports that are picked, kept, or taken.

use super::*;

#[test]
fn picked_ports_are_none_that_the_system_gives_out_and_stay() {
    let picked = Ports::choose(0, None, &[true; 20]).unwrap();
    assert!(sequence(picked.manager, 20).unwrap().all(|port| port >= LOWEST && !given_out().contains(&port)));
    assert_eq!(picked.agents, picked.manager + 1);
    assert_eq!(Ports::choose(0, Some(picked.manager), &[true; 20]).unwrap(), picked);
    assert_eq!(Ports::choose(8300, Some(picked.manager), &[true; 20]).unwrap(), Ports { manager: 8300, agents: 8301 });
}

#[test]
fn a_kept_port_that_is_taken_is_named_and_no_longer_picked() {
    let picked = Ports::choose(0, None, &[true; 20]).unwrap();
    let taken = picked.manager + 7;
    let _server = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
    let error = Ports::choose(0, Some(picked.manager), &[true; 20]).unwrap_err();
    assert!(error.contains(&taken.to_string()) && error.contains("--dir"), "{error}");

    let mut starts = [true; 20];
    starts[7] = false;
    let elsewhere = Ports::choose(0, Some(picked.manager), &starts);
    assert_eq!(elsewhere, Ok(picked), "an agent that another program runs is at its port");
}

#[test]
fn more_ports_than_there_are_is_an_error() {
    let error = Ports::choose(0, None, &[true; 60_000]).unwrap_err();
    assert!(error.contains("--port-base"), "{error}");
}
