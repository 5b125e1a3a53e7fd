//! What the writer asks, node by node, of whoever decides on read access (RFC 8341 section 3.4.5).

use std::ops::Range;

use super::schema::NodeId;
use super::tree::Key;
use super::value::Value;

/// A reader's rights over the nodes of one schema.
///
/// Rights may depend on instances, so a walk carries along what it has passed: each call of [`ReadAccess::reads`] leaves
/// marks, opaque numbers, at the end of a stack, and gets those that the call for the parent instance left. The walk
/// starts without any, and asks of no node whose parent may not be read.
pub trait ReadAccess: Send + Sync {
    /// What can be said of a schema node without a look at instances.
    fn extent(&self, node: NodeId) -> Extent;

    /// Whether this instance may be read. `marks[parent]` is what the parent's call left; this one's go to the end.
    fn reads(&self, node: NodeId, instance: Instance<'_>, marks: &mut Vec<u32>, parent: Range<usize>) -> bool;
}

/// How much of a schema node's instances is accessible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every instance, and all below it.
    All,
    /// It depends on the instance, or on the node below.
    Some,
    /// No instance, so nothing below either.
    None,
}

/// Which of a node's instances under one parent is meant.
#[derive(Clone, Copy, Debug)]
pub enum Instance<'a> {
    Only,
    Entry(&'a Key),
    Value(&'a Value),
    /// From 1, in a keyless list.
    Position(usize),
}
