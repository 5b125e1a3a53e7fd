//! `qkdn serve`: a NETCONF server for any modules. It keeps what it is given, and behind it is what a feed says is there.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use clap::{ArgMatches, Command};
use netconf::server::overload::{OverloadOptions, SESSIONS_PER_USER};
use netconf::server::url::{Host, UrlOptions};
use netconf::server::{Boot, Options, Server, base_modules};
use netconf::transport::auth::Users;
use netconf::transport::ssh;
use netconf::yang::schema::SchemaBuilder;
use netconf::yang::{Schema, Tree};

use feed::{Device, Source};

mod feed;

#[derive(clap::Args)]
pub struct Args {
    /// Where to listen; port 0 lets the system pick one, which is printed
    #[arg(long, value_name = "ADDR:PORT")]
    listen: String,
    /// A directory with NAME[@REVISION].yang files (repeatable)
    #[arg(long = "yang-dir", value_name = "DIR")]
    yang_dirs: Vec<PathBuf>,
    /// A module to serve, with the features to enable; `:*` enables all, no list none (repeatable)
    #[arg(long = "module", value_name = "NAME[@REVISION][:FEATURE,…|:*]")]
    modules: Vec<String>,
    /// A user; the --authorized-key and --password-file after it are that user's (repeatable)
    #[arg(long = "user", value_name = "NAME", required = true)]
    users: Vec<String>,
    /// Public keys of the user before it, in the form of OpenSSH's authorized_keys (repeatable)
    #[arg(long = "authorized-key", value_name = "FILE")]
    authorized_keys: Vec<PathBuf>,
    /// One line with the password, in clear, of the user before it
    #[arg(long = "password-file", value_name = "FILE")]
    password_files: Vec<PathBuf>,
    /// The user to whom access control (RFC 8341) does not apply
    #[arg(long, value_name = "NAME")]
    superuser: Option<String>,
    /// The server's private key; made if absent
    #[arg(long, value_name = "FILE")]
    host_key: PathBuf,
    /// Where the configuration is kept; made if absent
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// What to start with: running as it was, or the startup datastore (RFC 6241 section 8.7)
    #[arg(long, value_name = "DATASTORE", value_enum, default_value_t = BootFrom::Running)]
    boot: BootFrom,
    /// The one directory that `file:` URLs may name (RFC 6241 section 8.8)
    #[arg(long, value_name = "DIR")]
    url_dir: Option<PathBuf>,
    /// A host that `https:` URLs may name, port 443 where none is given (repeatable)
    #[arg(long = "url-allow", value_name = "HOST[:PORT]")]
    url_allow: Vec<Host>,
    /// The certificates, in PEM, of those who may vouch for these hosts; the system's where none are given
    #[arg(long, value_name = "FILE", requires = "url_allow")]
    url_ca: Option<PathBuf>,
    /// Requests accepted per second and session; more are answered with resource-denied. No limit if absent
    #[arg(long, value_name = "NUMBER")]
    request_rate: Option<NonZeroU32>,
    /// Sessions that one user may have at once
    #[arg(long, value_name = "NUMBER", default_value_t = SESSIONS_PER_USER)]
    sessions_per_user: usize,
    /// A device to simulate: its notifications and state as JSON lines, from a file, a FIFO, or - for standard input
    ///
    /// Each line is one JSON object with one member, the data as RFC 7951 has it. Merged into the
    /// operational state, deleted from it, and sent to subscribers:
    ///   {"operational": {"example:lamp": {"temperature": 70}}}
    ///   {"delete": "/example:lamp/temperature"}
    ///   {"notification": {"example:overheated": {"by": 10}}}
    /// A bad line is logged with its number, and skipped. A FIFO is held open:
    ///   mkfifo lamp.feed; qkdn serve … --feed lamp.feed &
    ///   echo '{"delete": "/example:lamp/temperature"}' > lamp.feed
    #[arg(long, value_name = "FILE|-", verbatim_doc_comment)]
    feed: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum BootFrom {
    Running,
    Startup,
}

impl From<BootFrom> for Boot {
    fn from(from: BootFrom) -> Boot {
        match from {
            BootFrom::Running => Boot::Running,
            BootFrom::Startup => Boot::Startup,
        }
    }
}

pub fn order_matters(command: Command) -> Command {
    command.after_help(
        "Example: qkdn serve --listen 127.0.0.1:8300 --yang-dir . --module example:* \
         --user admin --authorized-key admin.pub --superuser admin --host-key host_key --state-dir state",
    )
}

/// Each user with the keys and passwords that follow it on the command line.
pub fn users(matches: &ArgMatches) -> Result<Users, String> {
    let places = |id: &str| matches.indices_of(id).into_iter().flatten().collect::<Vec<_>>();
    let names: Vec<(usize, &String)> =
        places("users").into_iter().zip(matches.get_many::<String>("users").into_iter().flatten()).collect();
    let owner = |option: &str, place: usize| {
        let before = names.iter().rev().find(|(at, _)| *at < place);
        before.map(|(_, name)| name.as_str()).ok_or_else(|| format!("{option} must follow the --user that it is for"))
    };
    let mut users = Users::new();
    let files = |id: &str| {
        places(id).into_iter().zip(matches.get_many::<PathBuf>(id).into_iter().flatten()).collect::<Vec<_>>()
    };
    let mut known: Vec<&str> = Vec::new();
    for (place, file) in files("authorized_keys") {
        let user = owner("--authorized-key", place)?;
        users.add_authorized_keys(user, file).map_err(|e| e.to_string())?;
        known.push(user);
    }
    for (place, file) in files("password_files") {
        let user = owner("--password-file", place)?;
        users.add_password_file(user, file).map_err(|e| e.to_string())?;
        known.push(user);
    }
    match names.iter().find(|(_, name)| !known.contains(&name.as_str())) {
        Some((_, name)) => Err(format!("user {name} has neither --authorized-key nor --password-file")),
        None => Ok(users),
    }
}

pub async fn run(args: Args, users: Users) -> Result<(), String> {
    for dir in &args.yang_dirs {
        if !dir.is_dir() {
            return Err(format!("--yang-dir {}: no such directory", dir.display()));
        }
    }
    if let Some(dir) = args.url_dir.as_ref().filter(|dir| !dir.is_dir()) {
        return Err(format!("--url-dir {}: no such directory", dir.display()));
    }
    let feed = args.feed.as_deref().map(Source::open).transpose()?;
    let urls =
        UrlOptions { dir: args.url_dir.clone(), allow: args.url_allow.clone(), authorities: args.url_ca.clone() };
    let schema = compile(urls.modules(base_modules(Schema::builder())), &args.yang_dirs, &args.modules)?;
    let host_key = ssh::load_or_generate_host_key(&args.host_key).map_err(|e| e.to_string())?;
    let listener = tokio::net::TcpListener::bind(&args.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let overload = OverloadOptions { request_rate: args.request_rate, sessions_per_user: args.sessions_per_user };
    let options =
        Options { state_dir: args.state_dir, superuser: args.superuser, boot: args.boot.into(), urls, overload };
    let initial = Tree::initial(schema.clone());
    let server =
        Server::start(schema.clone(), Device::new(schema), initial, options).await.map_err(|e| e.to_string())?;
    if let Some(source) = feed {
        feed::start(source, &server).await?;
    }
    let shutdown = crate::terminate::on_signal()?;
    println!("qkdn: serving NETCONF over SSH on {address}");
    let config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let sessions = server.clone();
    let serving = ssh::serve(listener, config, shutdown.clone(), move |stream, peer| {
        let server = sessions.clone();
        async move { server.serve(stream, peer).await }
    });
    let ended = tokio::select! {
        ended = serving => ended,
        () = async { shutdown.cancelled().await; server.stop(); std::future::pending().await } => Ok(()),
    };
    ended.map_err(|e| e.to_string())
}

/// The modules of `builder` with those of `specs`, each `NAME[@REVISION][:FEATURE,…|:*]`.
pub fn compile(mut builder: SchemaBuilder, yang_dirs: &[PathBuf], specs: &[String]) -> Result<Arc<Schema>, String> {
    for dir in yang_dirs {
        builder = builder.search_dir(dir);
    }
    for spec in specs {
        let (module, features) = spec.split_once(':').unwrap_or((spec, ""));
        let (name, revision) = match module.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (module, None),
        };
        let features: Vec<&str> = features.split(',').filter(|f| !f.is_empty()).collect();
        if name.is_empty() {
            return Err(format!("--module {spec}: no module name"));
        }
        builder = builder.module(name, revision, &features);
    }
    builder.build().map_err(|e| e.to_string())
}
