//! A collector against a device over loopback SSH, with a store in memory.

use super::*;
use crate::connection::Pace;
use crate::connection::double::{Double, in_time, module_schema};
use crate::record::FinishedInterval;
use crate::schema::device_schema;
use crate::shell::double::MemoryStore;
use crate::shell::{Inputs, Told};

fn page(starts: &[&str], more: bool) -> String {
    let interval = |start: &&str| {
        format!(
            "<interval xmlns=\"urn:qkdn:yang:qkdn-performance\"><target>urn:l:1</target><type>qber</type><unit>percent</unit>\
             <start-time>{start}</start-time><elapsed>900</elapsed><mean>1.25</mean><validity>complete</validity></interval>"
        )
    };
    let intervals: String = starts.iter().map(interval).collect();
    format!("{intervals}<more xmlns=\"urn:qkdn:yang:qkdn-performance\">{more}</more>")
}

const PERFORMANCE: &str = "<qkd-module xmlns=\"urn:qkdn:yang:qkdn-mq\" xmlns:p=\"urn:qkdn:yang:qkdn-performance\">
  <state><module-id>urn:m:1</module-id></state><resource><resource-id>urn:l:1</resource-id></resource>
  <performance><information><type>p:qber</type><target>urn:l:1</target><unit>percent</unit>
    <current><value>1.5</value><time>2026-11-22T00:00:00Z</time><validity>complete</validity></current>
    <interval-15-minutes><start-time>2026-11-21T00:00:00Z</start-time><validity>complete</validity></interval-15-minutes>
  </information></performance></qkd-module>";

#[tokio::test]
async fn a_missed_sweep_is_made_up_for_and_nothing_is_asked_twice() {
    let directory = tempfile::tempdir().unwrap();
    let double = Double::start(directory.path(), module_schema()).await;
    double.behind().set_data(PERFORMANCE);
    let (inputs, mut queue) = Inputs::channel();
    let (shutdown, store) = (CancellationToken::new(), Arc::new(MemoryStore::default()));
    let devices =
        Devices::new(device_schema(), directory.path(), inputs.clone(), &[], Pace::default(), shutdown.clone());
    let devices = devices.unwrap();
    devices.set(vec![double.plan("a")]);
    // Stands for the shell.
    let kept = store.clone();
    let (collected, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let shell = tokio::spawn(async move {
        while let Some(told) = queue.next().await {
            match told {
                Told::Keep(records, Some(durable)) => {
                    kept.write(records).await.unwrap();
                    durable.send(()).unwrap();
                }
                Told::Input(Input::Collected { device, information }) => collected.send((device, information)).unwrap(),
                _ => {}
            }
        }
    });
    in_time(async {
        while devices.operational().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;

    let pages = [
        page(&["2026-11-22T00:00:00Z", "2026-11-22T00:15:00Z"], true),
        page(&["2026-11-22T00:30:00Z"], false),
        page(&[], false),
    ];
    double.behind().set_output(&pages.each_ref().map(String::as_str));
    let mut collector =
        Collector { devices: devices.clone(), store: store.clone(), inputs: inputs.clone(), histories: HashMap::new() };
    in_time(collector.sweep()).await.unwrap();
    let (device, information) = in_time(seen.recv()).await.unwrap();
    assert_eq!(device, "a");
    let one = &information[0];
    assert_eq!((one.target.as_str(), one.current.as_ref().unwrap().value), ("urn:l:1", Some(1.5)));
    assert_eq!((one.kind.as_str(), one.device.as_deref()), ("qkdn-performance:qber", Some("a")));
    let starts = |intervals: &[FinishedInterval]| {
        intervals.iter().map(|one| one.interval.start_time.to_string()).collect::<Vec<_>>()
    };
    let written = store.intervals_written();
    assert_eq!(starts(&written), ["2026-11-22T00:00:00Z", "2026-11-22T00:15:00Z", "2026-11-22T00:30:00Z"]);
    assert_eq!(written[0].kind, "qkdn-performance:qber");
    assert_eq!((written[0].interval.mean, written[0].unit.as_str()), (Some(1.25), "percent"));
    let asked = double.behind().asked();
    assert_eq!(asked.len(), 3, "two pages of quarters, one of days: {asked:?}");
    assert!(!asked[0].contains("after") && asked[1].contains("2026-11-22T00:15:00"), "{asked:?}");
    assert!(asked[2].contains("twenty-four-hours"), "{asked:?}");

    // Before an interval has ended there is nothing to ask for.
    let quarter = || (Timestamp::now().as_second() - AFTER_THE_END).div_euclid(900);
    let before = quarter();
    in_time(collector.sweep()).await.unwrap();
    assert!(double.behind().calls() == 3 || quarter() != before);
    // A collector that knows nothing goes on where the store ends.
    let mut restarted = Collector { devices, store, inputs, histories: HashMap::new() };
    in_time(restarted.sweep()).await.unwrap();
    let asked = double.behind().asked();
    assert!(asked[asked.len() - 2].contains("2026-11-22T00:30:00"), "{asked:?}");
    shutdown.cancel();
    shell.abort();
}
