//! The journal: what comes back after a crash at any point, and what is refused.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn state(directory: &TempDir) -> StateDirectory {
    StateDirectory::open(directory.path()).unwrap()
}

fn open(directory: &TempDir) -> Result<(Journal, Recovered), JournalError> {
    Journal::open(&state(directory))
}

/// The state that a recovery yields, in a model where a checkpoint is its records, each ended by a newline.
fn lines(recovered: &Recovered) -> Vec<String> {
    let checkpoint = String::from_utf8(recovered.checkpoint.clone().unwrap_or_default()).unwrap();
    let records = recovered.records.iter().map(|record| String::from_utf8(record.clone()).unwrap());
    checkpoint.lines().map(str::to_owned).chain(records).collect()
}

fn content(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|i| format!("record {i}")).collect()
}

fn add(journal: &mut Journal, lines: &[String]) {
    lines.iter().for_each(|line| journal.append(line.as_bytes()).unwrap());
    journal.commit().unwrap();
}

fn copy(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn names(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A directory with a checkpoint of three records, and three more in the journal.
fn six_records() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory).unwrap();
    add(&mut journal, &numbers(1..=3));
    assert!(journal.checkpoint(&content(&numbers(1..=3))).unwrap());
    add(&mut journal, &numbers(4..=4));
    add(&mut journal, &numbers(5..=6));
    directory
}

#[test]
fn a_new_directory_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(open(&directory).unwrap().1, Recovered::default());
    assert_eq!(open(&directory).unwrap().1, Recovered::default());
}

#[test]
fn committed_records_come_back_and_others_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory).unwrap();
    add(&mut journal, &numbers(1..=2));
    journal.append(b"never committed").unwrap();
    drop(journal);
    let (mut journal, recovered) = open(&directory).unwrap();
    assert_eq!(lines(&recovered), numbers(1..=2));
    add(&mut journal, &numbers(3..=3));
    drop(journal);
    assert_eq!(lines(&open(&directory).unwrap().1), numbers(1..=3));
}

#[test]
fn a_checkpoint_takes_the_place_of_the_records_before_it() {
    let directory = six_records();
    assert_eq!(names(&directory), ["lock", "running.checkpoint", "running.journal.00000000000000000003"]);
    let (mut journal, recovered) = open(&directory).unwrap();
    assert_eq!(recovered.checkpoint, Some(content(&numbers(1..=3))));
    assert_eq!(recovered.records, [b"record 4", b"record 5", b"record 6"]);
    // Twice without a record between, and of nothing at all, are no special cases.
    assert!(journal.checkpoint(&content(&numbers(1..=6))).unwrap());
    assert!(journal.checkpoint(&content(&numbers(1..=6))).unwrap());
    drop(journal);
    assert_eq!(lines(&open(&directory).unwrap().1), numbers(1..=6));
}

#[test]
fn two_cannot_open_one_directory() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory).unwrap();
    assert!(matches!(StateDirectory::open(directory.path()), Err(RecordError::InUse { .. })));
    drop(journal);
    open(&directory).unwrap();
}

#[test]
fn a_crash_at_any_step_of_a_checkpoint_leaves_the_same_state() {
    let directory = six_records();
    let path = directory.path();
    let all = numbers(1..=8);
    let (mut journal, _) = open(&directory).unwrap();
    journal.append(all[6].as_bytes()).unwrap();
    let mut crashes = vec![(copy(path), 6)];
    let checkpoint = journal.begin_checkpoint().unwrap().unwrap();
    assert!(journal.begin_checkpoint().unwrap().is_none(), "one at a time");
    crashes.push((copy(path), 7));
    add(&mut journal, &all[7..]);
    crashes.push((copy(path), 8));
    let written = checkpoint.write(&content(&all[..7])).unwrap();
    // Renamed or not, and the temporary file of any length.
    crashes.push((copy(path), 8));
    let checkpoint = fs::read(path.join(CHECKPOINT_NAME)).unwrap();
    for length in 0..=checkpoint.len() {
        let crash = copy(crashes[2].0.path());
        fs::write(crash.path().join("running.checkpoint.new"), &checkpoint[..length]).unwrap();
        crashes.push((crash, 8));
    }
    journal.finish_checkpoint(written).unwrap();
    crashes.push((copy(path), 8));
    for (crash, count) in &crashes {
        for _ in 0..2 {
            // A start that crashes at once must not have removed what the next one needs.
            assert_eq!(lines(&open(crash).unwrap().1), all[..*count], "{:?}", names(crash));
            let (mut journal, recovered) = open(crash).unwrap();
            assert_eq!(lines(&recovered), all[..*count], "{:?}", names(crash));
            // And it goes on from there, through the next checkpoint.
            assert!(journal.checkpoint(&content(&all[..*count])).unwrap());
        }
        assert_eq!(names(crash).iter().filter(|name| name.contains("journal")).count(), 1);
    }
}

