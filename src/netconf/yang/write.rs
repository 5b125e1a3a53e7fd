//! Trees written as XML: filter (RFC 6241 section 6), read access (RFC 8341) and with-defaults (RFC 6243) in one pass.
//!
//! The writer walks the shared tree as it is; nothing is copied but into the output. It stops where a chunk is full and
//! remembers the way it came, a position for each level, so that a reply of any size takes the memory of one chunk. A
//! start tag whose element turns out to hold nothing is taken back from the output.

use std::sync::Arc;

use super::access::ReadAccess;
use super::filter::{GroupId, Groups, Selection};
use super::schema::Schema;
use super::tree::{Child, Content, Inner, Key, Origin, Origins, Tree};
use super::value::Value;

mod admit;
mod content;
mod instances;
pub mod prune;
mod tags;

use content::Told;
use tags::Tag;
pub(super) use tags::Tags;

/// How nodes that hold their schema default are reported (RFC 6243 section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithDefaults {
    ReportAll,
    /// All, and those that are or equal the default carry `wd:default="true"`.
    ReportAllTagged,
    Trim,
    /// What was set, whatever its value; state data whether set or not. The server's basic mode.
    #[default]
    Explicit,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    pub defaults: WithDefaults,
    /// Levels of each selected node that are written, 1 being the node alone (RFC 8526's max-depth). Entries always have
    /// their keys.
    pub max_depth: Option<u16>,
    /// Only configuration, or only state data, with what is around it (RFC 8526's config-filter).
    pub config: Option<bool>,
    /// Configuration of these origins, with what is around it, and state data (RFC 8526's origin filters).
    pub origins: Origins,
    /// Configuration carries the origin annotation (RFC 8342 section 5.3.4).
    pub with_origin: bool,
}

impl WriteOptions {
    /// Nothing has to be decided or said for each node beside its default.
    fn is_plain(&self) -> bool {
        self.config.is_none() && self.origins == Origins::ALL && !self.with_origin
    }
}

/// One tree being written in chunks. Owns what it needs, so it can wait between chunks for as long as it likes.
pub struct TreeWriter {
    tree: Tree,
    what: Selection,
    access: Option<Arc<dyn ReadAccess>>,
    options: WriteOptions,
    /// Where to go on, one for each level, the innermost first.
    position: Vec<Position>,
    finished: bool,
}

/// Nodes that one chunk looks at before it returns, written or not: a filter that matches nothing in a large tree must
/// not hold its thread. About a millisecond's work.
const NODES_IN_A_CHUNK: usize = 20_000;

impl TreeWriter {
    /// `access` None is a reader who may see everything. The tree, the selection and the access are of one schema.
    pub fn new(tree: Tree, what: Selection, access: Option<Arc<dyn ReadAccess>>, options: WriteOptions) -> TreeWriter {
        TreeWriter { tree, what, access, options, position: Vec::new(), finished: false }
    }

    /// Appends up to about `budget` bytes: a single value is never cut. True where there may be more; a call can append
    /// nothing all the same, having found nothing to write so far.
    pub fn next_chunk(&mut self, out: &mut Vec<u8>, budget: usize) -> bool {
        if self.finished {
            return false;
        }
        let full = out.len().saturating_add(budget.max(1));
        let mut walk = Walk {
            groups: self.what.groups(),
            access: self.access.as_deref(),
            options: self.options,
            plain: self.options.is_plain(),
            full,
            nodes_left: NODES_IN_A_CHUNK,
            position: std::mem::take(&mut self.position),
            ..Walk::new(self.tree.schema(), out)
        };
        let (end, _) = walk.root(self.tree.root());
        self.position = walk.position;
        self.finished = end == End::Done;
        !self.finished
    }
}

/// Writes a tree in one go. True where there was anything to write.
pub fn write(
    tree: &Tree,
    what: &Selection,
    access: Option<Arc<dyn ReadAccess>>,
    options: WriteOptions,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let mut writer = TreeWriter::new(tree.clone(), what.clone(), access, options);
    while writer.next_chunk(out, usize::MAX) {}
    out.len() > start
}

/// Writes the children of one container, entry, notification or output. Each declares its namespace.
pub fn write_subtree(schema: &Schema, inner: &Inner, defaults: WithDefaults, out: &mut Vec<u8>) {
    let options = WriteOptions { defaults, ..WriteOptions::default() };
    let mut walk = Walk { options, ..Walk::new(schema, out) };
    walk.children::<true>(inner, Scope::PLAIN, Level { top: true, entry: false });
}

/// Where a level stopped: inside or before the child at `child`.
struct Position {
    child: usize,
    /// The start tag of that child, or entry, is out already.
    opened: bool,
    place: Place,
}

