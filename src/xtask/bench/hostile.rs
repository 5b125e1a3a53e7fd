//! `cargo xtask bench hostile`: how `qkdn serve` serves one user while another, or a stranger, attacks it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::server::Ours;
use super::{keypair, load_client};
use crate::process::{Doing, Failure, Outcome, output, run};
use crate::{apt, setup, test, workspace};

/// The load client's name for an attack, with what the table says of it.
const ATTACKS: &[(&str, &str)] = &[
    ("strangers", "1,000 connections that say nothing, no login"),
    ("drip", "a byte a second on 100 connections, no login"),
    ("noise", "random bytes on 8 connections, no login"),
    ("guesses", "passwords guessed on 32 connections"),
    ("no-hello", "400 sessions without a hello"),
    ("byte-a-second", "requests at a byte a second, 50 sessions"),
    ("never-reads", "10 MB asked for again and again, never read, 20 sessions"),
    ("sips", "10 MB read at a byte a second, 20 sessions"),
    ("gigabyte", "a message of 1 GiB, 4 sessions"),
    ("unfinished", "63 of 64 MiB of a message and no end, 50 sessions"),
    ("elements", "16 million elements in a message, 4 sessions"),
    ("nested", "a million nested elements, 4 sessions"),
    ("prefixes", "2 million prefixes under 65,000 declarations, 4 sessions"),
    ("entities", "entities of entities, 4 sessions"),
    ("random-bytes", "random bytes after the hello, 4 sessions"),
    ("half-open", "200 sessions whose peer is gone"),
    ("everything", "10 MB read as fast as it goes, 8 sessions"),
    ("x-path", "filters that compare every two nodes, 8 sessions"),
    ("validate", "validations of 10 MB, 8 sessions"),
    ("flood", "small get-configs as fast as they go, 4 sessions"),
];

/// The flood once more, against a bound; the witness stays below it.
const RATE: &str = "1000";

/// Builds, measures each attack (or those named) against a fresh server for `seconds`, and prints the table.
pub fn hostile(seconds: f64, only: &[String]) -> Outcome {
    apt::install(apt::TO_BUILD)?;
    setup::modules()?;
    run(&mut test::cargo_command(&[
        "build",
        "--release",
        "--package",
        "tests",
        "--bin",
        "hostile",
        "--package",
        "qkdn",
        "--bin",
        "qkdn",
    ]))?;
    let mut rows = Vec::new();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    for &(name, title) in ATTACKS.iter().filter(|(name, _)| wanted(name)) {
        println!("measuring {title}");
        rows.push(row(name, title, seconds, &[])?);
        if name == "flood" {
            let title = format!("same, {RATE} requests a second and session allowed");
            println!("measuring {title}");
            rows.push(row(name, &title, seconds, &["--request-rate", RATE])?);
        }
    }
    println!();
    println!(
        "| {:<58} | get p99 | with it | ratio | edit p99 | with it | ratio |    RSS | most | after |  opened |   ended | answers | denied | log |",
        "attack (times in ms, memory in MB)"
    );
    println!("|{:-<60}|{}", "", "---:|".repeat(14));
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

fn row(name: &str, title: &str, seconds: f64, options: &[&str]) -> Outcome<String> {
    let directory = workspace::target().join("bench").join("hostile");
    // Left there at the end, for its logs.
    if directory.exists() {
        fs::remove_dir_all(&directory).doing(directory.display())?;
    }
    fs::create_dir_all(&directory).doing(directory.display())?;
    let key = keypair(&directory, "client-key")?;
    let password = directory.join("password");
    fs::write(&password, "mallory's\n").doing(password.display())?;
    let server = Ours::start_with(&directory, &key, &["bench"], |command| {
        command.args(["--user", "mallory", "--password-file"]).arg(&password).args(options);
    })?;
    let mut client = Command::new(load_client().with_file_name("hostile"));
    client
        .arg(super::server::Server::address(&server))
        .args(["--user", "load", "--superuser", "admin", "--key"])
        .arg(&key);
    client.args(["--attacker", "mallory", "--password", "mallory's", "--attack", name]);
    client.args(["--seconds", &seconds.to_string()]);
    client.args(super::server::Server::processes(&server).iter().map(|id| format!("--process={id}")));
    let printed = output(&mut client)?;
    let lines = lines(&directory)?;
    super::server::Server::stop(server)?;
    let fields: Vec<&str> = printed.trim().split('\t').collect();
    let [_, _, get, _, edit, _, attacked_get, _, attacked_edit, memory, most, after, opened, ended, replies, denied] =
        fields[..]
    else {
        return Err(Failure::new(format!("not what the client prints: {printed:?}")));
    };
    let ratio = |with: &str, without: &str| -> Outcome<f64> {
        Ok(with.parse::<f64>().doing(with)? / without.parse::<f64>().doing(without)?)
    };
    Ok(format!(
        "| {title:<58} | {get:>7} | {attacked_get:>7} | {:>5.1} | {edit:>8} | {attacked_edit:>7} | {:>5.1} | {memory:>6} | {most:>6} | \
         {after:>6} | {opened:>7} | {ended:>7} | {replies:>7} | {denied:>6} | {lines:>3} |",
        ratio(attacked_get, get)?,
        ratio(attacked_edit, edit)?,
    ))
}

/// Lines of the server's log, without those that begin and end a session.
fn lines(directory: &Path) -> Outcome<usize> {
    let log = directory.join("qkdn.log");
    let text = fs::read_to_string(&log).doing(log.display())?;
    let usual = ["session started", "session ended", "connection ended"];
    Ok(text.lines().filter(|line| !usual.iter().any(|usual| line.contains(usual))).count())
}