#[test]
fn a_checkpoint_that_fails_costs_nothing_and_is_not_tried_at_once_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory).unwrap();
    let big = "x".repeat(SMALL_JOURNAL as usize / 2);
    let mut all = Vec::new();
    let mut grow = |journal: &mut Journal| {
        all.extend([big.clone(), big.clone(), "y".into()]);
        add(journal, &all[all.len() - 3..]);
        all.clone()
    };
    grow(&mut journal);
    assert!(journal.wants_checkpoint());
    let checkpoint = journal.begin_checkpoint().unwrap();
    assert!(!journal.wants_checkpoint(), "while one is under way");
    drop(checkpoint);
    assert!(!journal.wants_checkpoint(), "just after one was given up");
    let obstacle = directory.path().join("running.checkpoint.new");
    fs::create_dir(&obstacle).unwrap();
    let now = grow(&mut journal);
    assert!(journal.wants_checkpoint());
    let error = journal.checkpoint(&content(&now)).unwrap_err().to_string();
    assert!(error.contains("running.checkpoint.new"), "{error}");
    let now = grow(&mut journal);
    drop(journal);
    let (mut journal, recovered) = open(&directory).unwrap();
    assert_eq!(lines(&recovered), now);
    fs::remove_dir(obstacle).unwrap();
    assert!(journal.wants_checkpoint());
    assert!(journal.checkpoint(&content(&now)).unwrap());
    assert!(!journal.wants_checkpoint());
    drop(journal);
    assert_eq!(lines(&open(&directory).unwrap().1), now);
    assert_eq!(names(&directory).len(), 3);
}

#[test]
fn a_full_disk_applies_nothing_by_halves() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory).unwrap();
    add(&mut journal, &numbers(1..=1));
    let room = journal.current.committed() + 30;
    journal.current.fault.full_at = Some(room);
    numbers(2..=5).iter().for_each(|line| journal.append(line.as_bytes()).unwrap());
    let error = journal.commit().unwrap_err().to_string();
    assert!(error.contains("free space"), "{error}");
    assert_eq!(lines(&open(&copy(directory.path())).unwrap().1), numbers(1..=1));
    journal.current.fault.full_at = None;
    add(&mut journal, &numbers(2..=3));
    drop(journal);
    assert_eq!(lines(&open(&directory).unwrap().1), numbers(1..=3));
}

#[test]
fn a_failed_sync_stops_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(&directory).unwrap();
    journal.current.fault.sync_fails = true;
    journal.append(b"unsure").unwrap();
    journal.commit().unwrap_err();
    journal.current.fault.sync_fails = false;
    assert!(matches!(journal.append(b"more"), Err(RecordError::Poisoned { .. })));
    assert!(matches!(journal.checkpoint(b""), Err(RecordError::Poisoned { .. })));
}

#[test]
fn a_file_that_is_missing_or_of_another_time_is_an_error() {
    let earlier = six_records();
    let directory = copy(earlier.path());
    let (mut journal, _) = open(&directory).unwrap();
    let _ = journal.begin_checkpoint().unwrap();
    add(&mut journal, &numbers(7..=7));
    let begun = copy(directory.path());
    journal.checkpoint(&content(&numbers(1..=7))).unwrap();
    drop(journal);

    let expect = |what: &dyn Fn(&Path), from: &TempDir, reason: &str| {
        let crash = copy(from.path());
        what(crash.path());
        let error = open(&crash).unwrap_err().to_string();
        assert!(error.contains(reason) && !error.contains('\n'), "{error}");
        assert!(error.contains(&crash.path().display().to_string()), "{error}");
    };
    let remove = |name: &'static str| move |path: &Path| fs::remove_file(path.join(name)).unwrap();
    let take = |name: &'static str, from: &TempDir| {
        let from = from.path().join(name);
        move |path: &Path| fs::copy(&from, path.join(name)).map(drop).unwrap()
    };
    expect(&remove("running.checkpoint"), &directory, "record 1 is in no file");
    expect(&remove("running.journal.00000000000000000007"), &directory, "no journal file");
    expect(&remove("running.journal.00000000000000000003"), &begun, "record 4 is in no file");
    expect(&take("running.checkpoint", &earlier), &directory, "record 4 is in no file");
    expect(&take("running.checkpoint", &directory), &earlier, "holds record 7 and the journal ends with 6");
    let rename = |path: &Path| {
        fs::rename(path.join(format!("{JOURNAL_PREFIX}{:020}", 7)), path.join(format!("{JOURNAL_PREFIX}{:020}", 6)))
            .unwrap();
    };
    expect(&rename, &directory, "its name ends in 7");
}

