//! What passes on the way: selection, access and with-defaults, asked for one child at a time.

use super::instances::Entries;
use super::tags::Tag;
use super::{Part, Rights, Scope, UNBOUNDED, Walk, WithDefaults};
use crate::yang::access::{Extent, Instance};
use crate::yang::filter::{Group, GroupId, What};
use crate::yang::schema::NodeId;
use crate::yang::tree::{Child, Content, Inner, Key, Origin};
use crate::yang::value::Value;

/// What is asked of a list.
#[derive(Clone, Copy, Default)]
pub(super) struct EntriesWanted {
    pub whole: bool,
    /// So many groups at the end of the active ones apply to every entry.
    pub every: usize,
    /// There are wants of entries by key or position.
    pub single: bool,
}

impl EntriesWanted {
    pub fn nothing(self) -> bool {
        !self.whole && self.every == 0 && !self.single
    }

    pub fn only_keyed(self) -> bool {
        !self.whole && self.every == 0
    }
}

impl<'w> Walk<'w> {
    /// The levels below a node that is selected itself.
    fn below_selected(&self) -> Part {
        Part::All(self.options.max_depth.map_or(UNBOUNDED, |depth| depth.saturating_sub(1)))
    }

    fn applying(&self, start: usize, end: usize) -> impl Iterator<Item = &'w Group> + '_ {
        let groups = self.groups.expect("ranges of groups come from a selection with groups");
        self.active[start..end].iter().map(|id| groups.get(*id))
    }

    /// The part of `inner` that those groups ask for whose conditions it meets; None where that is none. Leaves the
    /// groups on the stack.
    pub(super) fn part_of(&mut self, asked: &[GroupId], inner: &Inner, rights: Rights) -> Option<Part> {
        let groups = self.groups.expect("groups were asked for");
        let start = self.active.len();
        let mut whole = false;
        for &id in asked {
            let group = groups.get(id);
            let marks = &mut self.marks;
            let access = self.access;
            let holds = group.holds(inner, |node, instance| match rights {
                Rights::Everything => true,
                Rights::Marks(from, to) => {
                    let before = marks.len();
                    let readable = access.is_none_or(|access| match access.extent(node) {
                        Extent::All => true,
                        Extent::Some => access.reads(node, instance, marks, from..to),
                        Extent::None => false,
                    });
                    marks.truncate(before);
                    readable
                }
            });
            if holds {
                whole |= group.whole;
                self.active.push(id);
            }
        }
        if whole {
            self.active.truncate(start);
            return Some(self.below_selected());
        }
        (self.active.len() > start).then_some(Part::Groups(start, self.active.len()))
    }

    /// Whether no instance of the node may be read.
    pub(super) fn hides(&self, node: NodeId, scope: Scope) -> bool {
        matches!(scope.rights, Rights::Marks(..)) && self.access.is_some_and(|a| a.extent(node) == Extent::None)
    }

    /// The rights below an instance that may be read; None if it may not.
    pub(super) fn may_read(&mut self, node: NodeId, instance: Instance<'_>, rights: Rights) -> Option<Rights> {
        let (Rights::Marks(start, end), Some(access)) = (rights, self.access) else { return Some(Rights::Everything) };
        match access.extent(node) {
            Extent::All => Some(Rights::Everything),
            Extent::None => None,
            Extent::Some => {
                let before = self.marks.len();
                if access.reads(node, instance, &mut self.marks, start..end) {
                    Some(Rights::Marks(before, self.marks.len()))
                } else {
                    self.marks.truncate(before);
                    None
                }
            }
        }
    }

    pub(super) fn wants_leaf(&self, node: NodeId, value: &Value, scope: Scope) -> bool {
        match scope.part {
            Part::All(levels) => levels > 0,
            Part::Groups(start, end) => self.applying(start, end).any(|group| {
                let wants = group.wants(node);
                // `Whole` sorts before all values.
                wants.first().is_some_and(|want| want.what == What::Whole)
                    || wants
                        .binary_search_by(|want| match &want.what {
                            What::Value(wanted) => wanted.cmp(value),
                            What::Whole => std::cmp::Ordering::Less,
                            _ => std::cmp::Ordering::Greater,
                        })
                        .is_ok()
            }),
        }
    }

