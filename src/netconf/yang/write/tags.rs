//! The start and end tags of every schema node, made once for each schema.

use crate::xml::write_attribute;
use crate::yang::schema::{NodeId, NodeKind, Schema};

/// Tags by schema node, in one buffer.
pub(in crate::yang) struct Tags {
    text: Vec<u8>,
    tags: Vec<Tag>,
}

/// One node's place in the buffer, and what the writer must know of each node it meets.
#[derive(Clone, Copy)]
pub(in crate::yang) struct Tag {
    start: u32,
    open: u32,
    close: u32,
    /// The node's module is its data parent's: the start tag declares no namespace.
    pub inherits: bool,
    pub key: bool,
    pub config: bool,
    /// State data can be in it.
    pub state_below: bool,
    pub presence: bool,
    /// One past the last node of the schema subtree.
    pub end: u32,
}

impl Tags {
    pub fn new(schema: &Schema) -> Tags {
        let mut text = Vec::new();
        let mut tags: Vec<Tag> = Vec::new();
        for node in schema.nodes() {
            let inherits = node.data_parent.is_some_and(|p| schema.node(p).module == node.module);
            let start = text.len();
            text.push(b'<');
            text.extend_from_slice(node.name.as_bytes());
            if !inherits {
                write_attribute(&mut text, "xmlns", &schema.module(node.module).namespace);
            }
            text.push(b'>');
            let open = text.len() - start;
            text.extend_from_slice(b"</");
            text.extend_from_slice(node.name.as_bytes());
            text.push(b'>');
            tags.push(Tag {
                start: u32::try_from(start).expect("the tags of a schema are far below 4 GiB"),
                open: open as u32,
                close: (text.len() - start - open) as u32,
                inherits,
                key: node.is_key,
                config: node.config,
                state_below: !node.config,
                presence: node.kind == NodeKind::Container { presence: true },
                end: tags.len() as u32 + 1,
            });
        }
        // Nodes are in pre-order, so a subtree is a run of ids.
        for node in schema.nodes().collect::<Vec<_>>().into_iter().rev() {
            if let Some(parent) = node.parent {
                let Tag { end, state_below, .. } = tags[node.id.number()];
                let above = &mut tags[parent.number()];
                above.end = end.max(above.end);
                above.state_below |= state_below;
            }
        }
        Tags { text, tags }
    }

    pub fn get(&self, node: NodeId) -> Tag {
        self.tags[node.number()]
    }

    /// `<name>`, or `<name xmlns="…">` where the module is not the parent's.
    pub fn open(&self, tag: Tag) -> &[u8] {
        let start = tag.start as usize;
        &self.text[start..start + tag.open as usize]
    }

    /// `</name>`.
    pub fn close(&self, tag: Tag) -> &[u8] {
        let start = tag.start as usize + tag.open as usize;
        &self.text[start..start + tag.close as usize]
    }
}
