//! The parameters of datastore subscriptions in establish-subscription and modify-subscription (RFC 8641 section 4.4), and
//! their errors.

use std::time::Duration;

use jiff::Timestamp;

use super::nmda::{self, Named};
use super::parameters::{Name, Parameters, invalid, name};
use super::{Reply, Request, establish_subscription, modify_subscription};
use crate::error::{ErrorType, RpcError};
use crate::server::provider::Provider;
use crate::server::push::{self, MAX_UPDATE, MIN_PERIOD, Policy, Publication, Refusal, Trigger};
use crate::server::subscription::filter::{DATASTORE, Filter};
use crate::server::subscription::refusal::{Problem, Refused, refuse};
use crate::server::subscription::terms::{Target, Terms};
use crate::server::subscription::{Feed, Modification, NewFeed, Pushed};
use crate::xml::Element;
use crate::yang::schema::Schema;
use crate::yang::yang_patch;

const NAMESPACE: &str = "urn:ietf:params:xml:ns:yang:ietf-yang-push";

/// Whether an operation is about a datastore, and not a stream.
pub fn is_meant(operation: Element<'_>) -> bool {
    operation.children().any(|child| child.namespace() == NAMESPACE)
}

fn known(own: &[&'static str]) -> Vec<Name> {
    let push = |name| Name { namespace: Some(NAMESPACE), name };
    let pushed = ["datastore", "periodic", "on-change"].into_iter().chain(DATASTORE.parameters()).map(push);
    own.iter().map(|own| name(own)).chain(pushed).collect()
}

pub async fn establish<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let refused = Refused::EstablishDatastore;
    let parameters = Parameters::read(operation, &known(&["stop-time", "encoding"]))?;
    establish_subscription::may_hold_another(request, refused)?;
    establish_subscription::encoding(&request.shared.schema, refused, &parameters)?;
    let (policy, terms) = policy(request, &parameters, refused)?;
    push::check(request.shared, &request.access, &policy).await.map_err(|refusal| error(refused, &refusal))?;
    let publication = Publication::start(request.shared, &request.requester.user, policy).await;
    let pushed = Pushed { publication, source: source(request, &terms, refused)? };
    establish_subscription::established(request, terms, Feed::Push(pushed), None)
}

/// With the datastore that the subscription has; the rest is as in the request.
pub async fn modify<P: Provider>(request: &Request<'_, P>, operation: Element<'_>) -> Reply {
    let refused = Refused::ModifyDatastore;
    let parameters = Parameters::read(operation, &known(&["id", "stop-time"]))?;
    let record = modify_subscription::own(request, &parameters, refused)?;
    let (mut policy, mut terms) = policy(request, &parameters, refused)?;
    let before = record.terms().target;
    let (Target::Datastore { datastore, trigger: was, .. }, Target::Datastore { datastore: asked, trigger, .. }) =
        (&before, &mut terms.target)
    else {
        let message = "The subscription is to a stream, and cannot become one to a datastore.";
        return Err(RpcError::invalid_value(message).with_type(ErrorType::Protocol).into());
    };
    if datastore != asked {
        let message = "A subscription cannot go over to another datastore.";
        return Err(refuse(refused, Problem::NoSuchSubscription, &[], message).into());
    }
    // What only establish-subscription can say stays as it was said there.
    if let (
        Trigger::OnChange { excluded, sync_on_start, .. },
        Trigger::OnChange { excluded: kept, sync_on_start: sync, .. },
    ) = (was, &mut *trigger)
    {
        kept.clone_from(excluded);
        *sync = *sync_on_start;
    }
    policy.trigger = trigger.clone();
    push::check(request.shared, &request.access, &policy).await.map_err(|refusal| error(refused, &refusal))?;
    let publication = Publication::start(request.shared, &request.requester.user, policy).await;
    let feed = NewFeed::Push(Pushed { publication, source: source(request, &terms, refused)? });
    Ok(super::Outcome::Modified(Box::new(Modification { id: record.id, terms, feed })))
}

fn policy<P: Provider>(
    request: &Request<'_, P>,
    parameters: &Parameters<'_>,
    refused: Refused,
) -> Result<(Policy, Terms), RpcError> {
    let schema = &request.shared.schema;
    let datastore = datastore(schema, parameters, refused)?;
    let trigger = trigger(parameters, refused)?;
    let stop = establish_subscription::stop(parameters, None, Timestamp::now())?;
    let filter = DATASTORE.read(schema, parameters, refused)?;
    let running = request.shared.datastores.version().running.clone();
    let selection =
        DATASTORE.selection(&filter, &running, &request.access).map_err(|unusable| unusable.refusal(refused))?;
    let policy = Policy { datastore, selection, trigger: trigger.clone(), stop };
    Ok((policy, Terms { target: Target::Datastore { datastore, filter, trigger }, stop }))
}

