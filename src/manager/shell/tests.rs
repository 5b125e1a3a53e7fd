//! What the shell makes of what a brain decides, with a store that can fail.

use std::sync::Mutex;

use super::double::MemoryStore;
use super::*;
use crate::connection::Pace;
use crate::schema::device_schema;

const DEADLINE: Duration = Duration::from_secs(60);

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

/// A shell around a brain that remembers what it was told.
struct Fixture {
    inputs: Inputs,
    store: Arc<MemoryStore>,
    told: Arc<Mutex<Vec<String>>>,
    notifications: mpsc::Receiver<Notification>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

fn changed(device: &str) -> Notification {
    use crate::model::ConnectionState::{Connecting, Disabled};
    Notification::DeviceState { device: device.into(), old: Disabled, new: Connecting, reason: None }
}

/// Forgets and tells of each device that is lost, answers requests by their number, and has a device read that is not there.
fn brain(input: Input) -> Vec<Effect> {
    match input {
        Input::Lost { device, .. } => {
            // In the wrong order on purpose.
            vec![Effect::Notify(Box::new(changed(&device))), Effect::Store(Record::DeviceForgotten(device))]
        }
        Input::Gap { device, .. } => vec![Effect::Synchronize { device }],
        Input::Diagnosed { .. } | Input::Controlled { .. } | Input::Tick => Vec::new(),
        Input::Request { request: Request::RootCause { alarm_id }, .. } if alarm_id == "none" => Vec::new(),
        Input::Request { number, .. } => {
            vec![Effect::Answer { number, answer: Ok(Answer::Count(number as u32)) }]
        }
        _ => Vec::new(),
    }
}

impl Fixture {
    fn start(first: Vec<Effect>) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let (inputs, queue) = Inputs::channel();
        let (shutdown, store) = (CancellationToken::new(), Arc::new(MemoryStore::default()));
        let devices =
            Devices::new(device_schema(), directory.path(), inputs.clone(), &[], Pace::default(), shutdown.clone());
        let (sender, notifications) = mpsc::channel(16);
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let handle = move |input: Input, _: Timestamp| {
            heard.lock().unwrap().push(format!("{input:?}"));
            brain(input)
        };
        let task = start(handle, first, queue, store.clone(), devices.unwrap(), sender, shutdown.clone());
        Fixture { inputs, store, told, notifications, shutdown, task, _directory: directory }
    }

    async fn lose(&self, device: &str) {
        self.inputs.send(Input::Lost { device: device.into(), error: String::new() }).await.unwrap();
    }

    async fn until(&self, told: impl Fn(&str) -> bool) {
        in_time(async {
            while !self.told.lock().unwrap().iter().any(|input| told(input)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn records_are_durable_before_anyone_hears_of_them() {
    let first =
        vec![Effect::Notify(Box::new(changed("first"))), Effect::Store(Record::DeviceForgotten("first".into()))];
    let mut fixture = Fixture::start(first);
    assert_eq!(in_time(fixture.notifications.recv()).await.unwrap(), changed("first"));
    assert_eq!(fixture.store.written(), [Record::DeviceForgotten("first".into())]);
    for number in 0..10 {
        fixture.lose(&number.to_string()).await;
        let heard = in_time(fixture.notifications.recv()).await.unwrap();
        assert_eq!(heard, changed(&number.to_string()));
        assert_eq!(fixture.store.written().last().unwrap(), &Record::DeviceForgotten(number.to_string()));
    }
}

#[tokio::test]
async fn each_request_gets_its_own_answer_and_ticks_come() {
    let fixture = Fixture::start(Vec::new());
    let ask = |id: &str| fixture.inputs.request(Request::RootCause { alarm_id: id.into() });
    let (a, b) = in_time(async { tokio::join!(ask("1"), ask("2")) }).await;
    assert_eq!((a, b), (Ok(Answer::Count(1)), Ok(Answer::Count(2))));
    fixture.until(|input| input == "Tick").await;
    // What is asked of a device that is not there is answered all the same.
    fixture.inputs.send(Input::Gap { device: "gone".into(), lost: 1 }).await.unwrap();
    fixture.until(|input| input.starts_with("NotSynchronized") && input.contains("no managed device")).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_refused_in_time() {
    let fixture = Fixture::start(Vec::new());
    let refused = fixture.inputs.request(Request::RootCause { alarm_id: "none".into() }).await;
    assert!(matches!(refused, Err(Refusal::Failed(ref why)) if why.contains("no answer within 60 s")), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_loses_nothing_and_holds_everyone_back() {
    let mut fixture = Fixture::start(Vec::new());
    fixture.until(|input| input == "Tick").await;
    fixture.store.full.store(true, Ordering::SeqCst);
    fixture.lose("0").await;
    let handled =
        |fixture: &Fixture| fixture.told.lock().unwrap().iter().filter(|input| input.starts_with("Lost")).count();
    while fixture.store.refused.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // One more than the queue holds waits.
    let inputs = fixture.inputs.clone();
    let mut telling = tokio::spawn(async move {
        for number in 1..=INPUTS + 1 {
            inputs.send(Input::Lost { device: number.to_string(), error: String::new() }).await.unwrap();
        }
    });
    let waits = tokio::time::timeout(Duration::from_secs(5), &mut telling).await;
    assert!(waits.is_err(), "nobody was held back");
    assert_eq!(handled(&fixture), 1, "the brain went on without the store");
    assert!(fixture.notifications.try_recv().is_err(), "told what is not durable");
    let refused = fixture.inputs.request(Request::RootCause { alarm_id: "1".into() }).await;
    assert!(
        matches!(refused, Err(Refusal::Failed(ref why)) if why.contains("its store cannot be written")),
        "{refused:?}"
    );
    fixture.store.full.store(false, Ordering::SeqCst);
    for number in 0..=INPUTS + 1 {
        assert_eq!(in_time(fixture.notifications.recv()).await.unwrap(), changed(&number.to_string()));
    }
    telling.await.unwrap();
    assert_eq!(fixture.store.written().len(), INPUTS + 2);
    let answered = fixture.inputs.request(Request::RootCause { alarm_id: "1".into() }).await;
    assert!(answered.is_ok(), "{answered:?}");
}

#[tokio::test]
async fn what_was_told_before_the_end_is_kept() {
    let fixture = Fixture::start(Vec::new());
    fixture.until(|input| input == "Tick").await;
    let (kept, told) = tokio::join!(fixture.inputs.keep(vec![Record::DeviceForgotten("k".into())]), async {
        fixture.lose("a").await;
        fixture.shutdown.cancel();
    });
    assert_eq!((kept, told), (Ok(()), ()));
    in_time(fixture.task).await.unwrap();
    assert_eq!(fixture.store.written().len(), 2);
    assert_eq!(fixture.inputs.send(Input::Tick).await, Err(Stopped));
}
