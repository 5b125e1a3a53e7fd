//! The axes (XPath 1.0 section 2.2): walks from one node to those that a step asks for.
//!
//! A walk tests each node as it meets it, and keeps only what passes. It enters a subtree only where the schema says that
//! something below can pass, and an entry whose keys are given is looked up.

use super::XPathError;
use super::eval::{Evaluation, Focus};
use super::expr::{Position, Step, Test};
use super::nodes::{At, Item, Place, ROOT};
use super::parse::Axis;
use crate::yang::defaults;
use crate::yang::schema::{NodeId, NodeKind};
use crate::yang::tree::{Content, Inner, Key, List};
use crate::yang::value::Value;

/// What a walk looks for, and what it has found.
pub(super) struct Search<'e> {
    step: &'e Step,
    /// The only entries that can pass.
    keys: Option<Vec<Key>>,
    /// One is enough.
    first: bool,
    /// Predicates are for later, when all candidates are known.
    gathers: bool,
    /// Candidates of this walk that reached each predicate.
    reached: Vec<usize>,
    found: Vec<At>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    /// No further candidate can pass, or none is needed.
    Enough,
}

/// Where a sibling stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

impl<'e> Evaluation<'e> {
    /// What a step makes of a node-set; of its nodes one at least where `first`.
    pub fn step(&mut self, step: &'e Step, from: &[At], first: bool) -> Result<Vec<At>, XPathError> {
        let found = self.spare();
        let backwards = matches!(step.axis, Axis::Preceding | Axis::PrecedingSibling);
        let gathers = !step.predicates.is_empty() && (backwards || step.uses_last);
        let mut search = Search {
            step,
            keys: self.keys(step)?,
            first: first && !gathers,
            gathers,
            reached: vec![0; step.predicates.len()],
            found,
        };
        for &at in from {
            search.reached.fill(0);
            let before = search.found.len();
            self.walk(at, &mut search)?;
            if gathers {
                let mut candidates = search.found.split_off(before);
                if backwards {
                    candidates.reverse();
                }
                for predicate in &step.predicates {
                    self.filter(&mut candidates, predicate)?;
                }
                search.found.extend_from_slice(&candidates);
            }
            if first && !search.found.is_empty() {
                break;
            }
        }
        let mut found = search.found;
        let reverse = matches!(step.axis, Axis::Ancestor | Axis::AncestorOrSelf) || backwards;
        if reverse || from.len() > 1 {
            self.arrange(&mut found)?;
        }
        Ok(found)
    }

    /// How many children a step would find, told without a look at each; None where each counts.
    pub fn count_children(&self, parent: At, step: &Step) -> Option<usize> {
        let Test::Named(named) = &step.test else { return None };
        let visited = self.get(parent);
        let Item::Inside(inner) = visited.item else { return None };
        let plain = step.axis == Axis::Child && step.predicates.is_empty() && visited.is_readable_whole();
        if !plain {
            return None;
        }
        let count = |node: NodeId| match inner.get(node).map(|child| &child.content) {
            Some(Content::List(list)) => Some(list.len()),
            Some(Content::LeafList(values)) => Some(values.len()),
            Some(_) => Some(1),
            None if matches!(self.schema.node(node).kind, NodeKind::List | NodeKind::LeafList) => Some(0),
            None => None,
        };
        let is_operation = |node| matches!(self.schema.node(node).kind, NodeKind::Rpc | NodeKind::Action);
        if visited.node.is_some_and(is_operation) {
            return None;
        }
        named.under(visited.node).map(count).sum()
    }

