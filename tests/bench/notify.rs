//! Notifications to subscribers: how many a second arrive at all of them together.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::session::{Login, Outcome, Session};
use crate::{MEASUREMENT_LIMIT, Target, counter, edit, print};

/// Notifications that a device may be ahead of its slowest subscriber: what it sends is delivered soon, and the end of a
/// measurement is not the reading of what has piled up.
const AHEAD: u64 = 4096;
/// Lines written into the FIFO at once.
const LINES: u64 = 64;
/// How often a device that is far enough ahead looks again.
const LOOK: Duration = Duration::from_millis(1);
/// Notifications after which a subscriber that never reads takes nothing more: three times what the buffers on the way to it were seen to
/// hold.
const TO_FILL: u64 = 64_000;
/// Measurements with and without a subscriber that never reads.
const TURNS: u32 = 5;
/// Sessions that change configuration at once.
const EDITORS: usize = 8;
/// What has not arrived when nothing has for so long is lost.
const QUIET: Duration = Duration::from_secs(2);

/// Subscribers that read as fast as they can.
struct Readers(Vec<Reader>);

struct Reader {
    received: Arc<AtomicU64>,
    reading: JoinHandle<()>,
}

impl Readers {
    /// `count` subscribers that count the messages with `mark` in them.
    async fn open(login: &Login, count: usize, mark: &'static str) -> Outcome<Readers> {
        let mut readers = Vec::with_capacity(count);
        for _ in 0..count {
            let mut session = subscribed(login).await?;
            let received = Arc::new(AtomicU64::new(0));
            let counted = received.clone();
            let reading = tokio::spawn(async move {
                let mut next = 0;
                loop {
                    if let Err(error) = session.message().await {
                        eprintln!("load: a subscriber: {error}");
                        return;
                    }
                    let head = session.head();
                    if !head.contains(mark) {
                        continue;
                    }
                    // What a device sends is numbered, in each measurement from 0.
                    if let Some(number) = number(&head) {
                        if number != 0 && number != next {
                            eprintln!("load: {number} came where {next} was to come");
                            return;
                        }
                        next = number + 1;
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
            readers.push(Reader { received, reading });
        }
        Ok(Readers(readers))
    }

    fn counters(&self) -> Vec<Arc<AtomicU64>> {
        self.0.iter().map(|reader| reader.received.clone()).collect()
    }

    fn received(&self) -> u64 {
        self.0.iter().map(|reader| reader.received.load(Ordering::Relaxed)).sum()
    }

    /// Waits until so many have arrived in all, or no more do. When the last one came, within a millisecond.
    async fn await_total(&self, total: u64) -> Instant {
        let (mut seen, mut last) = (self.received(), Instant::now());
        while seen < total && last.elapsed() < QUIET {
            tokio::time::sleep(LOOK).await;
            let now = self.received();
            if now > seen {
                (seen, last) = (now, Instant::now());
            }
        }
        last
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for Reader { reading, .. } in &self.0 {
            reading.abort();
        }
    }
}

fn number(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("<number>")?;
    rest.split_once('<')?.0.parse().ok()
}

async fn subscribed(login: &Login) -> Outcome<Session> {
    let mut session = Session::open(login).await?;
    session.call(r#"<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>"#).await?;
    Ok(session)
}

/// netconf-config-change (RFC 6470), one for each edit of sessions that edit as fast as they can.
pub async fn changes(login: &Login, target: Target, span: Duration) -> Outcome {
    for count in [1, 10, 100] {
        let readers = Readers::open(login, count, "<netconf-config-change").await?;
        let mut editors = Vec::new();
        for _ in 0..EDITORS {
            editors.push(Session::open(login).await?);
        }
        let start = Instant::now();
        let mut editing = tokio::task::JoinSet::new();
        for (number, mut session) in editors.into_iter().enumerate() {
            editing.spawn(async move {
                let mut edits = 0;
                while start.elapsed() < span {
                    // Another value than the last time, that of the measurement before included.
                    edit(&mut session, target, &counter(number, (count * 10_000_000) as u32 + edits)).await?;
                    edits += 1;
                }
                session.close().await?;
                Outcome::Ok(u64::from(edits))
            });
        }
        let mut edits = 0;
        while let Some(edited) = editing.join_next().await {
            edits += edited??;
        }
        let wanted = edits * count as u64;
        let last = tokio::time::timeout(MEASUREMENT_LIMIT, readers.await_total(wanted))
            .await
            .unwrap_or_else(|_| Instant::now());
        let received = readers.received();
        print(&format!("changes-{count}"), received as f64 / (last - start).as_secs_f64(), "1/s");
        print(&format!("changes-{count}-arrived"), 100.0 * received as f64 / wanted as f64, "%");
    }
    Ok(())
}

/// What a device sends through a FIFO, as fast as its subscribers take it; and the same beside a subscriber that never reads.
pub async fn feed(login: &Login, fifo: &Path, span: Duration) -> Outcome {
    for count in [1, 10, 100] {
        let readers = Readers::open(login, count, "<tick").await?;
        print(&format!("feed-{count}"), fed(&readers, fifo, span, u64::MAX).await?, "1/s");
    }
    let readers = Readers::open(login, 9, "<tick").await?;
    let (mut alone, mut beside) = (0.0, 0.0);
    // By turns, because the machine is faster at one time than at another.
    for _ in 0..TURNS {
        alone += fed(&readers, fifo, span / 2, u64::MAX).await?;
        let never_read = subscribed(login).await?;
        fed(&readers, fifo, MEASUREMENT_LIMIT, TO_FILL).await?;
        beside += fed(&readers, fifo, span / 2, u64::MAX).await?;
        drop(never_read);
    }
    print("feed-9-beside-one-that-never-reads", beside / f64::from(TURNS), "1/s");
    print("feed-9-ratio", beside / alone, "");
    Ok(())
}

/// Feeds for so long or so many, and waits until all has arrived everywhere: how many a second arrived in all.
async fn fed(readers: &Readers, fifo: &Path, span: Duration, most: u64) -> Outcome<f64> {
    let fifo = OpenOptions::new().write(true).open(fifo)?;
    let counters = readers.counters();
    let before = readers.received();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let start = Instant::now();
    let feeding = tokio::task::spawn_blocking(move || write_ticks(fifo, &counters, &stopped, start + span, most));
    let sent = match tokio::time::timeout(span + MEASUREMENT_LIMIT, feeding).await {
        Ok(sent) => sent??,
        Err(_) => {
            stop.store(true, Ordering::Relaxed);
            return Err("the subscribers do not get what is fed".into());
        }
    };
    let wanted = before + sent * readers.0.len() as u64;
    let last = readers.await_total(wanted).await;
    let received = readers.received();
    if received != wanted {
        return Err(format!("{} notifications of {} have not arrived", wanted - received, wanted - before).into());
    }
    Ok((received - before) as f64 / (last - start).as_secs_f64())
}

/// How many were written.
fn write_ticks(
    mut fifo: std::fs::File,
    readers: &[Arc<AtomicU64>],
    stop: &AtomicBool,
    end: Instant,
    most: u64,
) -> std::io::Result<u64> {
    let begun: Vec<u64> = readers.iter().map(|reader| reader.load(Ordering::Relaxed)).collect();
    let slowest = || {
        let received = readers.iter().zip(&begun).map(|(reader, begun)| reader.load(Ordering::Relaxed) - begun);
        received.min().unwrap_or(u64::MAX)
    };
    let mut sent = 0;
    while sent < most && Instant::now() < end && !stop.load(Ordering::Relaxed) {
        if sent + LINES > slowest().saturating_add(AHEAD) {
            std::thread::sleep(LOOK);
            continue;
        }
        let lines: String = (sent..sent + LINES).map(tick).collect();
        fifo.write_all(lines.as_bytes())?;
        sent += LINES;
    }
    Ok(sent)
}

fn tick(number: u64) -> String {
    format!(
        "{{\"notification\":{{\"bench:tick\":{{\"number\":{number},\"text\":\"What stands here makes the \
         notification as long as one of a real device is, about.\"}}}}}}\n"
    )
}
