//! `<copy-config>` (RFC 6241 sections 7.3 and 8.8.5.2): between datastores, inline configuration and URLs.

use super::get::defaults;
use super::parameters::{Datastore, Parameters, Place, WITH_DEFAULTS, misplaced, name, place};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::server::url::Url;
use crate::xml::{Element, write_attribute};
use crate::yang::edit;
use crate::yang::tree::Tree;
use crate::yang::write::{WithDefaults, write_subtree};

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("target"), name("source"), WITH_DEFAULTS])?;
    // What a file is to tell of defaults. A datastore keeps its own (RFC 6243 section 4.5.1).
    let defaults = defaults(&parameters)?;
    let shared = request.shared;
    let target = match place(parameters.required("target")?)? {
        Place::Datastore(datastore) => Target::Datastore(datastore),
        Place::Url(text) => Target::Url(shared.urls.url(text)?),
        Place::Config(_) => return Err(misplaced("config").into()),
    };
    let source = place(parameters.required("source")?)?;
    let source = match (&target, source) {
        (Target::Datastore(target), Place::Datastore(source)) if source == *target => return Err(same().into()),
        // Whoever may copy may save: no rights to read are needed (RFC 8341 section 3.2.6).
        (Target::Datastore(Datastore::Startup), Place::Datastore(Datastore::Running)) => Ok(Datastore::Running),
        (Target::Datastore(_), Place::Datastore(source)) if request.access.is_exempt() => Ok(source),
        // What the user may not read is not there to be copied.
        (_, Place::Datastore(source)) => Err(request.access.readable(&shared.datastores.read(source))),
        (_, Place::Config(config)) => Err(edit::read_config(&shared.schema, config)?),
        (target, Place::Url(text)) => {
            let url = shared.urls.url(text)?;
            if matches!(target, Target::Url(target) if *target == url) {
                return Err(same().into());
            }
            Err(request.config_at(&url).await?)
        }
    };
    match target {
        Target::Datastore(target) => {
            let committed = shared.datastores.replace(&shared.provider, request.author(), target, source).await?;
            request.committed(committed).await?;
        }
        Target::Url(url) => {
            let tree = source.map_or_else(|tree| tree, |datastore| shared.datastores.read(datastore));
            url.write(document(&tree, defaults)).await?;
        }
    }
    Ok(Outcome::Ok)
}

enum Target {
    Datastore(Datastore),
    Url(Url),
}

fn same() -> RpcError {
    RpcError::invalid_value("Source and target are the same.").with_type(ErrorType::Protocol)
}

/// A configuration as the content of a URL: a `<config>` (RFC 6241 section 8.8.5).
fn document(tree: &Tree, defaults: WithDefaults) -> Vec<u8> {
    let mut out = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<config".to_vec();
    write_attribute(&mut out, "xmlns", edit::NETCONF_NAMESPACE);
    out.push(b'>');
    write_subtree(tree.schema(), tree.root(), defaults, &mut out);
    out.extend_from_slice(b"</config>\n");
    out
}