    pub(super) fn admits_leaf(&mut self, child: &Child, value: &Value, scope: Scope) -> bool {
        if !self.wants_leaf(child.node, value, scope) {
            return false;
        }
        let before = self.marks.len();
        let admitted = self.may_read(child.node, Instance::Only, scope.rights).is_some();
        self.marks.truncate(before);
        admitted
    }

    pub(super) fn admits_value(&mut self, node: NodeId, value: &Value, scope: Scope) -> bool {
        if !self.wants_leaf(node, value, scope) {
            return false;
        }
        let before = self.marks.len();
        let admitted = self.may_read(node, Instance::Value(value), scope.rights).is_some();
        self.marks.truncate(before);
        admitted
    }

    pub(super) fn admits_whole(&mut self, node: NodeId, scope: Scope) -> bool {
        let wanted = match scope.part {
            Part::All(levels) => levels > 0,
            Part::Groups(start, end) => {
                self.applying(start, end).any(|group| group.wants(node).iter().any(|want| want.what == What::Whole))
            }
        };
        let before = self.marks.len();
        let admitted = wanted && self.may_read(node, Instance::Only, scope.rights).is_some();
        self.marks.truncate(before);
        admitted
    }

    pub(super) fn admits_container(&mut self, node: NodeId, inner: &Inner, scope: Scope) -> Option<Scope> {
        let part = match scope.part {
            Part::All(0) => return None,
            Part::All(UNBOUNDED) => Part::All(UNBOUNDED),
            Part::All(levels) => Part::All(levels - 1),
            Part::Groups(..) => Part::Groups(0, 0),
        };
        let wanted = match scope.part {
            Part::All(_) => EntriesWanted { whole: true, ..EntriesWanted::default() },
            Part::Groups(..) => self.wants_of_entries(node, scope),
        };
        if wanted.nothing() {
            return None;
        }
        let rights = self.may_read(node, Instance::Only, scope.rights)?;
        if scope.is_whole() {
            return Some(Scope { part, rights, ..scope });
        }
        if wanted.whole {
            return Some(Scope { part: self.below_selected(), rights, ..scope });
        }
        let asked = self.active.split_off(self.active.len() - wanted.every);
        self.part_of(&asked, inner, rights).map(|part| Scope { part, rights, ..scope })
    }

    /// Puts the groups that apply to every instance of `node` on the stack.
    pub(super) fn wants_of_entries(&mut self, node: NodeId, scope: Scope) -> EntriesWanted {
        let mut wanted = EntriesWanted::default();
        match scope.part {
            Part::All(levels) => wanted.whole = levels > 0,
            Part::Groups(start, end) => {
                let groups = self.groups.expect("ranges of groups come from a selection with groups");
                for i in start..end {
                    for want in groups.get(self.active[i]).wants(node) {
                        match want.what {
                            What::Whole => wanted.whole = true,
                            What::Inside(id) => {
                                self.active.push(id);
                                wanted.every += 1;
                            }
                            // There may be very many, and they are found by their key.
                            What::Value(_) | What::Entry(..) | What::Position(..) => {
                                wanted.single = true;
                                break;
                            }
                        }
                    }
                }
            }
        }
        wanted
    }

    /// The keys of the entries that are asked for by key, in order.
    pub(super) fn keys_wanted(&self, node: NodeId, scope: Scope) -> Vec<&'w Key> {
        let Part::Groups(start, end) = scope.part else { return Vec::new() };
        let wants = self.applying(start, end).flat_map(|group| group.wants(node));
        let mut keys: Vec<&Key> = wants
            .filter_map(|want| match &want.what {
                What::Entry(key, _) => Some(key),
                _ => None,
            })
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    pub(super) fn admits_entry(&mut self, at: &Entries, key: Option<&Key>, n: usize, entry: &Inner) -> Option<Scope> {
        let instance = key.map_or(Instance::Position(n + 1), Instance::Entry);
        let (start, end) = match at.scope.part {
            Part::All(levels) => {
                let rights = self.may_read(at.node, instance, at.scope.rights)?;
                let levels = if levels == UNBOUNDED { UNBOUNDED } else { levels - 1 };
                return Some(Scope { part: Part::All(levels), rights, ..at.scope });
            }
            Part::Groups(start, end) => (start, end),
        };
        if at.wanted.whole {
            let rights = self.may_read(at.node, instance, at.scope.rights)?;
            return Some(Scope { part: self.below_selected(), rights, ..at.scope });
        }
        let mut asked = std::mem::take(&mut self.asked);
        asked.clear();
        asked.extend_from_slice(&self.active[self.active.len() - at.wanted.every..]);
        if at.wanted.single {
            for group in self.applying(start, end) {
                let wants = group.wants(at.node);
                let first = wants.partition_point(|want| match (&want.what, key) {
                    (What::Entry(wanted, _), Some(key)) => wanted < key,
                    (What::Position(wanted, _), None) => *wanted < n + 1,
                    (What::Position(..), Some(_)) => false,
                    _ => true,
                });
                for want in &wants[first..] {
                    match (&want.what, key) {
                        (What::Entry(wanted, id), Some(key)) if wanted == key => asked.push(*id),
                        (What::Position(wanted, id), None) if *wanted == n + 1 => asked.push(*id),
                        _ => break,
                    }
                }
            }
        }
        let scope = if asked.is_empty() {
            None
        } else {
            self.may_read(at.node, instance, at.scope.rights)
                .and_then(|rights| self.part_of(&asked, entry, rights).map(|part| Scope { part, rights, ..at.scope }))
        };
        self.asked = asked;
        scope
    }

