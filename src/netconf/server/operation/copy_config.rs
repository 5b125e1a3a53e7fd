//! `<copy-config>` (RFC 6241 section 7.3).

use super::parameters::{Datastore, Parameters, Place, WITH_DEFAULTS, datastore, misplaced, name, place};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::edit;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("target"), name("source"), WITH_DEFAULTS])?;
    let target = datastore(parameters.required("target")?)?;
    let source = match place(parameters.required("source")?)? {
        Place::Datastore(datastore) if datastore == target => {
            let message = "Source and target are the same datastore.";
            return Err(RpcError::invalid_value(message).with_type(ErrorType::Protocol).into());
        }
        // Whoever may copy may save: no rights to read are needed (RFC 8341 section 3.2.6).
        Place::Datastore(Datastore::Running) if target == Datastore::Startup => Ok(Datastore::Running),
        // What the user may not read is not there to be copied (RFC 8341 section 3.2.6).
        Place::Datastore(datastore) if !request.access.is_exempt() => {
            Err(request.access.readable(&request.shared.datastores.read(datastore)))
        }
        Place::Datastore(datastore) => Ok(datastore),
        Place::Url(_) => return Err(misplaced("url").into()),
        Place::Config(config) => Err(edit::read_config(&request.shared.schema, config)?),
    };
    let shared = request.shared;
    let committed = shared.datastores.replace(&shared.provider, request.author(), target, source).await?;
    request.committed(committed).await?;
    Ok(Outcome::Ok)
}
