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

use crate::session::{Login, Outcome, SMALL, Session};
use crate::usage::Usage;

mod notify;
mod session;
mod usage;

/// No measurement goes on for longer, whatever the server does.
const MEASUREMENT_LIMIT: Duration = Duration::from_secs(60);
/// Nor beyond this many requests a session.
const REQUEST_LIMIT: u64 = 2_000_000;
/// Entries of the large container that make a megabyte: about 190 bytes of XML each without white space.
const ENTRIES_A_MEGABYTE: usize = 5_400;
/// Times that the description is repeated in the entries that make ten megabytes: as many entries, each of 1.9 kB. (Debian's
/// netconfd takes many minutes to load ten times as many entries.)
const LONG: usize = 22;
/// How long idle sessions are watched: long enough for one tick of the system's clock in a thousand to show.
const IDLE: Duration = Duration::from_secs(10);
/// Sessions opened at a time: more would measure the queue of connections that have not logged in.
const OPENED_AT_A_TIME: usize = 16;

const LIMITS: &str = "urn:qkdn:tests:bench-limits";
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
    /// What to measure
    #[arg(long, value_delimiter = ',', required = true)]
    measure: Vec<Measure>,
    /// Processes of the server; those that they started count as well
    #[arg(long)]
    process: Vec<u32>,
    /// Megabytes to have loaded, one after another, where edits under a constraint are measured
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    limits: Vec<usize>,
    /// Idle sessions to open where they are measured: this many at first, and then up to that many
    #[arg(long, value_delimiter = ',', default_values_t = [250])]
    idle: Vec<usize>,
    /// The FIFO that the server takes for its device
    #[arg(long)]
    feed: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Small get-configs
    Requests,
    /// Edits of one leaf
    Edits,
    /// Sessions opened and closed
    SetUps,
    /// Get-configs and edits of a megabyte, and of ten
    Large,
    /// Edits of a leaf with a constraint, of the module bench-limits
    Limits,
    /// Sessions that do nothing
    Idle,
    /// Notifications of changed configuration, to subscribers
    Changes,
    /// Notifications that the device sends, to subscribers: where there is a --feed
    Feed,
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

    let wants = |measure| arguments.measure.contains(&measure);
    if wants(Measure::Requests) {
        for (name, sessions, pipelined) in
            [("get-1", 1, 1), ("get-1-pipelined-16", 1, 16), ("get-8", 8, 1), ("get-64", 64, 1)]
        {
            rate(name, &login, sessions, span, move |session, _, left| Box::pin(pipeline(session, pipelined, left)))
                .await?;
        }
    }
    if wants(Measure::Edits) {
        let name = if target == Target::Running { "edit-running" } else { "edit-candidate-commit" };
        for sessions in [1, 8] {
            rate(&format!("{name}-{sessions}"), &login, sessions, span, move |session, number, left| {
                Box::pin(edits(session, target, number, left))
            })
            .await?;
        }
    }
    if wants(Measure::SetUps) {
        set_ups(&login, span).await?;
    }
    if wants(Measure::Large) {
        for (megabytes, description) in [(1, 1), (10, LONG)] {
            fill(&mut session, target, 0..ENTRIES_A_MEGABYTE, description).await?;
            large(&mut session, megabytes, span).await?;
            let name = format!("edit-rate-{megabytes}-megabytes");
            let leaf = |value| format!("<rate>{value}</rate>");
            edits_of_large(&mut session, target, &name, leaf, ENTRIES_A_MEGABYTE, span).await?;
        }
        print("memory-10-megabytes", Usage::of(&arguments.process)?.megabytes(), "MB");
    }
    if wants(Measure::Limits) {
        let mut filled = 0;
        for &megabytes in &arguments.limits {
            let entries = megabytes * ENTRIES_A_MEGABYTE;
            fill(&mut session, target, filled..entries, 1).await?;
            filled = entries;
            let leafs = |value| {
                format!(
                    r#"<ceiling xmlns="{LIMITS}">{value}</ceiling><limited-rate xmlns="{LIMITS}">{value}</limited-rate>"#
                )
            };
            let name = format!("edit-limited-rate-{megabytes}-megabytes");
            edits_of_large(&mut session, target, &name, leafs, entries, span).await?;
        }
    }
    if wants(Measure::Idle) {
        idle(&login, &arguments.idle, &arguments.process).await?;
    }
    if wants(Measure::Changes) {
        notify::changes(&login, target, span).await?;
    }
    if let Some(fifo) = arguments.feed.as_ref().filter(|_| wants(Measure::Feed)) {
        notify::feed(&login, fifo, span).await?;
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

/// Get-configs of so many megabytes. Counted in replies: one server's megabyte is another's and a quarter, for the white
/// space.
async fn large(session: &mut Session, megabytes: usize, span: Duration) -> Outcome {
    let start = Instant::now();
    let deadline = Deadline { at: start + span };
    let (mut done, mut bytes) = (0, 0);
    while deadline.open(done) {
        bytes += session.call(LARGE).await?.length;
        done += 1;
    }
    let took = start.elapsed().as_secs_f64();
    print(&format!("get-{megabytes}-megabytes"), done as f64 / took, "1/s");
    print(&format!("get-{megabytes}-megabytes-bytes"), bytes as f64 / took / 1e6, "MB/s");
    Ok(())
}

/// The median time of a small edit in one of the large container's entries, another one each time.
async fn edits_of_large(
    session: &mut Session,
    target: Target,
    name: &str,
    leafs: impl Fn(usize) -> String,
    entries: usize,
    span: Duration,
) -> Outcome {
    let deadline = Deadline { at: Instant::now() + span };
    let mut took = Vec::new();
    while deadline.open(took.len() as u64) {
        let number = took.len() * 7919 % entries;
        let config = format!(
            r#"<large xmlns="urn:qkdn:tests:bench"><entry><name>entry-{number:06}</name>{}</entry></large>"#,
            leafs(took.len() + 1),
        );
        let start = Instant::now();
        edit(session, target, &config).await?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    print(name, took[took.len() / 2].as_secs_f64() * 1e3, "ms");
    Ok(())
}

/// Opens sessions up to each of these numbers in turn, and watches what the server needs for them while they do nothing.
async fn idle(login: &Login, numbers: &[usize], processes: &[u32]) -> Outcome {
    let before = Usage::of(processes)?;
    let mut open: Vec<Session> = Vec::new();
    for &number in numbers {
        while open.len() < number {
            let mut opening = JoinSet::new();
            for _ in 0..OPENED_AT_A_TIME.min(number - open.len()) {
                let login = login.clone();
                opening.spawn(async move { Session::open(&login).await });
            }
            while let Some(session) = opening.join_next().await {
                open.push(session??);
            }
        }
        // What opening them leaves to be done is not idleness.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let start = Usage::of(processes)?;
        tokio::time::sleep(IDLE).await;
        let end = Usage::of(processes)?;
        let cpu = (end.cpu - start.cpu).as_secs_f64() / IDLE.as_secs_f64();
        // Each of them is still served.
        for session in &mut open {
            session.call(SMALL).await?;
        }
        let many = if number == numbers[0] { "" } else { "-many" };
        print(&format!("sessions{many}"), open.len() as f64, "");
        print(&format!("idle-cpu{many}"), 100.0 * cpu, "%");
        print(&format!("idle-memory{many}"), (end.megabytes() - before.megabytes()) * 1e3 / open.len() as f64, "kB");
    }
    let mut closing = JoinSet::new();
    for session in open {
        closing.spawn(session.close());
    }
    while let Some(closed) = closing.join_next().await {
        closed??;
    }
    Ok(())
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

/// Writes entries of the large container, with the description so many times in each. A megabyte an edit: for some servers an
/// edit costs what is there already.
async fn fill(session: &mut Session, target: Target, entries: std::ops::Range<usize>, description: usize) -> Outcome {
    let step = ENTRIES_A_MEGABYTE / description;
    for first in entries.clone().step_by(step) {
        let mut config = String::from(r#"<large xmlns="urn:qkdn:tests:bench">"#);
        for number in first..(first + step).min(entries.end) {
            write!(
                config,
                "<entry><name>entry-{number:06}</name><enabled>{}</enabled><rate>{number}</rate>\
                 <description>{}</description></entry>",
                number % 2 == 0,
                "What stands here makes an entry as long as one of a real configuration is, about. "
                    .repeat(description)
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
