//! The QKDN manager (Y.3804 clause 9): one NETCONF session per device, a brain that decides in pure code, a store, and a NETCONF server of its own.
//!
//! ```text
//!  agents ══ NETCONF ══► connection ── Input ──► shell ──► brain (pure: function/, procedure/)
//!     ▲                      ▲                     │ Effects
//!     └── diagnose, control ─┴─────────────────────┤
//!                     store (one writer) ◄─────────┤ records first, and durable before anyone hears of them
//!  OSS, operator ══ NETCONF ══ northbound ◄────────┘ notifications, answers
//!                                  └── reads the store
//! ```
//! [`brain`] knows no socket, no clock and no database; [`shell`] reads the clock and carries out what it decided.

pub mod alarm;
pub mod brain;
pub mod collector;
pub mod config;
pub mod connection;
pub mod consistency;
pub mod facts;
pub mod function;
pub mod init;
pub mod input;
pub mod inventory;
pub mod layout;
pub mod model;
pub mod northbound;
pub mod procedure;
pub mod record;
pub mod run;
pub mod schema;
pub mod shell;
pub mod store;
pub mod topology;
