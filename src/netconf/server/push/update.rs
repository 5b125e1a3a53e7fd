//! push-update and push-change-update (RFC 8641 section 3.7) as they are sent.

use std::sync::Arc;

use crate::message;
use crate::xml::write_attribute;
use crate::yang::schema::Schema;
use crate::yang::tree::Tree;
use crate::yang::write::{WithDefaults, write_subtree};
use crate::yang::yang_patch::{self, PatchEdit};

const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-push";

/// One update, to be written when the session has room for it.
#[derive(Clone, Debug)]
pub struct Update {
    /// RFC 3339; of the moment whose data it has.
    pub time: String,
    pub content: Content,
    /// Not all of it is there, because the device did not answer.
    pub incomplete: bool,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// All that is visible.
    Whole(Tree),
    Changes {
        patch_id: u32,
        edits: Arc<[PatchEdit]>,
    },
}

impl Update {
    /// Writes the notification, of the subscription with that id.
    pub fn write(&self, schema: &Schema, id: u32, out: &mut Vec<u8>) {
        let name = match self.content {
            Content::Whole(_) => "push-update",
            Content::Changes { .. } => "push-change-update",
        };
        message::write_notification_start(out, &self.time);
        out.push(b'<');
        out.extend_from_slice(name.as_bytes());
        write_attribute(out, "xmlns", NAMESPACE);
        out.extend_from_slice(format!("><id>{id}</id>").as_bytes());
        match &self.content {
            Content::Whole(tree) => {
                out.extend_from_slice(b"<datastore-contents>");
                write_subtree(schema, tree.root(), WithDefaults::Explicit, out);
                out.extend_from_slice(b"</datastore-contents>");
            }
            Content::Changes { patch_id, edits } => {
                out.extend_from_slice(b"<datastore-changes><yang-patch>");
                yang_patch::write(schema, &patch_id.to_string(), edits, out);
                out.extend_from_slice(b"</yang-patch></datastore-changes>");
            }
        }
        if self.incomplete {
            out.extend_from_slice(b"<incomplete-update/>");
        }
        out.extend_from_slice(format!("</{name}>").as_bytes());
        message::write_notification_end(out);
    }
}