enum Place {
    /// At its start; in a container, wherever the next position says.
    Child,
    /// At or in that entry.
    Entry(Key),
    /// At that value of a leaf-list, at or in that entry of a keyless list.
    Nth(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// The chunk is full; `Walk::position` has where.
    Stopped,
}

struct Walk<'w> {
    schema: &'w Schema,
    tags: &'w Tags,
    groups: Option<&'w Groups>,
    access: Option<&'w dyn ReadAccess>,
    options: WriteOptions,
    /// What is selected and readable as a whole needs no further look.
    plain: bool,
    out: &'w mut Vec<u8>,
    full: usize,
    nodes_left: usize,
    /// An element has been ended in this chunk: it is not only start tags that may be taken back.
    closed: bool,
    /// On the way in: where to go on, taken from the end. On the way out: where each level stopped.
    position: Vec<Position>,
    /// A stack of the groups that apply, cut into ranges by [`Part::Groups`].
    active: Vec<GroupId>,
    /// A stack of the access marks, cut into ranges by [`Rights::Marks`].
    marks: Vec<u32>,
    /// Room for the groups that one entry is tried with.
    asked: Vec<GroupId>,
}

impl<'w> Walk<'w> {
    /// Through all of a tree in one go, for a reader who may see everything.
    fn new(schema: &'w Schema, out: &'w mut Vec<u8>) -> Walk<'w> {
        Walk {
            schema,
            tags: schema.tags(),
            groups: None,
            access: None,
            options: WriteOptions::default(),
            plain: true,
            out,
            full: usize::MAX,
            nodes_left: usize::MAX,
            closed: false,
            position: Vec::new(),
            active: Vec::new(),
            marks: Vec::new(),
            asked: Vec::new(),
        }
    }
}

/// What is selected and readable among the children of one container or entry.
#[derive(Clone, Copy)]
struct Scope {
    part: Part,
    rights: Rights,
    /// Of the container or entry itself.
    origin: Origin,
}

#[derive(Clone, Copy)]
enum Part {
    /// All, so many levels of it.
    All(u16),
    /// What these of the active groups ask for.
    Groups(usize, usize),
}

#[derive(Clone, Copy)]
enum Rights {
    Everything,
    /// It must be asked for each child, with these marks.
    Marks(usize, usize),
}

const UNBOUNDED: u16 = u16::MAX;

impl Scope {
    const PLAIN: Scope = Scope { part: Part::All(UNBOUNDED), rights: Rights::Everything, origin: Origin::Intended };

    fn is_whole(self) -> bool {
        matches!(self.part, Part::All(_))
    }
}

#[derive(Clone, Copy)]
struct Level {
    /// The outermost: namespaces are declared here.
    top: bool,
    /// Of a list entry, whose keys were written with its start tag.
    entry: bool,
}

impl<'w> Walk<'w> {
    fn root(&mut self, inner: &Inner) -> (End, bool) {
        let rights = if self.access.is_some() { Rights::Marks(0, 0) } else { Rights::Everything };
        let level = Level { top: true, entry: false };
        let part = match self.groups {
            None => Part::All(self.options.max_depth.unwrap_or(UNBOUNDED)),
            Some(groups) => match groups.root.and_then(|root| self.part_of(&[root], inner, rights)) {
                // The top-level nodes are the selected ones.
                Some(Part::All(_)) => Part::All(self.options.max_depth.unwrap_or(UNBOUNDED)),
                Some(part) => part,
                None => return (End::Done, false),
            },
        };
        self.inside::<false>(inner, Scope { part, rights, origin: Origin::Intended }, level)
    }

    fn is_plain(&self, scope: Scope) -> bool {
        self.plain && matches!(scope, Scope { part: Part::All(UNBOUNDED), rights: Rights::Everything, .. })
    }

    /// What the start tag of a child says, it being of that origin.
    fn told(&self, tag: Tag, scope: Scope, level: Level, origin: Origin) -> Told {
        let annotated = self.options.with_origin && tag.config && (level.top || origin != scope.origin);
        Told { top: level.top, default: false, origin: annotated.then_some(origin) }
    }

