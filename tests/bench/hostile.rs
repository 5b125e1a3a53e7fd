//! The client of `cargo xtask bench hostile`: measures how a NETCONF server on loopback serves one user while another attacks it. The
//! attackers are a process of their own at the lowest priority: in the field they have machines of their own.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use russh::keys::load_secret_key;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::attack::{Attack, Tally, Victim};
use crate::session::{Login, Outcome, SMALL, Session};
use crate::usage::Usage;

#[path = "hostile/attack.rs"]
mod attack;
#[expect(dead_code, reason = "the load client reads more of a reply")]
mod session;
mod usage;

/// How often the witness asks for little, and edits.
const GET_EVERY: Duration = Duration::from_millis(2);
const EDIT_EVERY: Duration = Duration::from_millis(20);
/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The attackers have so long to come.
const SETTLE: Duration = Duration::from_secs(3);
/// A server that does not answer for so long does not serve.
const SERVED: Duration = Duration::from_secs(60);
/// Entries of the large container that make ten megabytes.
const ENTRIES: usize = 5_400;
const LONG: usize = 22;

#[derive(Parser)]
struct Arguments {
    /// Address of the server; loopback only
    server: SocketAddr,
    /// Who is to be served
    #[arg(long)]
    user: String,
    #[arg(long)]
    key: PathBuf,
    /// A user exempt from access control, of the same key, who grants the others all rights and loads ten megabytes
    #[arg(long)]
    superuser: String,
    /// Who attacks
    #[arg(long)]
    attacker: String,
    #[arg(long)]
    password: String,
    #[arg(long)]
    attack: Attack,
    /// How long the server is watched without the attackers, and with them
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// The process of the server
    #[arg(long)]
    process: u32,
    /// Be the attackers, until standard input ends
    #[arg(long)]
    attacking: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ran = if arguments.attacking { attack(&arguments).await } else { measure(&arguments).await };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Attacks until standard input ends, and prints what became of it.
async fn attack(arguments: &Arguments) -> Outcome {
    let (tally, stop) = (Arc::new(Tally::default()), CancellationToken::new());
    let victim =
        Victim { server: arguments.server, user: arguments.attacker.clone(), password: arguments.password.clone() };
    let end = stop.clone();
    let attacking = arguments.attack;
    let running = tokio::spawn({
        let tally = tally.clone();
        async move { attack::run(attacking, &victim, 1, &tally, &stop).await }
    });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    // Before they are ended from this side.
    let [opened, ended, replies, denied] =
        [&tally.opened, &tally.ended, &tally.replies, &tally.denied].map(|n| n.load(Relaxed));
    println!("{opened}\t{ended}\t{replies}\t{denied}");
    end.cancel();
    timeout(SETTLE, running).await.ok();
    // Threads that wait for a server that does not answer are not waited for.
    std::process::exit(0)
}

async fn measure(arguments: &Arguments) -> Outcome {
    if !arguments.server.ip().is_loopback() {
        return Err("only servers on loopback are attacked".into());
    }
    let key = Arc::new(load_secret_key(&arguments.key, None)?);
    let login = Login { server: arguments.server, user: arguments.user.clone(), key, hello_pause: Duration::ZERO };
    let mut superuser = Session::open(&Login { user: arguments.superuser.clone(), ..login.clone() }).await?;
    superuser.call(&edit(&grant(&[&arguments.user, &arguments.attacker]))).await?;
    superuser.call(&edit(&large())).await?;
    superuser.close().await?;

    let span = Duration::from_secs_f64(arguments.seconds);
    let quiet = Witness::watch(&login, arguments.process, span).await?;

    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).arg("--attacking");
    let mut attackers = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    sleep(SETTLE).await;
    let attacked = Witness::watch(&login, arguments.process, span).await;
    drop(attackers.stdin.take());
    let mut told = String::new();
    let mut pipe = attackers.stdout.take().ok_or("no pipe")?;
    let told = tokio::task::spawn_blocking(move || pipe.read_to_string(&mut told).map(|_| told)).await??;
    attackers.wait()?;
    let attacked = attacked?;
    // Whether it is as before once they have gone.
    sleep(SETTLE).await;
    let after = Usage::of(&[arguments.process])?.megabytes();

