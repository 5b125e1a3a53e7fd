//! The task of one datastore subscription: it waits, looks, and hands over what there is to tell.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::content::{self, Viewer};
use super::hub::Interest;
use super::pace::{Dampened, PatchIds, Periodic};
use super::update::Content;
use super::{Hindrance, Message, Policy, Trigger, Update, instant_of};
use crate::server::Shared;
use crate::server::nacm::UserAccess;
use crate::server::operation::nmda::Named;
use crate::server::operation::parameters::Datastore;
use crate::server::provider::Provider;
use crate::yang::diff::diff;
use crate::yang::tree::Tree;
use crate::yang::yang_patch::{self, Operation, PatchEdit};

/// How long it takes until a device that did not tell its state is asked again, where nothing else changes.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Edits of one push-change-update. With more, the subscriber is sent everything anew, if that is what it takes.
const MAX_EDITS: usize = 10_000;

/// The session is gone.
struct Gone;

pub(super) async fn run<P: Provider>(
    shared: Arc<Shared<P>>,
    user: Arc<str>,
    policy: Policy,
    resync: Arc<Notify>,
    messages: mpsc::Sender<Message>,
    begun: oneshot::Sender<()>,
) {
    let stop = policy.stop.and_then(instant_of);
    let stopped = async {
        match stop {
            Some(stop) => sleep_until(stop).await,
            None => std::future::pending().await,
        }
    };
    let trigger = policy.trigger.clone();
    let mut publisher = Publisher { shared, user, policy, messages: messages.clone(), hindered: None };
    let published = async {
        match trigger {
            Trigger::Periodic { period, anchor } => {
                // Nobody waits if the session is gone.
                let _ = begun.send(());
                publisher.periodic(period, anchor).await
            }
            Trigger::OnChange { dampening, sync_on_start, excluded } => {
                publisher.on_change(dampening, sync_on_start, &excluded, &resync, begun).await
            }
        }
    };
    tokio::select! {
        biased;
        () = stopped => drop(messages.send(Message::Completed).await),
        Err(Gone) = published => {}
    }
}

struct Publisher<P> {
    shared: Arc<Shared<P>>,
    user: Arc<str>,
    policy: Policy,
    messages: mpsc::Sender<Message>,
    /// The subscriber was told that nothing comes for now.
    hindered: Option<Hindrance>,
}

impl<P: Provider> Publisher<P> {
    async fn periodic(
        &mut self,
        period: Duration,
        anchor: Option<Timestamp>,
    ) -> Result<std::convert::Infallible, Gone> {
        let mut times = Periodic::new(period, anchor, Timestamp::now(), Instant::now());
        loop {
            sleep_until(times.due()).await;
            // A subscriber that is late gets what is there when it has room, until the next update is due.
            let Ok(room) = tokio::time::timeout_at(times.expires(), self.room()).await else {
                self.room().await?;
                self.hindered(Hindrance::UnsupportableVolume).await?;
                times.next(Instant::now());
                continue;
            };
            room?;
            match self.look(true).await {
                Ok(Look { visible, incomplete, .. }) => self.send(Content::Whole(visible), incomplete).await?,
                Err(hindrance) => self.hindered(hindrance).await?,
            }
            times.next(Instant::now());
        }
    }

