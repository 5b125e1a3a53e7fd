//! `<validate>` (RFC 6241 sections 8.6.4.1 and 8.8.5.4).

use super::nmda;
use super::parameters::{Parameters, Place, name};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::server::turn::apart;
use crate::xml::Element;
use crate::yang::edit;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("source")])?;
    let source = match nmda::source(&request.shared.schema, parameters.required("source")?)? {
        Place::Datastore(datastore) => Ok(datastore),
        Place::Url(text) => Err(request.config_at(&request.shared.urls.url(text)?).await?),
        Place::Config(config) => Err(edit::read_config(&request.shared.schema, config)?),
    };
    let shared = request.shared;
    // The whole of a large configuration takes a thread for long.
    let _place = shared.overload.place(&shared.overload.evaluations, &request.requester.user).await?;
    apart(true, shared.datastores.validate(&shared.provider, source)).await?;
    Ok(Outcome::Ok)
}
