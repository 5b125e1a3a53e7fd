//! Dynamic subscriptions of our client at our server: pushed data and changes, modified, killed, refused with a hint.

use netconf::client::{
    Datastore, EditConfig, EstablishSubscription, Filter, ModifiedTarget, ModifySubscription, NmdaDatastore,
    PatchOperation, Refusal, Session, Subscription, SubscriptionEvent, SubscriptionState, SubscriptionTarget,
    UpdateTrigger,
};

use crate::network::DEADLINE;
use crate::program::Program;

const BOOK: &str = "<book xmlns=\"urn:kill\"/>";

fn of_running(filter: &str, trigger: UpdateTrigger) -> EstablishSubscription {
    let selection = Some(Filter::Subtree(filter.to_owned()).into());
    let target = SubscriptionTarget::Datastore { datastore: NmdaDatastore::Running, selection, trigger };
    EstablishSubscription { target, stop_time: None }
}

fn on_change() -> UpdateTrigger {
    UpdateTrigger::OnChange { dampening_period: None, sync_on_start: None, excluded_changes: Vec::new() }
}

async fn edit(session: &Session, config: &str) {
    session.edit_config(&EditConfig::new(Datastore::Running, config)).await.unwrap();
}

async fn next(subscription: &mut Subscription) -> SubscriptionEvent {
    let event = tokio::time::timeout(DEADLINE, subscription.next()).await.expect("in time");
    event.expect("the subscription goes on")
}

#[tokio::test]
async fn what_is_pushed_is_read_and_goes_where_it_belongs() {
    let directory = tempfile::tempdir().unwrap();
    let program = Program::start(directory.path());
    let (session, _notifications) = program.session().await;
    let page = |id: u32| format!("<book xmlns=\"urn:kill\"><page><id>{id}</id><text>t{id}</text></page></book>");
    edit(&session, &page(1)).await;

    let mut changes = session.establish_subscription(&of_running(BOOK, on_change())).await.unwrap();
    let periodic = UpdateTrigger::Periodic { period: 10, anchor_time: None };
    let pair = "<pair xmlns=\"urn:kill\"/>";
    let mut regular = session.establish_subscription(&of_running(pair, periodic)).await.unwrap();
    assert_ne!(changes.id(), regular.id());

    let SubscriptionEvent::PushUpdate(all) = next(&mut changes).await else { panic!("the first is of all") };
    assert!(all.contents.contains("<text>t1</text>") && !all.incomplete, "{all:?}");
    edit(&session, &page(2)).await;
    let SubscriptionEvent::PushChangeUpdate(change) = next(&mut changes).await else { panic!("a change") };
    let [edit_of_page] = &*change.edits else { panic!("{change:?}") };
    assert_eq!((edit_of_page.operation, &*edit_of_page.target), (PatchOperation::Create, "/kill:book/page=2"));
    assert!(edit_of_page.value.as_deref().unwrap().contains("<text>t2</text>"), "{change:?}");

    // The other is told every tenth of a second, of what is its own.
    edit(&session, "<pair xmlns=\"urn:kill\"><left>3</left><right>3</right></pair>").await;
    loop {
        let SubscriptionEvent::PushUpdate(update) = next(&mut regular).await else { panic!("an update") };
        assert!(!update.contents.contains("book"), "{update:?}");
        if update.contents.contains("<left>3</left>") {
            break;
        }
    }

    // From now on of another page alone.
    let filter = "<book xmlns=\"urn:kill\"><page><id>4</id></page></book>";
    let selection = Some(Filter::Subtree(filter.to_owned()).into());
    let target = ModifiedTarget::Datastore { datastore: NmdaDatastore::Running, selection, trigger: Some(on_change()) };
    changes.modify(&ModifySubscription { target, stop_time: None }).await.unwrap();
    edit(&session, &page(3)).await;
    edit(&session, &page(4)).await;
    let mut told_modified = false;
    let seen = loop {
        match next(&mut changes).await {
            SubscriptionEvent::State(change) => {
                told_modified |= matches!(change.state, SubscriptionState::Modified(_));
            }
            SubscriptionEvent::PushChangeUpdate(change) => {
                let text = format!("{change:?}");
                assert!(!text.contains("t3"), "{text}");
                if text.contains("t4") {
                    break text;
                }
            }
            // Some servers tell all again under new terms.
            SubscriptionEvent::PushUpdate(update) => {
                assert!(!update.contents.contains("t3"), "{update:?}");
                if update.contents.contains("t4") {
                    break update.contents;
                }
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(told_modified, "before {seen}");

    // Ended by another session.
    let (other, _notifications) = program.session().await;
    other.kill_subscription(changes.id()).await.unwrap();
    let reason = loop {
        match next(&mut changes).await {
            SubscriptionEvent::State(change) => match change.state {
                SubscriptionState::Terminated(reason) => break reason,
                _ => continue,
            },
            SubscriptionEvent::PushChangeUpdate(_) | SubscriptionEvent::PushUpdate(_) => continue,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason, "no-such-subscription");
    assert!(changes.next().await.is_none(), "nothing follows the end");

    let hasty = of_running(pair, UpdateTrigger::Periodic { period: 1, anchor_time: None });
    let refusal = Refusal::of(&session.establish_subscription(&hasty).await.unwrap_err()).unwrap();
    assert_eq!((&*refusal.reason, refusal.period_hint), ("period-unsupported", Some(10)));

    // The end that we ask for, and the end of one that is dropped.
    let id = regular.id();
    regular.delete().await.unwrap();
    assert!(other.kill_subscription(id).await.is_err(), "it is gone");
    let dropped = session.establish_subscription(&of_running(pair, on_change())).await.unwrap().id();
    // A request of the same session after the drop: the server has seen both.
    session.get(&Filter::Subtree(pair.to_owned()).into()).await.unwrap();
    assert!(other.kill_subscription(dropped).await.is_err(), "it outlived its drop");
}
