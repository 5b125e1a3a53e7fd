//! Where log lines go: standard error, one line each, filtered by `QKDN_LOG`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What an operator must know.
pub const OPERATOR: &str = "info,russh=warn";
/// Of a program that tells on standard output how it goes.
pub const WARNINGS: &str = "warn";

/// `QKDN_LOG` takes tracing's filter syntax; without it there is `otherwise`.
pub fn start(otherwise: &str) {
    let filter = EnvFilter::try_from_env("QKDN_LOG").unwrap_or_else(|_| EnvFilter::new(otherwise));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
