//! Which part of a tree a request asks for: subtree filters (RFC 6241 section 6).

/// What a get asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    _later: (),
}