    /// Writes what the scope lets through. `PLAIN` is the way without any question, for all below a node that is
    /// selected and readable as a whole.
    fn children<const PLAIN: bool>(&mut self, inner: &Inner, scope: Scope, level: Level) -> (End, bool) {
        let mut resumed = self.position.pop();
        let mut index = resumed.as_ref().map_or(0, |position| position.child);
        let mut wrote = false;
        let children = inner.iter().as_slice();
        while let Some(child) = children.get(index) {
            let resume = resumed.take();
            let tag = self.tags.get(child.node);
            if !PLAIN {
                if level.entry && tag.key {
                    index += 1;
                    continue;
                }
                self.nodes_left = self.nodes_left.saturating_sub(1);
                if !self.concerns(tag) {
                    index += 1;
                    continue;
                }
            }
            let (end, some) = match &child.content {
                Content::Leaf(value) => {
                    if let Some(told) = self.tells::<PLAIN>(child, tag, std::slice::from_ref(value), scope, level)
                        && (PLAIN || self.admits_leaf(child, value, scope))
                    {
                        self.leaf(child.node, tag, value, told);
                        (End::Done, true)
                    } else {
                        (End::Done, false)
                    }
                }
                Content::Container(inside) => self.container::<PLAIN>(child, tag, inside, scope, level, index, resume),
                Content::List(list) => self.list::<PLAIN>(child, tag, list, scope, level, index, resume),
                Content::LeafList(values) => self.leaf_list::<PLAIN>(child, tag, values, scope, level, index, resume),
                Content::Any(xml) => {
                    let origin = child.origin_within(scope.origin);
                    let admitted = PLAIN || self.keeps(tag, origin) && self.admits_whole(child.node, scope);
                    if admitted {
                        self.any(child.node, tag, xml, self.told(tag, scope, level, origin));
                    }
                    (End::Done, admitted)
                }
            };
            wrote |= some;
            if end == End::Stopped {
                return (end, wrote);
            }
            index += 1;
            if self.out.len() >= self.full && some || !PLAIN && self.nodes_left == 0 {
                self.position.push(Position { child: index, opened: false, place: Place::Child });
                return (End::Stopped, wrote);
            }
        }
        (End::Done, wrote)
    }

    /// What the start tags of a leaf's or leaf-list's instances say; None where they are not reported.
    fn tells<const PLAIN: bool>(
        &self,
        child: &Child,
        tag: Tag,
        values: &[Value],
        scope: Scope,
        level: Level,
    ) -> Option<Told> {
        let default = self.reports(child, tag, values)?;
        if PLAIN || self.plain {
            return Some(Told { top: level.top, default, origin: None });
        }
        let origin = child.origin_within(scope.origin);
        self.keeps(tag, origin).then(|| Told { default, ..self.told(tag, scope, level, origin) })
    }

    #[expect(clippy::too_many_arguments, reason = "one level's state, kept in registers")]
    fn container<const PLAIN: bool>(
        &mut self,
        child: &Child,
        tag: Tag,
        inner: &Inner,
        scope: Scope,
        level: Level,
        index: usize,
        resume: Option<Position>,
    ) -> (End, bool) {
        let (groups_before, marks_before) = (self.active.len(), self.marks.len());
        let inside = if PLAIN { Some(Scope::PLAIN) } else { self.admits_container(child.node, inner, scope) };
        let Some(mut inside) = inside else { return (End::Done, false) };
        let mut told = Told { top: level.top, ..Told::default() };
        if !PLAIN {
            // Something must be said of the origin at the top, also of a container that is there for its defaults only.
            let around = if level.top && child.default { Origin::Default } else { scope.origin };
            inside.origin = child.origin_within(around);
            told = self.told(tag, scope, level, inside.origin);
        }
        let opened = resume.is_some_and(|position| position.opened);
        let mark = self.out.len();
        if !opened {
            self.start(child.node, tag, told);
            self.out.push(b'>');
        }
        // With no level left a container stands for what is in it.
        let stands = inside.is_whole()
            && (tag.presence && (PLAIN || self.keeps(tag, inside.origin))
                || matches!(inside.part, Part::All(0)) && self.holds(inner, inside));
        let (end, some) = self.inside::<PLAIN>(inner, inside, Level { top: false, entry: false });
        self.active.truncate(groups_before);
        self.marks.truncate(marks_before);
        let position = |opened| Position { child: index, opened, place: Place::Child };
        self.finish(tag, mark, end, opened || some, stands, position)
    }

    /// Ends an element that was started at `mark`: closes it, takes it back, or notes how to go on.
    fn finish(
        &mut self,
        tag: Tag,
        mark: usize,
        end: End,
        wrote: bool,
        stands: bool,
        position: impl FnOnce(bool) -> Position,
    ) -> (End, bool) {
        match end {
            End::Stopped => {
                if !wrote {
                    self.out.truncate(mark);
                }
                self.position.push(position(wrote));
            }
            End::Done if wrote => {
                self.out.extend_from_slice(self.tags.close(tag));
                self.closed = true;
            }
            End::Done if stands => {
                self.out.pop();
                self.out.extend_from_slice(b"/>");
                self.closed = true;
            }
            End::Done => self.out.truncate(mark),
        }
        (end, wrote || stands)
    }

    fn inside<const PLAIN: bool>(&mut self, inner: &Inner, scope: Scope, level: Level) -> (End, bool) {
        if PLAIN || self.is_plain(scope) {
            self.children::<true>(inner, scope, level)
        } else {
            self.children::<false>(inner, scope, level)
        }
    }
}

#[cfg(test)]
mod tests;
