//! Tests of the file of host keys, whole and damaged.

use super::*;

fn key(letter: char) -> String {
    format!("SHA256:{}", letter.to_string().repeat(43))
}

#[test]
fn what_was_learnt_is_known_again_and_what_is_damaged_harms_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = KnownHosts::open(directory.path()).unwrap();
    hosts.learn("one", &key('a'));
    hosts.learn("two words", &key('b'));
    hosts.learn("three", &key('c'));
    hosts.learn("one", &key('d'));
    hosts.forget("three");
    let again = KnownHosts::open(directory.path()).unwrap();
    assert_eq!([again.get("one"), again.get("two words"), again.get("three")], [Some(key('d')), Some(key('b')), None]);
    let path = directory.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2, "not what counts alone: {text}");
    // A line that a full disk cut, and one that was written after it; then one that a crash cut.
    fs::write(&path, format!("{text}SHA256:eeee{} four\n{} five\n{} si", key('e'), key('f'), key('g'))).unwrap();
    let damaged = KnownHosts::open(directory.path()).unwrap();
    assert_eq!([damaged.get("four"), damaged.get("five"), damaged.get("si")], [None, Some(key('f')), None]);
    assert_eq!(damaged.get("one"), Some(key('d')));
}