    async fn on_change(
        &mut self,
        dampening: Duration,
        sync_on_start: bool,
        excluded: &[Operation],
        resync: &Notify,
        begun: oneshot::Sender<()>,
    ) -> Result<std::convert::Infallible, Gone> {
        let mut changes = Changes::of(&self.shared, &self.policy);
        let mut pace = Dampened::new(dampening);
        let mut patch_ids = PatchIds::default();
        let mut last: Option<Tree> = None;
        let mut looked_at: Option<(Tree, Arc<UserAccess>)> = None;
        let mut whole = sync_on_start;
        // Where it does not begin with all, what there was before must be known before it can change.
        let mut begun = Some(begun).filter(|_| !sync_on_start);
        pace.changed(Instant::now());
        loop {
            let due = async {
                match pace.due() {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changes.next() => {
                    pace.changed(Instant::now());
                    continue;
                }
                // A resynchronization is asked for, and does not wait for the dampening period.
                () = resync.notified() => whole = true,
                () = due => {}
            }
            // What changes until the subscriber has room goes into this update.
            self.room().await?;
            if !whole && let (Some((tree, access)), Some(source)) = (&looked_at, self.configuration()) {
                let same = Arc::ptr_eq(access, &self.access())
                    && diff(tree, &source).iter().all(|edit| !self.policy.selection.reaches(edit.node()));
                if same {
                    pace.looked(Instant::now(), false);
                    continue;
                }
            }
            let Look { source, access, visible, incomplete } = match self.look(whole).await {
                Ok(seen) => seen,
                Err(hindrance) => {
                    self.hindered(hindrance).await?;
                    pace.looked(Instant::now(), false);
                    continue;
                }
            };
            let now = Instant::now();
            if incomplete && !whole {
                // What is missing is not gone: it will be in the next update.
                pace.put_off(now + ASK_AGAIN);
                continue;
            }
            let content = match &last {
                _ if whole => Some(Content::Whole(visible.clone())),
                None => None,
                Some(last) => match changes_between(last, &visible, excluded) {
                    Ok(edits) if edits.is_empty() => None,
                    Ok(edits) if edits.len() > MAX_EDITS && sync_on_start => {
                        whole = true;
                        pace.changed(now);
                        continue;
                    }
                    Ok(edits) => Some(Content::Changes { patch_id: patch_ids.take(), edits: edits.into() }),
                    Err(yang_patch::NoTarget) if sync_on_start => {
                        whole = true;
                        pace.changed(now);
                        continue;
                    }
                    // It must not be sent all of it, and part of it cannot be named.
                    Err(yang_patch::NoTarget) => {
                        Some(Content::Changes { patch_id: patch_ids.take(), edits: Arc::default() })
                    }
                },
            };
            let unnamed = matches!(&content, Some(Content::Changes { edits, .. }) if edits.is_empty());
            if whole {
                patch_ids.restart();
            }
            whole = false;
            last = Some(visible);
            looked_at = Some((source, access));
            drop(begun.take());
            pace.looked(now, content.is_some());
            if incomplete {
                pace.put_off(now + ASK_AGAIN);
            }
            if let Some(content) = content {
                self.send(content, incomplete || unnamed).await?;
            }
        }
    }

    /// The datastore, where reading it asks nobody.
    fn configuration(&self) -> Option<Tree> {
        match self.policy.datastore {
            Named::Writable(datastore) => Some(self.shared.datastores.read(datastore)),
            Named::Intended => Some(self.shared.datastores.read(Datastore::Running)),
            Named::Operational => None,
        }
    }

    fn access(&self) -> Arc<UserAccess> {
        self.shared.access(&self.shared.datastores.version(), &self.user)
    }

    async fn look(&self, measure: bool) -> Result<Look, Hindrance> {
        let access = self.access();
        let (source, incomplete) = content::read(&self.shared, &self.policy).await.map_err(|error| {
            tracing::error!(%error, user = %self.user, "a push update cannot be made");
            Hindrance::InsufficientResources
        })?;
        let viewer = Viewer::new(&self.shared, access.clone(), &self.policy);
        let seen = viewer.look(source.clone(), measure).await.map_err(|error| {
            tracing::warn!(%error, user = %self.user, "the filter of a push subscription fails");
            Hindrance::InsufficientResources
        })?;
        if !seen.fits {
            return Err(Hindrance::UpdateTooBig);
        }
        Ok(Look { source, access, visible: seen.visible, incomplete })
    }

    async fn send(&mut self, content: Content, incomplete: bool) -> Result<(), Gone> {
        let time = crate::server::now();
        if self.hindered.take().is_some() {
            self.tell(Message::Able).await?;
        }
        self.tell(Message::Update(Update { time, content, incomplete })).await
    }

    async fn hindered(&mut self, hindrance: Hindrance) -> Result<(), Gone> {
        if self.hindered.is_none() {
            self.hindered = Some(hindrance);
            self.tell(Message::Hindered(hindrance)).await?;
        }
        Ok(())
    }

    /// Waits until the session has taken what it was told.
    async fn room(&self) -> Result<(), Gone> {
        self.messages.reserve().await.map(drop).map_err(|_| Gone)
    }

    async fn tell(&self, message: Message) -> Result<(), Gone> {
        self.messages.send(message).await.map_err(|_| Gone)
    }
}

/// One look at the datastore.
struct Look {
    source: Tree,
    access: Arc<UserAccess>,
    visible: Tree,
    incomplete: bool,
}

fn changes_between(old: &Tree, new: &Tree, excluded: &[Operation]) -> Result<Vec<PatchEdit>, yang_patch::NoTarget> {
    let mut edits = yang_patch::edits(&diff(old, new), new)?;
    edits.retain(|edit| !excluded.contains(&edit.operation));
    Ok(edits)
}

/// Whatever can change what a subscriber sees of a datastore: its versions, and running, which has the access rules.
struct Changes {
    versions: watch::Receiver<()>,
    running: watch::Receiver<()>,
    state: Option<Arc<Interest>>,
}

impl Changes {
    fn of<P: Provider>(shared: &Shared<P>, policy: &Policy) -> Changes {
        let datastore = match policy.datastore {
            Named::Writable(datastore) => datastore,
            Named::Intended | Named::Operational => Datastore::Running,
        };
        let state = (policy.datastore == Named::Operational).then(|| shared.hub.register(policy.selection.clone()));
        Changes {
            versions: shared.datastores.watch(datastore),
            running: shared.datastores.watch(Datastore::Running),
            state,
        }
    }

    /// Waits for a change. Cancelled, it has lost nothing.
    async fn next(&mut self) {
        let state = async {
            match &self.state {
                Some(interest) => interest.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.versions.changed() => changed.expect("the datastores are shared with this task"),
            changed = self.running.changed() => changed.expect("the datastores are shared with this task"),
            () = state => {}
        }
    }
}
