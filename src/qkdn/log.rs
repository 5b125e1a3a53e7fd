//! Where log lines go: standard error, one line each, filtered by `QKDN_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// `QKDN_LOG` takes tracing's filter syntax; without it warnings and what an operator must know are shown.
pub fn start() {
    let filter = EnvFilter::try_from_env("QKDN_LOG").unwrap_or_else(|_| EnvFilter::new("info,russh=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