#[test]
fn an_unfinished_append_is_noted() {
    let directory = six_records();
    let path = directory.path().join("running.journal.00000000000000000003");
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 2);
    fs::write(&path, bytes).unwrap();
    let (_, recovered) = open(&directory).unwrap();
    assert_eq!(lines(&recovered), numbers(1..=5));
    let note = recovered.note.unwrap();
    assert!(note.contains("unfinished append") && note.contains(&path.display().to_string()), "{note}");
}

/// Not a test of its own: the child of the next one, which appends and says so until it is killed.
#[test]
fn appends_until_it_is_killed() {
    let Some(path) = std::env::var_os("JOURNAL_TEST_DIRECTORY") else { return };
    let (mut journal, recovered) = Journal::open(&StateDirectory::open(path).unwrap()).unwrap();
    let mut all = lines(&recovered);
    loop {
        let from = all.len();
        for _ in 0..1 + from % 3 {
            all.push(format!("record {}", all.len() + 1));
        }
        add(&mut journal, &all[from..]);
        println!("acknowledged {}", all.len());
        std::io::stdout().flush().unwrap();
        if all.len().is_multiple_of(7) {
            journal.checkpoint(&content(&all)).unwrap();
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "server::journal::tests::appends_until_it_is_killed"])
            .env("JOURNAL_TEST_DIRECTORY", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..10 + 7 * round {
            let line =
                output.by_ref().map(Result::unwrap).find(|line| line.contains("acknowledged")).expect("child lives");
            acknowledged = line.rsplit(' ').next().unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (_, recovered) = open(&directory).unwrap();
        let there = lines(&recovered);
        assert!(there.len() >= acknowledged, "{} of {acknowledged}", there.len());
        assert_eq!(there, numbers(1..=there.len() as u32));
    }
    assert!(acknowledged > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_after_an_acknowledged_commit_nothing_of_it_is_lost(sizes in prop::collection::vec(0..200usize, 1..6), cut in any::<prop::sample::Index>()) {
        let directory = six_records();
        let (mut journal, _) = open(&directory).unwrap();
        let acknowledged = journal.current.committed();
        let mut all = numbers(1..=6);
        all.extend(sizes.iter().map(|&size| "z".repeat(size)));
        add(&mut journal, &all[6..]);
        let cut = acknowledged + cut.index((journal.current.committed() - acknowledged + 1) as usize) as u64;
        File::options().write(true).open(journal.current.path()).unwrap().set_len(cut).unwrap();
        drop(journal);
        let there = lines(&open(&directory).unwrap().1);
        prop_assert!(there.len() >= 6);
        prop_assert_eq!(&there[..], &all[..there.len()]);
    }

    #[test]
    fn a_flipped_byte_never_gives_wrong_data(checkpoint in any::<bool>(), at in any::<prop::sample::Index>(), bits in 1u8..) {
        let directory = six_records();
        let name = if checkpoint { CHECKPOINT_NAME } else { "running.journal.00000000000000000003" };
        let path = directory.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        fs::write(&path, &bytes).unwrap();
        match open(&directory) {
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains(&path.display().to_string()) && !error.contains('\n'), "{}", error);
            }
            Ok((_, recovered)) => {
                // Only the last record can pass for an append that was never acknowledged.
                prop_assert!(!checkpoint && at >= bytes.len() - 24 && recovered.note.is_some());
                prop_assert_eq!(lines(&recovered), numbers(1..=5));
            }
        }
    }
}
