//! Who may log in, and with what: public keys and passwords of SSH users (RFC 4252).

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm as Argon2Algorithm, Argon2, Block, Params, Version};
use russh::keys::{Algorithm, PublicKey};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Passwords that are verified at a time in this process. Argon2 takes tens of milliseconds and 19 MiB each on purpose;
/// a flood of guesses queues here, inside the bound on unauthenticated connections, and the sessions keep the CPU.
const VERIFICATIONS: usize = 2;

static VERIFYING: Semaphore = Semaphore::const_new(VERIFICATIONS);

/// Why credentials cannot be loaded; names the file and the line.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{path}: {reason}")]
    Content { path: String, reason: String },
}

/// The users of a server with their credentials.
#[derive(Clone, Default)]
pub struct Users(HashMap<String, User>);

#[derive(Clone, Default)]
struct User {
    keys: Vec<PublicKey>,
    password: Option<PasswordRecord>,
}

/// A password as an Argon2 hash in PHC string form; the clear text is not kept.
#[derive(Clone)]
pub struct PasswordRecord(Arc<str>);

impl PasswordRecord {
    /// Hashes a clear-text password under a fresh salt. Takes tens of milliseconds.
    pub fn hash(password: &str) -> Self {
        let salt = SaltString::generate(&mut OsRng);
        let hash = hasher().hash_password(password.as_bytes(), &salt).expect("parameters and salt are valid");
        PasswordRecord(hash.to_string().into())
    }

    /// A hash made before: `$argon2id$…`. `None` where it is not one.
    pub fn from_phc(hash: &str) -> Option<Self> {
        let parsed = PasswordHash::new(hash).ok()?;
        (parsed.algorithm.as_str().starts_with("argon2") && parsed.hash.is_some())
            .then(|| PasswordRecord(hash.to_owned().into()))
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn verify(&self, password: &str) -> bool {
        PasswordHash::new(&self.0).is_ok_and(|hash| is_of(&hash, password).unwrap_or(false))
    }
}

/// The memory of verifications, which goes from one to the next: freed anew each time, on whichever thread it was, it would stay
/// with the allocator's arena of that thread, and guesses would make a server grow.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Whether a hash is that of a password; computed in memory that is used again. None where the hash is incomplete.
fn is_of(hash: &PasswordHash<'_>, password: &str) -> Option<bool> {
    let (salt, expected) = (hash.salt?, hash.hash?);
    let algorithm = Argon2Algorithm::try_from(hash.algorithm).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let params = Params::try_from(hash).ok()?;
    let mut bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut bytes).ok()?;
    let mut memory = MEMORY.lock().expect("no panic holds it").pop().unwrap_or_default();
    let blocks = params.block_count();
    memory.resize(memory.len().max(blocks), Block::new());
    let mut found = vec![0; expected.len()];
    let hashed = Argon2::new(algorithm, version, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut found,
        &mut memory[..blocks],
    );
    let mut kept = MEMORY.lock().expect("no panic holds it");
    if kept.len() < VERIFICATIONS {
        kept.push(memory);
    }
    drop(kept);
    hashed.ok()?;
    Some(found.ct_eq(expected.as_bytes()).into())
}

/// The minimum that OWASP recommends for Argon2id: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    Argon2::new(Argon2Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// What the password of an unknown user is checked against, so that the answer takes as long as for a known one.
static NOBODY: LazyLock<PasswordRecord> = LazyLock::new(|| PasswordRecord::hash("nobody"));

impl Users {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add_key(&mut self, user: &str, key: PublicKey) {
        self.0.entry(user.to_owned()).or_default().keys.push(key);
    }

    /// Adds all keys of an OpenSSH `authorized_keys` file. A line with options is refused, because a restriction that is
    /// not enforced is worse than none.
    pub fn add_authorized_keys(&mut self, user: &str, path: &Path) -> Result<(), LoadError> {
        let content = |reason: String| LoadError::Content { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path)
            .map_err(|source| LoadError::Io { path: path.display().to_string(), source })?;
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = PublicKey::from_openssh(line)
                .map_err(|e| content(format!("line {}: not a public key without options: {e}", number + 1)))?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(content("no keys".into()));
        }
        keys.into_iter().for_each(|key| self.add_key(user, key));
        Ok(())
    }

    /// Takes the password that stands in clear in a file of one line; only its hash is kept.
    pub fn add_password_file(&mut self, user: &str, path: &Path) -> Result<(), LoadError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| LoadError::Io { path: path.display().to_string(), source })?;
        let password = text.strip_suffix('\n').unwrap_or(&text);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.contains('\n') {
            let reason = "one line with a password is wanted".into();
            return Err(LoadError::Content { path: path.display().to_string(), reason });
        }
        self.set_password(user, PasswordRecord::hash(password));
        Ok(())
    }

    pub fn set_password(&mut self, user: &str, password: PasswordRecord) {
        self.0.entry(user.to_owned()).or_default().password = Some(password);
    }

    pub fn remove(&mut self, user: &str) {
        self.0.remove(user);
    }

    /// Whether `user` may log in with `key`. RSA signatures with SHA-1 are refused, and RSA keys below 2,048 bits.
    pub fn allows_key(&self, user: &str, key: &PublicKey, algorithm: &Algorithm) -> bool {
        if matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
            return false;
        }
        if key.key_data().rsa().is_some_and(|rsa| rsa.key_size() < 2048) {
            return false;
        }
        self.0.get(user).is_some_and(|u| u.keys.iter().any(|k| k.key_data() == key.key_data()))
    }

    /// Whether any user has a password.
    pub fn has_passwords(&self) -> bool {
        self.0.values().any(|user| user.password.is_some())
    }

    /// Whether `password` is that of `user`. Runs on the blocking pool, in about the same time whoever is asked for.
    pub async fn allows_password(self: &Arc<Self>, user: &str, password: String) -> bool {
        let permit = VERIFYING.acquire().await.expect("the semaphore is never closed");
        let record = self.0.get(user).and_then(|u| u.password.clone());
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let verified = record.as_ref().unwrap_or(&NOBODY).verify(&password);
            verified && record.is_some()
        });
        verified.await.unwrap_or_else(|error| {
            tracing::error!("password verification failed: {error}");
            false
        })
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl std::fmt::Debug for PasswordRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordRecord")
    }
}

#[cfg(test)]
mod tests;
