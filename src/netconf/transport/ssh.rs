//! NETCONF over SSH (RFC 6242), on russh: the listener, the client's connection, and the channel both run sessions on.

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex};

pub use client::{ConnectError, Credential, HostKeyCheck, Target, connect, fingerprint};
pub use host_key::{HostKeyError, load_or_generate_host_key};
pub use server::{Server, ServerConfig, serve};
pub use stream::ChannelStream;

mod client;
mod host_key;
mod server;
mod stream;

/// The port that IANA assigned (RFC 6242 section 7).
pub const PORT: u16 = 830;

/// The SSH subsystem (RFC 6242 section 3).
const SUBSYSTEM: &str = "netconf";

/// The hybrid post-quantum key exchange first, because what is recorded today must not be read in ten years; then
/// curve25519 and the large groups for peers without it. AES-GCM before ChaCha20, as every processor this runs on has
/// AES instructions. Neither SHA-1 nor compression, which helps attackers more than it helps XML.
const PREFERRED: Preferred = {
    use std::borrow::Cow;
    Preferred {
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::ECDH_SHA2_NISTP256,
            kex::ECDH_SHA2_NISTP384,
            kex::ECDH_SHA2_NISTP521,
            kex::DH_G16_SHA512,
            kex::DH_G14_SHA256,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_SUPPORT_AS_SERVER,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
        ]),
        key: Cow::Borrowed(&[
            Algorithm::Ed25519,
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
            Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
            Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
            Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
        ]),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(&[
            cipher::AES_256_GCM,
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]),
        mac: Preferred::DEFAULT.mac,
        compression: Cow::Borrowed(&[compression::NONE]),
    }
};

#[cfg(test)]
mod tests;