    /// Whether anything at or below a node can be part of the reply.
    pub(super) fn concerns(&self, tag: Tag) -> bool {
        match self.options.config {
            None => true,
            Some(true) => tag.config,
            Some(false) => tag.state_below,
        }
    }

    /// Whether a node of that origin is itself one that is asked for, rather than one around it.
    pub(super) fn keeps(&self, tag: Tag, origin: Origin) -> bool {
        if tag.config { self.options.config != Some(false) && self.options.origins.contains(origin) } else { true }
    }

    /// Whether anything of `inner` would be written, were there no end to the levels.
    pub(super) fn holds(&mut self, inner: &Inner, scope: Scope) -> bool {
        inner.iter().any(|child| {
            let tag = self.tags.get(child.node);
            let origin = child.origin_within(scope.origin);
            let kept = self.keeps(tag, origin);
            if !self.concerns(tag) {
                return false;
            }
            let before = self.marks.len();
            let readable = |walk: &mut Self, instance| walk.may_read(child.node, instance, scope.rights);
            let holds = match &child.content {
                Content::Leaf(value) => {
                    kept && self.reports(child, tag, std::slice::from_ref(value)).is_some()
                        && readable(self, Instance::Only).is_some()
                }
                Content::LeafList(values) => {
                    kept && self.reports(child, tag, values).is_some()
                        && values.iter().any(|value| readable(self, Instance::Value(value)).is_some())
                }
                Content::Any(_) => kept && readable(self, Instance::Only).is_some(),
                Content::Container(inside) => readable(self, Instance::Only).is_some_and(|rights| {
                    kept && tag.presence || self.holds(inside, Scope { rights, origin, ..scope })
                }),
                Content::List(list) => list.iter().enumerate().any(|(n, (key, entry))| {
                    let origin = entry.entry_origin(&self.schema.node(child.node).keys).unwrap_or(origin);
                    readable(self, key.map_or(Instance::Position(n + 1), Instance::Entry)).is_some_and(|rights| {
                        self.keeps(tag, origin) || self.holds(entry, Scope { rights, origin, ..scope })
                    })
                }),
            };
            self.marks.truncate(before);
            holds
        })
    }

    /// Whether the with-defaults mode reports a leaf or leaf-list, and if so whether it is tagged.
    pub(super) fn reports(&self, child: &Child, tag: Tag, values: &[Value]) -> Option<bool> {
        match self.options.defaults {
            WithDefaults::ReportAll => Some(false),
            WithDefaults::Explicit => (!child.default || !tag.config).then_some(false),
            WithDefaults::Trim => (!self.holds_default(child, tag, values)).then_some(false),
            WithDefaults::ReportAllTagged => Some(self.holds_default(child, tag, values)),
        }
    }

    fn holds_default(&self, child: &Child, tag: Tag, values: &[Value]) -> bool {
        // A default in a key's type has no meaning (RFC 7950 section 7.8.2).
        if tag.key || child.default {
            return child.default;
        }
        let node = self.schema.node(child.node);
        // The model's order is not the canonical one of a leaf-list that the system orders.
        let same = |a: &[Value], b: &[Value]| a == b || !node.user_ordered && a.iter().all(|value| b.contains(value));
        node.defaults.len() == values.len() && same(&node.defaults, values)
    }
}
