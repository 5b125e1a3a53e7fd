//! `<copy-config>` (RFC 6241 section 7.3).

use super::parameters::{Parameters, Source, WITH_DEFAULTS, datastore, name, source};
use super::{Outcome, Reply, Request};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::xml::Element;
use crate::yang::edit;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("target"), name("source"), WITH_DEFAULTS])?;
    let target = datastore(parameters.required("target")?)?;
    let source = match source(parameters.required("source")?)? {
        Source::Datastore(datastore) if datastore == target => {
            let message = "Source and target are the same datastore.";
            return Err(RpcError::invalid_value(message).with_type(ErrorType::Protocol).into());
        }
        // What the user may not read is not there to be copied (RFC 8341 section 3.2.6).
        Source::Datastore(datastore) if !request.access.is_exempt() => {
            Err(request.access.readable(&request.shared.datastores.read(datastore)))
        }
        Source::Datastore(datastore) => Ok(datastore),
        Source::Config(config) => Err(edit::read_config(&request.shared.schema, config)?),
    };
    let shared = request.shared;
    let committed = shared.datastores.replace(&shared.provider, request.author(), target, source).await?;
    request.committed(committed).await?;
    Ok(Outcome::Ok)
}
