//! Where log lines go: standard error, one line each, filtered by `QKDN_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// `QKDN_LOG` takes tracing's filter syntax; without it what an operator must know is shown, or warnings only where
/// standard output is for a person to read.
pub fn start(warnings_only: bool) {
    let usual = if warnings_only { "warn" } else { "info,russh=warn" };
    let filter = EnvFilter::try_from_env("QKDN_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
