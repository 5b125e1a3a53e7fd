//! What the tests share: the workspace's own files, and Rust sources seen as code alone.

pub mod source;
pub mod workspace;
