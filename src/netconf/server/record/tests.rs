//! Record files: what comes back after a crash, what is refused, and what a full or failing disk does.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const KIND: Kind = *b"TEST";

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a file with one commit per inner list, and returns its length after each.
fn write(path: &Path, commits: &[Vec<Vec<u8>>]) -> Vec<u64> {
    let mut file = RecordFile::create(path, KIND, 7).unwrap();
    let mut lengths = vec![file.committed()];
    for records in commits {
        records.iter().for_each(|record| file.append(&[record]).unwrap());
        file.commit().unwrap();
        lengths.push(file.committed());
    }
    lengths
}

fn read(path: &Path) -> Result<(Vec<Vec<u8>>, Option<Torn>), RecordError> {
    let mut records = Vec::new();
    let (_, torn) = RecordFile::open(path, KIND, |_, payload| {
        records.push(payload.to_vec());
        Ok(())
    })?;
    Ok((records, torn))
}

fn message(error: RecordError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    text
}

#[test]
fn records_come_back_in_order_with_the_base() {
    let directory = directory();
    let path = directory.path().join("file");
    write(&path, &[vec![b"one".to_vec(), b"".to_vec()], vec![b"three".to_vec()]]);
    let (records, torn) = read(&path).unwrap();
    assert_eq!(records, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
    assert_eq!(torn, None);
    let (mut file, _) = RecordFile::open(&path, KIND, |_, _| Ok(())).unwrap();
    assert_eq!(file.base(), 7);
    file.append(&[b"fo", b"ur"]).unwrap();
    file.commit().unwrap();
    assert_eq!(read(&path).unwrap().0[3], b"four");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_committed_is_not_in_the_file() {
    let directory = directory();
    let path = directory.path().join("file");
    let mut file = RecordFile::create(&path, KIND, 0).unwrap();
    file.append(&[b"lost"]).unwrap();
    drop(file);
    assert_eq!(read(&path).unwrap(), (vec![], None));
}

#[test]
fn a_torn_tail_is_cut_off_once() {
    let directory = directory();
    let path = directory.path().join("file");
    let lengths = write(&path, &[vec![b"kept".to_vec()], vec![b"torn".to_vec()]]);
    File::options().write(true).open(&path).unwrap().set_len(lengths[2] - 1).unwrap();
    let (records, torn) = read(&path).unwrap();
    assert_eq!(records, [b"kept".to_vec()]);
    assert_eq!(torn, Some(Torn { offset: lengths[1], bytes: lengths[2] - 1 - lengths[1] }));
    assert_eq!(read(&path).unwrap().1, None);
}

#[test]
fn a_commit_of_which_a_sector_never_reached_the_disk_is_torn() {
    let directory = directory();
    let path = directory.path().join("file");
    let lengths = write(&path, &[vec![b"kept".to_vec()], vec![vec![b'x'; 300]; 8]]);
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0; SECTOR], SECTOR as u64).unwrap();
    let (records, torn) = read(&path).unwrap();
    assert!(records.len() < 3 && records[0] == b"kept", "{}", records.len());
    assert!(torn.is_some());

    // The same hole in a commit that another one follows is damage: the first was acknowledged.
    let again = write(&path, &[vec![b"kept".to_vec()], vec![vec![b'x'; 300]; 8], vec![b"later".to_vec()]]);
    assert_eq!(again[..3], lengths[..]);
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0; SECTOR], SECTOR as u64).unwrap();
    assert!(matches!(read(&path), Err(RecordError::Damaged { .. })));
}

