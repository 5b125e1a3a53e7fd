//! Write access to each node that edits create, change or delete (RFC 8341 sections 3.2.5 and 3.4.5).

use std::ops::Range;

use super::{AccessOperation, Because, UserAccess};
use crate::yang::access::{Extent, Instance};
use crate::yang::diff::{Change, Edit};
use crate::yang::path::{InstancePath, Predicate};
use crate::yang::{Content, Inner, NodeId, NodeKind, Tree};

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
    pub(super) fn denied_edits(&self, old: &Tree, new: &Tree, edits: &[Edit]) -> Vec<Denied> {
        let mut denied = Vec::new();
        for edit in edits {
            if let Some(found) = self.denied_edit(old, new, edit) {
                denied.push(found);
                if denied.len() == DENIALS_REPORTED {
                    break;
                }
            }
        }
        denied
    }

    fn denied_edit(&self, old: &Tree, new: &Tree, edit: &Edit) -> Option<Denied> {
        let node = edit.path.last()?.node;
        let (operation, tree) = match edit.change {
            Change::Create => (AccessOperation::Create, Some(new)),
            Change::Delete => (AccessOperation::Delete, Some(old)),
            Change::Modify | Change::Move => (AccessOperation::Update, None),
        };
        if self.table(operation).extent(node) == Extent::All {
            return None;
        }
        let mut walk = EditWalk { access: self, operation, marks: Vec::new(), path: edit.path.clone() };
        let own = self.pass_path(operation, &edit.path, &mut walk.marks);
        let inside = tree.and_then(|tree| locate(tree, &edit.path));
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
        let instance: Instance<'_> = super::table::instance(&predicate);
        self.access.pass(self.operation, node, instance, &mut self.marks, parent.clone());
        self.path.push(node, predicate);
        let because = self.denied(node, inside, start..self.marks.len());
        if because.is_none() {
            self.path.pop();
            self.marks.truncate(start);
        }
        because
    }
}

/// The inside of the container or entry at a path.
fn locate<'t>(tree: &'t Tree, path: &InstancePath) -> Option<&'t Inner> {
    let mut inner = tree.root();
    for step in &path.steps {
        inner = match (&inner.get(step.node)?.content, &step.predicate) {
            (Content::Container(inside), _) => inside,
            (Content::List(list), Predicate::Key(key)) => list.get(key)?,
            (Content::List(list), Predicate::Position(n)) => list.iter().nth(n.checked_sub(1)?)?.1,
            _ => return None,
        };
    }
    Some(inner)
}
