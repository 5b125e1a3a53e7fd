//! Tests of users and their credentials.

use super::*;
use russh::keys::{HashAlg, PrivateKey};

fn key() -> PublicKey {
    PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap().public_key().clone()
}

#[tokio::test]
async fn only_the_right_password_of_the_right_user() {
    let mut users = Users::new();
    users.set_password("ada", PasswordRecord::hash("pässword"));
    users.add_key("eve", key());
    let users = Arc::new(users);
    assert!(users.allows_password("ada", "pässword".into()).await);
    for (user, password) in [("ada", "password"), ("ada", ""), ("eve", ""), ("nobody", "nobody")] {
        assert!(!users.allows_password(user, password.into()).await, "{user} {password}");
    }
}

#[test]
fn a_password_record_is_an_argon2_hash() {
    let record = PasswordRecord::hash("x");
    assert!(record.as_str().starts_with("$argon2id$") && !format!("{record:?}").contains("argon2"));
    assert!(PasswordRecord::from_phc(record.as_str()).unwrap().verify("x"));
    for hash in ["", "x", "$argon2id$", "$pbkdf2-sha256$i=1$c2FsdHNhbHQ$aGFzaGhhc2g"] {
        assert!(PasswordRecord::from_phc(hash).is_none(), "{hash}");
    }
}

/// The memory of one verification serves the next, whatever that one takes.
#[test]
fn hashes_of_other_parameters_are_verified_as_their_own_library_does() {
    use argon2::PasswordVerifier;
    for (memory, passes, algorithm) in [
        (64, 1, Argon2Algorithm::Argon2i),
        (19_456, 2, Argon2Algorithm::Argon2id),
        (32, 3, Argon2Algorithm::Argon2d),
        (40_000, 1, Argon2Algorithm::Argon2id),
        (8, 1, Argon2Algorithm::Argon2id),
    ] {
        let hasher = Argon2::new(algorithm, Version::V0x13, Params::new(memory, passes, 1, None).unwrap());
        let salt = SaltString::generate(&mut OsRng);
        let hash = hasher.hash_password(b"right", &salt).unwrap().to_string();
        let record = PasswordRecord::from_phc(&hash).unwrap();
        for password in ["right", "wrong", ""] {
            let parsed = PasswordHash::new(&hash).unwrap();
            let expected = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            assert_eq!(record.verify(password), expected, "{memory} {passes} {algorithm:?} {password:?}");
        }
    }
}

#[test]
fn authorized_keys_are_all_taken_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("authorized_keys");
    let (one, two) = (key(), key());
    let text = format!("# comment\n\n{} ada@a\n{}\n", one.to_openssh().unwrap(), two.to_openssh().unwrap());
    std::fs::write(&path, text).unwrap();
    let mut users = Users::new();
    users.add_authorized_keys("ada", &path).unwrap();
    assert!(users.allows_key("ada", &one, &Algorithm::Ed25519) && users.allows_key("ada", &two, &Algorithm::Ed25519));
    assert!(!users.allows_key("eve", &one, &Algorithm::Ed25519));
    assert!(!users.allows_key("ada", &key(), &Algorithm::Ed25519));
    assert!(!users.allows_key("ada", &one, &Algorithm::Rsa { hash: None }));
    assert!(users.allows_key("ada", &one, &Algorithm::Rsa { hash: Some(HashAlg::Sha256) }));

    for (text, reason) in [
        (format!("from=\"10.0.0.1\" {}", one.to_openssh().unwrap()), "line 1: not a public key without options"),
        ("\nssh-ed25519 nonsense".to_owned(), "line 2: not a public key"),
        ("# nothing\n".to_owned(), "no keys"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = users.add_authorized_keys("ada", &path).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert!(users.add_authorized_keys("ada", &directory.path().join("none")).is_err());
}