    let name = arguments.attack.to_possible_value().ok_or("an attack without a name")?;
    println!(
        "{}\t{}\t{}\t{:.1}\t{:.1}\t{:.1}\t{}",
        name.get_name(),
        quiet.latencies(),
        attacked.latencies(),
        quiet.memory,
        attacked.memory,
        after,
        told.trim(),
    );
    Ok(())
}

/// What an honest user sees of a server.
struct Witness {
    gets: Vec<Duration>,
    edits: Vec<Duration>,
    /// The most, in megabytes.
    memory: f64,
}

impl Witness {
    async fn watch(login: &Login, process: u32, span: Duration) -> Outcome<Witness> {
        let gets = ask(login, GET_EVERY, span, |_| SMALL.to_owned());
        let edits = ask(login, EDIT_EVERY, span, |round| {
            edit(&format!("<small xmlns=\"urn:qkdn:tests:bench\"><rate>{}</rate></small>", round % 1000 + 1))
        });
        let mut memory: f64 = 0.0;
        let start = Instant::now();
        while start.elapsed() < span {
            memory = memory.max(Usage::of(&[process])?.megabytes());
            sleep(LOOK).await;
        }
        Ok(Witness { gets: gets.await??, edits: edits.await??, memory })
    }

    /// The median and the 99th percentile of gets, and of edits, in milliseconds.
    fn latencies(&self) -> String {
        let at = |sorted: &[Duration], share: f64| {
            let place = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
            sorted[place].as_secs_f64() * 1e3
        };
        format!(
            "{:.3}\t{:.3}\t{:.3}\t{:.3}",
            at(&self.gets, 0.5),
            at(&self.gets, 0.99),
            at(&self.edits, 0.5),
            at(&self.edits, 0.99)
        )
    }
}

/// One session with a request every so often; how long each took, the shortest first.
fn ask(
    login: &Login,
    every: Duration,
    span: Duration,
    request: impl Fn(usize) -> String + Send + 'static,
) -> JoinHandle<Outcome<Vec<Duration>>> {
    let login = login.clone();
    tokio::spawn(async move {
        // Where strangers crowd, a client tries again.
        let start = Instant::now();
        let mut session = loop {
            match Session::open(&login).await {
                Ok(session) => break session,
                Err(error) if start.elapsed() > SERVED => return Err(error),
                Err(_) => sleep(every).await,
            }
        };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (start, mut took) = (Instant::now(), Vec::new());
        while start.elapsed() < span || took.is_empty() {
            ticks.tick().await;
            let asked = Instant::now();
            timeout(SERVED, session.call(&request(took.len()))).await??;
            took.push(asked.elapsed());
        }
        session.close().await?;
        took.sort_unstable();
        Ok(took)
    })
}

fn edit(config: &str) -> String {
    format!("<edit-config><target><running/></target><config>{config}</config></edit-config>")
}

fn large() -> String {
    let description = "What stands here makes an entry as long as one of a real configuration is, about. ".repeat(LONG);
    let mut config = String::from(
        r#"<small xmlns="urn:qkdn:tests:bench"><name>first</name><enabled>true</enabled></small><large xmlns="urn:qkdn:tests:bench">"#,
    );
    for number in 0..ENTRIES {
        let _ = write!(
            config,
            "<entry><name>entry-{number:06}</name><enabled>true</enabled><rate>{number}</rate>\
             <description>{description}</description></entry>"
        );
    }
    config + "</large>"
}

/// RFC 8341: all operations on everything for these users.
fn grant(users: &[&str]) -> String {
    let users: String = users.iter().map(|user| format!("<user-name>{user}</user-name>")).collect();
    format!(
        r#"<nacm xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-acm"><groups><group><name>load</name>{users}</group></groups><rule-list><name>load</name><group>load</group><rule><name>all</name><module-name>*</module-name><access-operations>*</access-operations><action>permit</action></rule></rule-list></nacm>"#
    )
}
