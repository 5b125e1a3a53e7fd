//! Write access to each node that edits create, change or delete (RFC 8341 sections 3.2.5 and 3.4.5).

use std::ops::Range;

use super::{AccessOperation, Because, UserAccess};
use crate::yang::access::Extent;
use crate::yang::diff::{Change, Edit};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::{Content, Inner, NodeId, NodeKind};

pub(super) struct Denied {
    pub operation: AccessOperation,
    pub path: InstancePath,
    /// The path that the user may see. A denied node inside something deleted is not the user's to know of: the path is
    /// that of what was to be deleted.
    pub shown: InstancePath,
    pub because: Because,
}

/// Denied nodes that are reported for one request. One is enough to refuse it; a few more help to repair it.
const DENIALS_REPORTED: usize = 16;

impl UserAccess {
    pub(super) fn denied_edits(&self, edits: &[Edit]) -> Vec<Denied> {
        edits.iter().filter_map(|edit| self.denied_edit(edit)).take(DENIALS_REPORTED).collect()
    }

    fn denied_edit(&self, edit: &Edit) -> Option<Denied> {
        let node = edit.path.last()?.node;
        let (operation, content) = match edit.change {
            Change::Create => (AccessOperation::Create, &edit.after),
            Change::Delete => (AccessOperation::Delete, &edit.before),
            Change::Modify | Change::Move => (AccessOperation::Update, &None),
        };
        if self.table(operation).extent(node) == Extent::All {
            return None;
        }
        let inside = match content {
            Some(Content::Container(inner)) => Some(inner),
            _ => None,
        };
        let mut walk = EditWalk { access: self, operation, marks: Vec::new(), path: edit.path.clone() };
        let own = self.pass_path(operation, &edit.path, &mut walk.marks);
        let because = walk.denied(node, inside, own)?;
        let shown = if edit.change == Change::Delete { edit.path.clone() } else { walk.path.clone() };
        Some(Denied { operation, shown, path: walk.path, because })
    }
}

struct EditWalk<'a> {
    access: &'a UserAccess,
    operation: AccessOperation,
    marks: Vec<u32>,
    /// Of the node being looked at; stays at the denied one.
    path: InstancePath,
}

impl EditWalk<'_> {
    /// Why the node or one inside it may not be edited.
    fn denied(&mut self, node: NodeId, inside: Option<&Inner>, own: Range<usize>) -> Option<Because> {
        if self.access.table(self.operation).extent(node) == Extent::All {
            return None;
        }
        // A container without presence comes and goes with what is in it; it is no change of its own (RFC 7950 7.5.1).
        if self.access.schema.node(node).kind != (NodeKind::Container { presence: false }) {
            let decision = self.access.decide(self.operation, node, &self.marks[own.clone()]);
            if !decision.permit {
                return Some(decision.because);
            }
        }
        for child in inside?.iter().filter(|child| !child.default) {
            let because = match &child.content {
                Content::Leaf(_) | Content::Any(_) => self.instance(child.node, Predicate::None, None, &own),
                Content::Container(inner) => self.instance(child.node, Predicate::None, Some(inner), &own),
                Content::LeafList(values) => values
                    .iter()
                    .find_map(|value| self.instance(child.node, Predicate::Value(value.clone()), None, &own)),
                Content::List(list) => list.iter().enumerate().find_map(|(i, (key, entry))| {
                    let predicate = key.map_or(Predicate::Position(i + 1), |key| Predicate::Key(key.clone()));
                    self.instance(child.node, predicate, Some(entry), &own)
                }),
            };
            if because.is_some() {
                return because;
            }
        }
        None
    }

    fn instance(
        &mut self,
        node: NodeId,
        predicate: Predicate,
        inside: Option<&Inner>,
        parent: &Range<usize>,
    ) -> Option<Because> {
        if self.access.table(self.operation).extent(node) == Extent::All {
            return None;
        }
        let start = self.marks.len();
        self.access.pass(self.operation, node, predicate.instance(), &mut self.marks, parent.clone());
        self.path.push(node, predicate);
        let because = self.denied(node, inside, start..self.marks.len());
        if because.is_none() {
            self.path.pop();
            self.marks.truncate(start);
        }
        because
    }
}