    fn walk(&mut self, at: At, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        match search.step.axis {
            Axis::Child => self.below(at, false, search),
            Axis::Descendant => self.below(at, true, search),
            Axis::DescendantOrSelf => match self.consider(at, search)? {
                Flow::On => self.below(at, true, search),
                enough => Ok(enough),
            },
            Axis::Itself => self.consider(at, search),
            Axis::Parent if at == ROOT => Ok(Flow::On),
            Axis::Parent => self.consider(self.get(at).above, search),
            Axis::Ancestor => self.upwards(at, search),
            Axis::AncestorOrSelf => match self.consider(at, search)? {
                Flow::On => self.upwards(at, search),
                enough => Ok(enough),
            },
            Axis::FollowingSibling => self.siblings(at, Side::After, false, search),
            Axis::PrecedingSibling => self.siblings(at, Side::Before, false, search),
            Axis::Following => {
                let mut from = at;
                while from != ROOT {
                    if self.siblings(from, Side::After, true, search)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                    from = self.get(from).above;
                }
                Ok(Flow::On)
            }
            Axis::Preceding => {
                let mut line = vec![at];
                while line[line.len() - 1] != ROOT {
                    line.push(self.get(line[line.len() - 1]).above);
                }
                for &from in line.iter().rev() {
                    if self.siblings(from, Side::Before, true, search)? == Flow::Enough {
                        return Ok(Flow::Enough);
                    }
                }
                Ok(Flow::On)
            }
            Axis::Empty => Ok(Flow::On),
        }
    }

