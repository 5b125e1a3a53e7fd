//! The load client of `cargo xtask bench netconf`: measures one NETCONF server on loopback and prints a line for each
//! measurement. It shares no code with our server, so that it favours none.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use russh::keys::load_secret_key;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::session::{Login, Outcome, Session};

mod session;

/// No measurement goes on for longer, whatever the server does.
const MEASUREMENT_LIMIT: Duration = Duration::from_secs(60);
/// Nor beyond this many requests a session.
const REQUEST_LIMIT: u64 = 2_000_000;
/// Entries of the large container: about 190 bytes of XML each without white space, a megabyte in all.
const LARGE_ENTRIES: usize = 5_400;
/// Entries written with one edit.
const ENTRIES_AN_EDIT: usize = 600;

const SMALL: &str = r#"<get-config><source><running/></source><filter type="subtree"><small xmlns="urn:qkdn:tests:bench"/></filter></get-config>"#;
const LARGE: &str = r#"<get-config><source><running/></source><filter type="subtree"><large xmlns="urn:qkdn:tests:bench"/></filter></get-config>"#;

#[derive(Parser)]
struct Arguments {
    /// Address of the server; loopback only
    server: SocketAddr,
    #[arg(long)]
    user: String,
    #[arg(long)]
    key: PathBuf,
    /// A user exempt from access control who grants `user` all rights before the measurements
    #[arg(long)]
    superuser: Option<String>,
    /// The datastore that edits go to
    #[arg(long)]
    target: Target,
    /// How long each measurement takes
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Milliseconds to wait after our hello, for a server that cannot take a request right behind it
    #[arg(long, default_value_t = 0)]
    hello_pause: u64,
    /// Measure the edits and nothing else
    #[arg(long)]
    only_edits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Running,
    Candidate,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Outcome {
    if !arguments.server.ip().is_loopback() {
        return Err("only servers on loopback are loaded".into());
    }
    let key = Arc::new(load_secret_key(&arguments.key, None)?);
    let hello_pause = Duration::from_millis(arguments.hello_pause);
    let login = Login { server: arguments.server, user: arguments.user.clone(), key, hello_pause };
    let target = arguments.target;
    let span = Duration::from_secs_f64(arguments.seconds).min(MEASUREMENT_LIMIT);

    if let Some(superuser) = &arguments.superuser {
        let mut session = Session::open(&Login { user: superuser.clone(), ..login.clone() }).await?;
        edit(&mut session, target, &grant(&arguments.user)).await?;
        session.close().await?;
    }
    let mut session = Session::open(&login).await?;
    edit(&mut session, target, &small()).await?;
    for number in 0..8 {
        edit(&mut session, target, &counter(number, 0)).await?;
    }

    if !arguments.only_edits {
        for (name, sessions, pipelined) in
            [("get-1", 1, 1), ("get-1-pipelined-16", 1, 16), ("get-8", 8, 1), ("get-64", 64, 1)]
        {
            rate(name, &login, sessions, span, move |session, _, left| Box::pin(pipeline(session, pipelined, left)))
                .await?;
        }
    }
    let name = if target == Target::Running { "edit-running" } else { "edit-candidate-commit" };
    for sessions in [1, 8] {
        rate(&format!("{name}-{sessions}"), &login, sessions, span, move |session, number, left| {
            Box::pin(edits(session, target, number, left))
        })
        .await?;
    }
    if !arguments.only_edits {
        set_ups(&login, span).await?;
        fill(&mut session, target).await?;
        large(&mut session, span).await?;
    }
    session.close().await
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Outcome<u64>> + Send + 'a>>;

/// Runs `work` in a number of sessions, all opened before the clock starts, and prints requests per second.
async fn rate<W>(name: &str, login: &Login, sessions: usize, span: Duration, work: W) -> Outcome
where
    W: for<'a> Fn(&'a mut Session, usize, Deadline) -> Work<'a> + Copy + Send + 'static,
{
    let mut opened = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        opened.push(Session::open(login).await?);
    }
    let start = Instant::now();
    let deadline = Deadline { at: start + span };
    let mut running = JoinSet::new();
    for (number, mut session) in opened.into_iter().enumerate() {
        running.spawn(async move {
            let done = work(&mut session, number, deadline).await?;
            Outcome::Ok((session, done))
        });
    }
    let (mut done, mut ended) = (0, Vec::new());
    while let Some(result) = timeout(span + MEASUREMENT_LIMIT, running.join_next()).await? {
        let (session, requests) = result??;
        done += requests;
        ended.push(session);
    }
    print(name, done as f64 / start.elapsed().as_secs_f64(), "1/s");
    for session in ended {
        session.close().await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
}

impl Deadline {
    fn open(&self, requests: u64) -> bool {
        requests < REQUEST_LIMIT && Instant::now() < self.at
    }
}

/// Small get-configs, `depth` of them under way at a time.
async fn pipeline(session: &mut Session, depth: u64, deadline: Deadline) -> Outcome<u64> {
    let (mut sent, mut done) = (0, 0);
    while deadline.open(done) {
        while sent < done + depth {
            session.send(SMALL).await?;
            sent += 1;
        }
        session.reply().await?;
        done += 1;
    }
    for _ in done..sent {
        session.reply().await?;
    }
    Ok(sent)
}

/// Edits of one leaf, each acknowledged before the next, and with a commit where the target is candidate.
async fn edits(session: &mut Session, target: Target, number: usize, deadline: Deadline) -> Outcome<u64> {
    let mut done = 0;
    while deadline.open(done) {
        edit(session, target, &counter(number, done as u32 + 1)).await?;
        done += 1;
    }
    Ok(done)
}

async fn edit(session: &mut Session, target: Target, config: &str) -> Outcome {
    let name = if target == Target::Running { "running" } else { "candidate" };
    session.call(&format!("<edit-config><target><{name}/></target><config>{config}</config></edit-config>")).await?;
    if target == Target::Candidate {
        session.call("<commit/>").await?;
    }
    Ok(())
}

/// Sessions opened, greeted and closed, four at a time.
async fn set_ups(login: &Login, span: Duration) -> Outcome {
    let start = Instant::now();
    let deadline = Deadline { at: start + span };
    let mut running = JoinSet::new();
    for _ in 0..4 {
        let login = login.clone();
        running.spawn(async move {
            let mut done = 0;
            while deadline.open(done) {
                Session::open(&login).await?.close().await?;
                done += 1;
            }
            Outcome::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(result) = timeout(span + MEASUREMENT_LIMIT, running.join_next()).await? {
        done += result??;
    }
    print("set-ups", done as f64 / start.elapsed().as_secs_f64(), "1/s");
    Ok(())
}

/// Get-configs of a megabyte. Counted in replies: one server's megabyte is another's and a quarter, for the white space.
async fn large(session: &mut Session, span: Duration) -> Outcome {
    let start = Instant::now();
    let deadline = Deadline { at: start + span };
    let (mut done, mut bytes) = (0, 0);
    while deadline.open(done) {
        bytes += session.call(LARGE).await?.length;
        done += 1;
    }
    let took = start.elapsed().as_secs_f64();
    print("get-1-megabyte", done as f64 / took, "1/s");
    print("get-1-megabyte-bytes", bytes as f64 / took / 1e6, "MB/s");
    Ok(())
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

async fn fill(session: &mut Session, target: Target) -> Outcome {
    for first in (0..LARGE_ENTRIES).step_by(ENTRIES_AN_EDIT) {
        let mut config = String::from(r#"<large xmlns="urn:qkdn:tests:bench">"#);
        for number in first..first + ENTRIES_AN_EDIT {
            write!(
                config,
                "<entry><name>entry-{number:06}</name><enabled>{}</enabled><rate>{number}</rate>\
                 <description>What stands here makes an entry as long as one of a real configuration is, about.\
                 </description></entry>",
                number % 2 == 0
            )?;
        }
        config.push_str("</large>");
        edit(session, target, &config).await?;
    }
    Ok(())
}

fn small() -> String {
    r#"<small xmlns="urn:qkdn:tests:bench"><name>first</name><enabled>true</enabled><rate>1000</rate></small>"#
        .to_owned()
}

fn counter(number: usize, value: u32) -> String {
    format!(
        r#"<counters xmlns="urn:qkdn:tests:bench"><counter><id>{number}</id><value>{value}</value></counter></counters>"#
    )
}

/// RFC 8341: all operations on everything for one user.
fn grant(user: &str) -> String {
    format!(
        r#"<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm"><groups><group><name>load</name><user-name>{user}</user-name></group></groups><rule-list><name>load</name><group>load</group><rule><name>all</name><module-name>*</module-name><access-operations>*</access-operations><action>permit</action></rule></rule-list></nacm>"#
    )
}
