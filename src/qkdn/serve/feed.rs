//! `qkdn serve --feed`: a device that is what JSON lines (RFC 7951) say of it, its operational state and its notifications.
//!
//! A thread reads a line, changes the state and sends the event, and only then reads the next one. So order is kept, and
//! whoever writes into a FIFO waits where the server's queue of events is full.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use netconf::error::RpcError;
use netconf::server::Server;
use netconf::server::provider::{Event, EventSender, Operation, Provider, Requester};
use netconf::yang::filter::Selection;
use netconf::yang::{NodeId, Schema, Tree};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use interpret::Interpreter;
use line::{Line, Lines};

mod interpret;
mod line;
mod state;

/// What stands behind the server: state that a feed gives it, none without a feed, and no operation beyond the protocol's
/// own.
pub struct Device {
    schema: Arc<Schema>,
    state: ArcSwap<Tree>,
    events: OnceLock<EventSender>,
}

impl Device {
    pub fn new(schema: Arc<Schema>) -> Device {
        let state = ArcSwap::from_pointee(Tree::new(schema.clone()));
        Device { schema, state, events: OnceLock::new() }
    }
}

impl Provider for Device {
    fn start(&self, events: EventSender) {
        self.events.get_or_init(|| events);
    }

    async fn state(&self, _want: &Selection) -> Result<Tree, RpcError> {
        Ok(Tree::clone(&self.state.load()))
    }

    /// Nothing changes but by a line, and each is told.
    fn reports_changes(&self, _node: NodeId) -> bool {
        true
    }

    async fn call(&self, operation: Operation, _who: &Requester) -> Result<Option<Tree>, RpcError> {
        let name = &self.schema.node(operation.node).name;
        Err(RpcError::operation_not_supported(format!("Nothing implements <{name}> here.")))
    }
}

/// Where the lines come from, open.
pub struct Source {
    name: String,
    reader: Box<dyn Read + Send>,
    /// It ends by itself, and soon: a regular file.
    ends: bool,
}

impl Source {
    /// `-` is standard input. A FIFO is held open for writing as well, so that it does not end with its first writer.
    pub fn open(path: &Path) -> Result<Source, String> {
        if path == Path::new("-") {
            return Ok(Source { name: "-".to_owned(), reader: Box::new(io::stdin()), ends: false });
        }
        let name = path.display().to_string();
        let fail = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("--feed {name}: no such file; for a FIFO to write to, make it with: mkfifo {name}")
            }
            _ => format!("--feed {name}: {error}"),
        };
        let kind = std::fs::metadata(path).map_err(fail)?.file_type();
        if kind.is_dir() {
            return Err(format!("--feed {name}: a directory, where a file of JSON lines or a FIFO is wanted"));
        }
        let file = match kind.is_fifo() {
            true => OpenOptions::new().read(true).write(true).open(path),
            false => File::open(path),
        };
        Ok(Source { reader: Box::new(file.map_err(fail)?), ends: kind.is_file(), name })
    }
}

/// Begins to read. What a regular file holds is served when this is done; for others nothing is waited for.
pub async fn start(source: Source, server: &Server<Device>) -> Result<(), String> {
    let ends = source.ends;
    let server = server.clone();
    let runtime = Handle::current();
    let (done, at_end) = oneshot::channel();
    // A thread, because a read can wait for ever, and the runtime would wait with it when the program is to end.
    let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
        follow(source, &server, &runtime);
        // Nobody waits for the end of what does not end soon.
        let _ = done.send(());
    });
    thread.map_err(|error| format!("the thread that reads the feed does not start: {error}"))?;
    if ends {
        at_end.await.map_err(|_| "the thread that reads the feed has failed".to_owned())?;
    }
    Ok(())
}

/// Takes one line after the other, until the source ends or the server does. A bad line changes nothing but the log.
fn follow(source: Source, server: &Server<Device>, runtime: &Handle) {
    let Source { name, reader, .. } = source;
    let shared = server.shared();
    let device = &shared.provider;
    let Some(events) = device.events.get() else {
        tracing::error!("feed {name} is not read: the server has not been started");
        return;
    };
    let mut interpreter = Interpreter::new(device.schema.clone());
    let mut lines = Lines::new(BufReader::new(reader));
    let mut skipped = 0_u64;
    loop {
        let taken = match lines.next() {
            Ok(Some(Line::Text(line))) => interpreter.take(line, &shared.datastores.version().running),
            Ok(Some(Line::Bad(reason))) => Err(reason),
            Ok(None) => break,
            Err(error) => {
                tracing::error!(
                    "feed {name} cannot be read after line {}: {error}; the server goes on",
                    lines.number()
                );
                return;
            }
        };
        match taken {
            Ok(None) => {}
            Ok(Some(event)) => {
                if let Event::Changed(_) = event {
                    device.state.store(Arc::new(interpreter.state().clone()));
                }
                if runtime.block_on(events.send(event)).is_err() {
                    return;
                }
            }
            Err(reason) => {
                skipped += 1;
                tracing::warn!("feed {name}, line {}, skipped: {reason}", lines.number());
            }
        }
    }
    tracing::info!("feed {name} has ended after {} lines, {skipped} of them skipped", lines.number());
}

#[cfg(test)]
mod tests;