    fn upwards(&mut self, mut at: At, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        while at != ROOT {
            at = self.get(at).above;
            if self.consider(at, search)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    /// Tries a node that is on the stack already.
    fn consider(&mut self, at: At, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        self.spend(1)?;
        let visited = self.get(at);
        let passes = match (&search.step.test, visited.node, visited.item) {
            (Test::Node { .. }, ..) => true,
            (Test::Text, _, Item::Text(_)) => true,
            (_, _, Item::Text(_)) | (_, None, _) => false,
            (test, Some(node), _) => self.accepts(test, node),
        };
        if passes { self.offer(at, search) } else { Ok(Flow::On) }
    }

    fn accepts(&self, test: &Test, node: NodeId) -> bool {
        match test {
            Test::Node { .. } | Test::Element => true,
            Test::Module(module) => self.schema.node(node).module == *module,
            Test::Named(named) => named.contains(node),
            Test::Text | Test::Nothing => false,
        }
    }

    /// Whether anything below instances of the node can pass.
    fn accepts_below(&self, test: &Test, node: NodeId) -> bool {
        match test {
            Test::Named(named) => named.contains_below(self.schema, node),
            Test::Element | Test::Module(_) => !self.schema.children(Some(node)).is_empty(),
            Test::Node { .. } | Test::Text => true,
            Test::Nothing => false,
        }
    }

    /// Tries the children of a node, and where `deep` all below them.
    fn below(&mut self, at: At, deep: bool, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        let visited = self.get(at);
        let inner = match visited.item {
            Item::Inside(inner) => Some(inner),
            Item::Nothing => None,
            Item::Value(value) => return self.text_below(at, value, search),
            Item::Any(_) | Item::Text(_) => return Ok(Flow::On),
        };
        self.inside(at, visited.node, inner, deep, search)
    }

    fn text_below(&mut self, at: At, value: &'e Value, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        if !matches!(search.step.test, Test::Text | Test::Node { text: true }) || value.text().is_empty() {
            return Ok(Flow::On);
        }
        let node = self.get(at).node.expect("a leaf has a schema node");
        self.candidate(at, node, Place::Only, Item::Text(value), true, false, search)
    }

    /// As [`Self::below`], where the children are those of `parent` in the schema.
    fn inside(
        &mut self,
        at: At,
        parent: Option<NodeId>,
        inner: Option<&'e Inner>,
        deep: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        let step = search.step;
        let schema = self.schema;
        let is_operation =
            parent.is_some_and(|node| matches!(schema.node(node).kind, NodeKind::Rpc | NodeKind::Action));
        if !deep
            && !is_operation
            && let Test::Named(named) = &step.test
        {
            for node in named.under(parent) {
                if self.instances(at, inner, node, false, search)? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            }
            return Ok(Flow::On);
        }
        for &node in schema.children(parent) {
            let flow = if matches!(schema.node(node).kind, NodeKind::Input | NodeKind::Output) {
                // Nodes of the schema only.
                let inner = inner.and_then(|inner| inner.container(node));
                if inner.is_some() { self.inside(at, Some(node), inner, deep, search)? } else { Flow::On }
            } else {
                self.instances(at, inner, node, deep, search)?
            };
            if flow == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    /// Tries the instances of `node` among the children in `inner`.
    fn instances(
        &mut self,
        above: At,
        inner: Option<&'e Inner>,
        node: NodeId,
        deep: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        let passes = self.accepts(&search.step.test, node);
        let enters = deep && self.accepts_below(&search.step.test, node);
        if !passes && !enters {
            return Ok(Flow::On);
        }
        let Some(child) = inner.and_then(|inner| inner.get(node)) else {
            if self.exists_empty(inner, node) {
                return self.candidate(above, node, Place::Only, Item::Nothing, passes, enters, search);
            }
            return Ok(Flow::On);
        };
        match &child.content {
            Content::Leaf(value) => {
                self.candidate(above, node, Place::Only, Item::Value(value), passes, enters, search)
            }
            Content::Any(xml) => self.candidate(above, node, Place::Only, Item::Any(xml), passes, enters, search),
            Content::Container(inside) => {
                self.candidate(above, node, Place::Only, Item::Inside(inside), passes, enters, search)
            }
            Content::LeafList(values) => self.values(above, node, values.iter().enumerate(), passes, enters, search),
            Content::List(list) => {
                if !enters && search.keys.is_some() {
                    let keys = search.keys.take().unwrap_or_default();
                    let found = keys.iter().filter_map(|key| list.entry(key));
                    let found = found.enumerate().map(|(n, (key, entry))| (n, (Some(key), entry)));
                    let flow = self.entries(above, node, list, found, passes, enters, search);
                    search.keys = Some(keys);
                    return flow;
                }
                self.entries(above, node, list, list.iter().enumerate(), passes, enters, search)
            }
        }
    }

    /// Whether a container that is not in the tree exists (RFC 7950 section 7.5.1): one without presence always does,
    /// unless it is of a case that is not chosen. Where a `when` decides it is there only if the tree has it.
    fn exists_empty(&self, inner: Option<&Inner>, id: NodeId) -> bool {
        let node = self.schema.node(id);
        if node.kind != (NodeKind::Container { presence: false }) || !node.config || node.has_when {
            return false;
        }
        match inner {
            Some(inner) => defaults::is_chosen(self.schema, inner, id),
            None => defaults::is_chosen(self.schema, &Inner::default(), id),
        }
    }

    fn values(
        &mut self,
        above: At,
        node: NodeId,
        values: impl Iterator<Item = (usize, &'e Value)>,
        passes: bool,
        enters: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        for (n, value) in values {
            if self.candidate(above, node, Place::Nth(n), Item::Value(value), passes, enters, search)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    #[expect(clippy::too_many_arguments, reason = "one level's state, kept in registers")]
    fn entries(
        &mut self,
        above: At,
        node: NodeId,
        list: &'e List,
        entries: impl Iterator<Item = (usize, (Option<&'e Key>, &'e Inner))>,
        passes: bool,
        enters: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        for (n, (key, entry)) in entries {
            let place = key.map_or(Place::Nth(n), |key| Place::Entry(list, key));
            if self.candidate(above, node, place, Item::Inside(entry), passes, enters, search)? == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    #[expect(clippy::too_many_arguments, reason = "one level's state, kept in registers")]
    fn candidate(
        &mut self,
        above: At,
        node: NodeId,
        place: Place<'e>,
        item: Item<'e>,
        passes: bool,
        enters: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        let (mark, kept) = (self.mark(), search.found.len());
        let Some(at) = self.visit(above, node, place, item)? else { return Ok(Flow::On) };
        let mut flow = Flow::On;
        if passes {
            flow = self.offer(at, search)?;
        }
        if enters && flow == Flow::On {
            flow = self.below(at, true, search)?;
        }
        if search.found.len() == kept {
            self.release(mark);
        }
        Ok(flow)
    }

    /// Takes a node that passes the step's test, if the predicates hold.
    fn offer(&mut self, at: At, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        let step = search.step;
        let mut last = false;
        if !search.gathers {
            for (i, predicate) in step.predicates.iter().enumerate() {
                search.reached[i] += 1;
                let position = search.reached[i];
                if let Position::Only(only) = predicate.position {
                    last |= position >= only;
                }
                if !self.holds(predicate, Focus { at, position, size: 0 })? {
                    return Ok(if last { Flow::Enough } else { Flow::On });
                }
            }
        }
        search.found.push(at);
        Ok(if last || search.first { Flow::Enough } else { Flow::On })
    }

    /// Tries the siblings on one side of a node, in document order; where `deep` with all below them.
    fn siblings(&mut self, of: At, side: Side, deep: bool, search: &mut Search<'e>) -> Result<Flow, XPathError> {
        let visited = self.get(of);
        let (Some(own), false) = (visited.node, matches!(visited.item, Item::Text(_))) else { return Ok(Flow::On) };
        let above = visited.above;
        let parent = self.schema.node(own).data_parent;
        let mut inner = match self.get(above).item {
            Item::Inside(inner) => Some(inner),
            _ => None,
        };
        if let Some(parent) = parent
            && matches!(self.schema.node(parent).kind, NodeKind::Input | NodeKind::Output)
        {
            inner = inner.and_then(|inner| inner.container(parent));
        }
        let schema = self.schema;
        for &node in schema.children(parent) {
            let wanted = match side {
                Side::Before => node <= own,
                Side::After => node >= own,
            };
            if !wanted {
                continue;
            }
            let flow = if node == own {
                self.siblings_of_same_node(of, inner, side, deep, search)?
            } else {
                self.instances(above, inner, node, deep, search)?
            };
            if flow == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    fn siblings_of_same_node(
        &mut self,
        of: At,
        inner: Option<&'e Inner>,
        side: Side,
        deep: bool,
        search: &mut Search<'e>,
    ) -> Result<Flow, XPathError> {
        let visited = self.get(of);
        let node = visited.node.expect("the root has no siblings");
        let above = visited.above;
        let passes = self.accepts(&search.step.test, node);
        let enters = deep && self.accepts_below(&search.step.test, node);
        let Some(child) = inner.and_then(|inner| inner.get(node)).filter(|_| passes || enters) else {
            return Ok(Flow::On);
        };
        match (&child.content, visited.place, side) {
            (Content::LeafList(values), Place::Nth(own), Side::Before) => {
                self.values(above, node, values.iter().enumerate().take(own), passes, enters, search)
            }
            (Content::LeafList(values), Place::Nth(own), Side::After) => {
                self.values(above, node, values.iter().enumerate().skip(own + 1), passes, enters, search)
            }
            (Content::List(list), Place::Nth(own), Side::Before) => {
                self.entries(above, node, list, list.iter().enumerate().take(own), passes, enters, search)
            }
            (Content::List(list), Place::Nth(own), Side::After) => {
                self.entries(above, node, list, list.iter().enumerate().skip(own + 1), passes, enters, search)
            }
            (Content::List(list), Place::Entry(_, own), Side::Before) => {
                let before = list.iter().take_while(|(key, _)| *key != Some(own)).enumerate();
                self.entries(above, node, list, before, passes, enters, search)
            }
            (Content::List(list), Place::Entry(_, own), Side::After) => {
                self.entries(above, node, list, list.iter_from(own).enumerate().skip(1), passes, enters, search)
            }
            _ => Ok(Flow::On),
        }
    }
}
