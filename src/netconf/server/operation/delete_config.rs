//! `<delete-config>` (RFC 6241 sections 7.4 and 8.8.5.3).

use super::parameters::{Datastore, Parameters, Place, misplaced, name, place};
use super::{Outcome, Reply, Request};
use crate::server::provider::Provider;
use crate::xml::Element;

pub async fn perform<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let parameters = Parameters::read(operation, &[name("target")])?;
    let shared = request.shared;
    match parameters.required("target").and_then(place)? {
        Place::Datastore(Datastore::Startup) => {
            let committed = shared.datastores.delete_startup(request.author()).await?;
            request.committed(Some(committed)).await?;
        }
        Place::Datastore(other) => {
            let mut error = misplaced(other.as_str());
            error.message = Some(format!("The {} datastore cannot be deleted.", other.as_str()));
            return Err(error.into());
        }
        Place::Config(_) => return Err(misplaced("config").into()),
        Place::Url(text) => shared.urls.url(text)?.delete().await?,
    }
    Ok(Outcome::Ok)
}