#[test]
fn damage_names_file_and_byte_and_what_to_do() {
    let directory = directory();
    let path = directory.path().join("file");
    let lengths = write(&path, &[vec![b"one".to_vec()], vec![b"two".to_vec()], vec![b"three".to_vec()]]);
    let flip = |at: u64, bits: u8| {
        let mut bytes = fs::read(&path).unwrap();
        bytes[at as usize] ^= bits;
        fs::write(&path, bytes).unwrap();
    };
    flip(lengths[1] + 9, 1);
    let text = message(read(&path).unwrap_err());
    assert!(text.starts_with(&format!("{} is damaged at byte {}: ", path.display(), lengths[1])), "{text}");
    assert!(text.contains("restore it from a backup"), "{text}");
    flip(lengths[1] + 9, 1);

    flip(lengths[2] + 3, 0x40);
    let text = message(read(&path).unwrap_err());
    assert!(text.contains("claims"), "an over-long length is no torn tail: {text}");
    flip(lengths[2] + 3, 0x40);

    flip(3, 1);
    assert!(message(read(&path).unwrap_err()).contains("at byte 0"));
    flip(3, 1);
    assert_eq!(read(&path).unwrap().0.len(), 3);
}

#[test]
fn another_kind_or_version_is_refused() {
    let directory = directory();
    let path = directory.path().join("file");
    RecordFile::create(&path, *b"ELSE", 0).unwrap();
    assert!(message(read(&path).unwrap_err()).contains("of kind ELSE, not TEST"));
    let mut bytes = header(KIND, 0);
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    assert!(message(read(&path).unwrap_err()).contains("version 2"));
}

