//! Whole programs: `qkdn` started as a user would, talked to over real SSH, killed, and given bad input.

// Helpers of tests may unwrap as tests do.
#![allow(clippy::unwrap_used)]

#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "system/broken.rs"]
mod broken;
#[path = "system/client.rs"]
mod client;
#[path = "system/contact.rs"]
mod contact;
#[path = "system/demo.rs"]
mod demo;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/feed.rs"]
mod feed;
#[path = "system/foreign.rs"]
mod foreign;
#[path = "system/kill.rs"]
mod kill;
#[path = "system/managed.rs"]
mod managed;
#[path = "system/manager.rs"]
mod manager_and_agent;
#[path = "system/nacm.rs"]
mod nacm;
#[path = "system/network.rs"]
mod network;
#[path = "system/operator.rs"]
mod operator;
#[path = "system/oracle.rs"]
mod oracle;
#[path = "system/program.rs"]
mod program;
#[path = "system/secrecy.rs"]
mod secrecy;
#[path = "system/subscriptions.rs"]
mod subscriptions;
#[path = "system/survive.rs"]
mod survive;
