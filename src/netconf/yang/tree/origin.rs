//! Where configuration in the operational state datastore comes from (RFC 8342 section 5.3.4).

use super::{Child, Content, Inner, Tree};
use crate::yang::schema::NodeId;

/// The identities of ietf-origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Origin {
    Intended,
    Dynamic,
    System,
    Learned,
    Default,
    Unknown,
}

impl Origin {
    pub const ALL: [Origin; 6] =
        [Origin::Intended, Origin::Dynamic, Origin::System, Origin::Learned, Origin::Default, Origin::Unknown];

    /// The name of the identity.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Intended => "intended",
            Origin::Dynamic => "dynamic",
            Origin::System => "system",
            Origin::Learned => "learned",
            Origin::Default => "default",
            Origin::Unknown => "unknown",
        }
    }
}

/// A set of origins; all of them unless made otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origins(u8);

impl Origins {
    pub const ALL: Origins = Origins((1 << Origin::ALL.len()) - 1);

    pub fn contains(self, origin: Origin) -> bool {
        self.0 & 1 << origin as u8 != 0
    }

    /// Those that are not in this set.
    pub fn others(self) -> Origins {
        Origins(Origins::ALL.0 & !self.0)
    }
}

impl Default for Origins {
    fn default() -> Self {
        Origins::ALL
    }
}

impl FromIterator<Origin> for Origins {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Origins {
        Origins(origins.into_iter().fold(0, |set, origin| set | 1 << origin as u8))
    }
}

impl Tree {
    /// The same data, all of that origin but what has one of its own already.
    pub fn with_origin(mut self, origin: Origin) -> Tree {
        let stamped = |child: &Child| Child { origin: child.origin.or(Some(origin)), ..child.clone() };
        self.root = self.root.iter().map(stamped).collect();
        self
    }
}

impl Inner {
    /// The origin of a list entry, which its keys carry: None where it is that of the list.
    pub fn entry_origin(&self, keys: &[NodeId]) -> Option<Origin> {
        self.get(*keys.first()?)?.origin
    }

    /// Gives a list entry an origin unless it has one.
    pub(super) fn stamp_entry(&mut self, keys: &[NodeId], origin: Origin) {
        for &key in keys {
            if self.get(key).is_some_and(|child| child.origin.is_none())
                && let Some(child) = self.get_mut(key)
            {
                child.origin = Some(origin);
            }
        }
    }
}

impl Child {
    /// The origin of this node inside one of origin `around`. A list's is that of the entries that have none of their own;
    /// a container's is not decided by the defaults in it.
    pub fn origin_within(&self, around: Origin) -> Origin {
        match (&self.content, self.default) {
            (Content::Leaf(_) | Content::LeafList(_), true) => Origin::Default,
            _ => self.origin.unwrap_or(around),
        }
    }
}