#[test]
fn a_full_disk_takes_nothing_and_later_all() {
    let directory = directory();
    let path = directory.path().join("file");
    let mut file = RecordFile::create(&path, KIND, 0).unwrap();
    file.append(&[b"kept"]).unwrap();
    file.commit().unwrap();
    file.fault.full_at = Some(file.committed() + 13);
    file.append(&[b"does not"]).unwrap();
    file.append(&[b"fit"]).unwrap();
    let text = message(file.commit().unwrap_err());
    assert!(text.contains("free space"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().len(), file.committed());
    file.fault.full_at = None;
    file.append(&[b"fits"]).unwrap();
    file.commit().unwrap();
    assert_eq!(read(&path).unwrap(), (vec![b"kept".to_vec(), b"fits".to_vec()], None));
}

#[test]
fn a_failed_sync_poisons() {
    let directory = directory();
    let path = directory.path().join("file");
    let mut file = RecordFile::create(&path, KIND, 0).unwrap();
    file.fault.sync_fails = true;
    file.append(&[b"unsure"]).unwrap();
    assert!(message(file.commit().unwrap_err()).contains("disk went away"));
    file.fault.sync_fails = false;
    assert!(message(file.append(&[b"more"]).unwrap_err()).contains("restart"));
    assert!(matches!(file.commit(), Err(RecordError::Poisoned { .. })));
    assert_eq!(read(&path).unwrap().0, Vec::<Vec<u8>>::new());
}

#[test]
fn a_device_that_takes_nothing_poisons() {
    let path = Path::new("/dev/full");
    let mut file = RecordFile::at(path, private().open(path).unwrap(), 0, 0);
    file.append(&[b"x"]).unwrap();
    assert!(message(file.commit().unwrap_err()).contains("cannot write /dev/full"));
    assert!(file.is_poisoned(), "it cannot be cut back");
}

#[test]
fn a_record_beyond_the_limit_is_refused() {
    let directory = directory();
    let mut file = RecordFile::create(&directory.path().join("file"), KIND, 0).unwrap();
    let part = vec![0; 1 << 20];
    let parts: Vec<&[u8]> = std::iter::repeat_n(&part[..], 256).collect();
    assert!(message(file.append(&parts).unwrap_err()).contains("268435456 bytes"));
    assert_eq!(file.pending(), 0);
}

#[test]
fn a_state_directory_has_one_user() {
    let directory = directory();
    let path = directory.path().join("a/state");
    let first = StateDirectory::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let text = message(StateDirectory::open(&path).unwrap_err());
    assert!(text.contains(&format!("state directory {} is in use by another process", path.display())), "{text}");
    let clone = first.clone();
    drop(first);
    assert!(StateDirectory::open(&path).is_err(), "a clone holds it");
    drop(clone);
    StateDirectory::open(&path).unwrap();
    fs::write(directory.path().join("plain"), "").unwrap();
    let text = message(StateDirectory::open(directory.path().join("plain")).unwrap_err());
    assert!(text.contains("choose the path of a directory"), "{text}");
}

#[test]
fn a_sealed_file_is_old_or_new() {
    let directory = directory();
    let path = directory.path().join("sealed");
    assert_eq!(read_sealed(&path, KIND).unwrap(), None);
    let length = write_sealed(&path, KIND, 3, b"old").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    let error = replace(&path, |file| {
        file.write_all(b"half")?;
        Err(io::ErrorKind::StorageFull.into())
    });
    assert!(message(error.unwrap_err()).contains("free space"));
    assert_eq!(read_sealed(&path, KIND).unwrap(), Some((3, b"old".to_vec())));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no half file stays");
    let big: Vec<u8> = (0..SEALED_CHUNK + 5).map(|i| i as u8).collect();
    write_sealed(&path, KIND, 4, &big).unwrap();
    assert_eq!(read_sealed(&path, KIND).unwrap(), Some((4, big)));
    write_sealed(&path, KIND, 5, b"").unwrap();
    assert_eq!(read_sealed(&path, KIND).unwrap(), Some((5, vec![])));
}

#[test]
fn a_reader_sees_what_is_committed_as_the_file_grows() {
    let directory = directory();
    let path = directory.path().join("file");
    let mut file = RecordFile::create(&path, KIND, 0).unwrap();
    let mut reader = RecordReader::open(&path, KIND).unwrap();
    assert_eq!(reader.next(file.committed()).unwrap(), None);
    for text in [&b"one"[..], b"two"] {
        file.append(&[text]).unwrap();
        file.commit().unwrap();
        assert_eq!(reader.next(file.committed()).unwrap(), Some(text));
        assert_eq!(reader.next(file.committed()).unwrap(), None);
    }
    // What the reader may have buffered of a write that fails and is taken back is not what comes in its place.
    let before = file.committed();
    file.append(&[b"four"]).unwrap();
    file.commit().unwrap();
    assert_eq!(reader.next(before).unwrap(), None);
    file.file.set_len(before).unwrap();
    file.committed = before;
    file.append(&[b"FOUR"]).unwrap();
    file.commit().unwrap();
    assert_eq!(reader.next(file.committed()).unwrap(), Some(&b"FOUR"[..]));
}

fn commits() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let record = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop::collection::vec(record, 1..4), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_anywhere_all_commits_before_the_cut_are_there(commits in commits(), cut in any::<prop::sample::Index>()) {
        let directory = directory();
        let path = directory.path().join("file");
        let lengths = write(&path, &commits);
        let all = commits.concat();
        let cut = lengths[0] + cut.index((lengths[commits.len()] - lengths[0] + 1) as usize) as u64;
        File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let (records, _) = read(&path).unwrap();
        let acknowledged = lengths.iter().rposition(|&length| length <= cut).unwrap();
        prop_assert!(records.len() >= commits[..acknowledged].concat().len());
        prop_assert_eq!(&records[..], &all[..records.len()]);
    }

    #[test]
    fn a_flipped_byte_is_an_error_or_costs_the_last_record_at_most(
        commits in commits(), at in any::<prop::sample::Index>(), bits in 1u8..,
    ) {
        let directory = directory();
        let path = directory.path().join("file");
        write(&path, &commits);
        let all = commits.concat();
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - HEAD - all.last().unwrap().len();
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        fs::write(&path, &bytes).unwrap();
        match read(&path) {
            Err(RecordError::Damaged { .. }) => {}
            Err(error) => prop_assert!(false, "{}", error),
            Ok((records, torn)) => {
                prop_assert!(at >= last, "only the last record can pass for unfinished");
                prop_assert!(torn.is_some());
                prop_assert_eq!(&records[..], &all[..all.len() - 1]);
            }
        }
    }
}