/// The filter itself, where the terms name a configured one.
fn source<P: Provider>(request: &Request<'_, P>, terms: &Terms, refused: Refused) -> Result<Filter, RpcError> {
    let Target::Datastore { filter, .. } = &terms.target else { return Ok(Filter::None) };
    let running = &request.shared.datastores.version().running;
    DATASTORE.resolve(filter, running, &request.access).map_err(|unusable| unusable.refusal(refused))
}

fn datastore(schema: &Schema, parameters: &Parameters<'_>, refused: Refused) -> Result<Named, RpcError> {
    let element = parameters.required("datastore")?;
    nmda::named(schema, element).map_err(|error| {
        let message = error.message.clone().unwrap_or_default();
        refuse(refused, Problem::DatastoreNotSubscribable, &[], message)
    })
}

/// `<periodic>` or `<on-change>`.
fn trigger(parameters: &Parameters<'_>, refused: Refused) -> Result<Trigger, RpcError> {
    match (parameters.get("periodic"), parameters.get("on-change")) {
        (Some(_), Some(second)) => Err(RpcError::bad_element(second.name(), "Only one trigger can be given.")),
        (None, None) => Err(RpcError::missing_element("periodic")),
        (Some(periodic), None) => {
            let inside = inside(periodic, &["period", "anchor-time"], &[])?;
            inside.required("period")?;
            let period = centiseconds(&inside, "period")?.unwrap_or_default();
            if period < MIN_PERIOD {
                return Err(error(refused, &Refusal::PeriodUnsupported));
            }
            Ok(Trigger::Periodic { period, anchor: inside.time("anchor-time")? })
        }
        (None, Some(on_change)) => {
            let inside = inside(on_change, &["dampening-period", "sync-on-start"], &["excluded-change"])?;
            let excluded = inside.all("excluded-change").into_iter().map(|element| {
                let text = element.text().trim_ascii();
                let found = yang_patch::Operation::ALL.into_iter().find(|operation| operation.as_str() == text);
                found.ok_or_else(|| invalid("excluded-change", text))
            });
            Ok(Trigger::OnChange {
                dampening: centiseconds(&inside, "dampening-period")?.unwrap_or_default(),
                sync_on_start: inside.parse("sync-on-start")?.unwrap_or(true),
                excluded: excluded.collect::<Result<_, _>>()?,
            })
        }
    }
}

fn inside<'d>(
    element: Element<'d>,
    leafs: &[&'static str],
    lists: &[&'static str],
) -> Result<Parameters<'d>, RpcError> {
    let names = |names: &[&'static str]| names.iter().map(|n| name(n)).collect::<Vec<Name>>();
    Parameters::read_with_lists(element, &names(leafs), &names(lists)).map_err(|mut errors| errors.remove(0))
}

fn centiseconds(parameters: &Parameters<'_>, name: &str) -> Result<Option<Duration>, RpcError> {
    Ok(parameters.parse::<u32>(name)?.map(|count| Duration::from_millis(u64::from(count) * 10)))
}

/// The error that a refusal is.
fn error(refused: Refused, refusal: &Refusal) -> RpcError {
    let kilobytes = ("kilobytes-limit", (MAX_UPDATE >> 10).to_string());
    let (problem, hints) = match refusal {
        Refusal::PeriodUnsupported => {
            (Problem::PeriodUnsupported, vec![("period-hint", (MIN_PERIOD.as_millis() / 10).to_string())])
        }
        Refusal::OnChangeUnsupported => (Problem::OnChangeUnsupported, vec![]),
        Refusal::UnchangingSelection => (Problem::UnchangingSelection, vec![]),
        Refusal::UpdateTooBig => (Problem::UpdateTooBig, vec![kilobytes]),
        Refusal::SyncTooBig => (Problem::SyncTooBig, vec![kilobytes]),
        Refusal::Filter(hint) => (Problem::FilterUnsupported, vec![("filter-failure-hint", hint.clone())]),
        Refusal::Unavailable(error) => return error.clone(),
    };
    refuse(refused, problem, &hints, format!("The subscription is refused: {refusal}."))
}
