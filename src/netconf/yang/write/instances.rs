//! Lists and leaf-lists: where there can be many instances, and a chunk can end between two of them.

use super::admit::EntriesWanted;
use super::content::Told;
use super::tags::Tag;
use super::{End, Level, Place, Position, Scope, Walk};
use crate::yang::access::Instance;
use crate::yang::schema::NodeId;
use crate::yang::tree::{Child, Content, Inner, Key, List, Origin};
use crate::yang::value::Value;

impl Walk<'_> {
    #[expect(clippy::too_many_arguments, reason = "one level's state, kept in registers")]
    pub(super) fn list<const PLAIN: bool>(
        &mut self,
        child: &Child,
        tag: Tag,
        list: &List,
        scope: Scope,
        level: Level,
        index: usize,
        resume: Option<Position>,
    ) -> (End, bool) {
        let whole = EntriesWanted { whole: true, ..EntriesWanted::default() };
        let wanted = if PLAIN { whole } else { self.wants_of_entries(child.node, scope) };
        let before = self.active.len() - wanted.every;
        let origin = if PLAIN { scope.origin } else { child.origin_within(scope.origin) };
        let at = Entries { node: child.node, tag, scope, level, index, wanted, origin };
        let (from, opened) = match resume {
            Some(Position { opened, place: Place::Entry(key), .. }) => (Some(Place::Entry(key)), opened),
            Some(Position { opened, place: Place::Nth(n), .. }) => (Some(Place::Nth(n)), opened),
            _ => (None, false),
        };
        let outcome = match (list, &from) {
            _ if !PLAIN && (wanted.nothing() || self.hides(child.node, scope)) => (End::Done, false),
            (List::Sorted(_), _) if !PLAIN && wanted.only_keyed() => {
                let mut keys = self.keys_wanted(child.node, scope);
                if let Some(Place::Entry(from)) = &from {
                    keys.retain(|key| *key >= from);
                }
                let found = keys.into_iter().filter_map(|key| list.get(key).map(|entry| (Some(key), entry)));
                self.entries::<PLAIN>(at, found, 0, opened)
            }
            (_, Some(Place::Entry(key))) => self.entries::<PLAIN>(at, list.iter_from(key), 0, opened),
            (List::Sorted(entries), _) => {
                self.entries::<PLAIN>(at, entries.iter().map(|(key, entry)| (Some(key), entry)), 0, opened)
            }
            (_, Some(Place::Nth(n))) => self.entries::<PLAIN>(at, list.iter().skip(*n), *n, opened),
            _ => self.entries::<PLAIN>(at, list.iter(), 0, opened),
        };
        self.active.truncate(before);
        outcome
    }

    fn entries<'e, const PLAIN: bool>(
        &mut self,
        at: Entries,
        entries: impl Iterator<Item = (Option<&'e Key>, &'e Inner)>,
        first: usize,
        mut opened: bool,
    ) -> (End, bool) {
        let mut wrote = opened;
        for (n, (key, entry)) in entries.enumerate() {
            let n = first + n;
            let position = |opened| Position {
                child: at.index,
                opened,
                place: key.map_or(Place::Nth(n), |key| Place::Entry(key.clone())),
            };
            let resumed = std::mem::take(&mut opened);
            let spent = self.nodes_left == 0 || self.closed && self.out.len() >= self.full;
            if spent && self.position.is_empty() && !resumed {
                self.position.push(position(false));
                return (End::Stopped, wrote);
            }
            if !PLAIN {
                self.nodes_left = self.nodes_left.saturating_sub(1);
            }
            let (groups_before, marks_before) = (self.active.len(), self.marks.len());
            let inside = if PLAIN { Some(Scope::PLAIN) } else { self.admits_entry(&at, key, n, entry) };
            let outcome = match inside {
                Some(mut inside) => {
                    if !PLAIN && !self.plain {
                        inside.origin = entry.entry_origin(&self.schema.node(at.node).keys).unwrap_or(at.origin);
                    }
                    self.entry::<PLAIN>(&at, entry, inside, resumed, position)
                }
                None => (End::Done, false),
            };
            self.active.truncate(groups_before);
            self.marks.truncate(marks_before);
            wrote |= outcome.1;
            if outcome.0 == End::Stopped {
                return (End::Stopped, wrote);
            }
        }
        (End::Done, wrote)
    }

    fn entry<const PLAIN: bool>(
        &mut self,
        at: &Entries,
        entry: &Inner,
        inside: Scope,
        opened: bool,
        position: impl FnOnce(bool) -> Position,
    ) -> (End, bool) {
        let mark = self.out.len();
        let plain = PLAIN || self.is_plain(inside);
        let kept = PLAIN || self.keeps(at.tag, inside.origin);
        let mut wrote = opened;
        if !opened {
            let told = if PLAIN {
                Told { top: at.level.top, ..Told::default() }
            } else {
                self.told(at.tag, at.scope, at.level, inside.origin)
            };
            self.start(at.node, at.tag, told);
            self.out.push(b'>');
            if !plain {
                match self.keys(entry, inside, kept) {
                    Some(asked_for) => wrote |= asked_for,
                    None => {
                        self.out.truncate(mark);
                        return (End::Done, false);
                    }
                }
            }
        }
        let (end, some) = self.inside::<PLAIN>(entry, inside, Level { top: false, entry: !plain });
        self.finish(at.tag, mark, end, wrote || some, kept && inside.is_whole(), position)
    }

    /// Writes an entry's keys, which come along with whatever is selected. True where they are asked for themselves, which
    /// they cannot be unless `kept`; None where one may not be read: without its keys an entry is nothing that may be shown.
    fn keys(&mut self, entry: &Inner, scope: Scope, kept: bool) -> Option<bool> {
        let mut asked_for = false;
        for child in entry.iter() {
            let tag = self.tags.get(child.node);
            let (true, Content::Leaf(value)) = (tag.key, &child.content) else { continue };
            let marks_before = self.marks.len();
            self.may_read(child.node, Instance::Only, scope.rights)?;
            self.marks.truncate(marks_before);
            asked_for |= kept && (scope.is_whole() || self.wants_leaf(child.node, value, scope));
            self.leaf(child.node, tag, value, Told::default());
        }
        Some(asked_for)
    }

    #[expect(clippy::too_many_arguments, reason = "one level's state, kept in registers")]
    pub(super) fn leaf_list<const PLAIN: bool>(
        &mut self,
        child: &Child,
        tag: Tag,
        values: &[Value],
        scope: Scope,
        level: Level,
        index: usize,
        resume: Option<Position>,
    ) -> (End, bool) {
        let Some(told) = self.tells::<PLAIN>(child, tag, values, scope, level) else { return (End::Done, false) };
        let from = match resume {
            Some(Position { place: Place::Nth(n), .. }) => n,
            _ => 0,
        };
        let mut wrote = false;
        for (n, value) in values.iter().enumerate().skip(from) {
            if PLAIN || self.admits_value(child.node, value, scope) {
                self.leaf(child.node, tag, value, told);
                wrote = true;
                if self.out.len() >= self.full {
                    self.position.push(Position { child: index, opened: false, place: Place::Nth(n + 1) });
                    return (End::Stopped, true);
                }
            }
        }
        (End::Done, wrote)
    }
}

/// The list whose entries are being written.
#[derive(Clone, Copy)]
pub(super) struct Entries {
    pub node: NodeId,
    pub tag: Tag,
    pub scope: Scope,
    pub level: Level,
    pub index: usize,
    pub wanted: EntriesWanted,
    /// Of the entries that have none of their own.
    pub origin: Origin,
}
