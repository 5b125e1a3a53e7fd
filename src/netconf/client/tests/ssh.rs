//! Sessions over SSH, with a scripted server behind it.

use super::*;

#[tokio::test]
async fn sessions_over_ssh() {
    use crate::transport::auth::{PasswordRecord, Users};
    use crate::transport::ssh::{self, Credential, HostKeyCheck, Target};
    use arc_swap::ArcSwap;
    use russh::keys::{Algorithm, HashAlg, PrivateKey};

    let host_key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let fingerprint = host_key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let mut users = Users::new();
    users.set_password("ada", PasswordRecord::hash("secret"));
    let config = ssh::ServerConfig::new(vec![host_key], Arc::new(ArcSwap::from_pointee(users)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        user: "ada".into(),
        credential: Credential::Password("secret".into()),
        host_key: HostKeyCheck::Pinned(vec![fingerprint]),
        timeout: DEADLINE,
    };
    let shutdown = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(ssh::serve(listener, config, shutdown.clone(), |stream, _| async move {
        let mut script = Script::greet(stream, BOTH).await;
        while let Some((operation, head)) = script.request().await {
            // In large pieces here: a reply of megabytes a byte at a time takes its time.
            let out = script.encoder.body();
            head.write_start(out);
            let copies = if operation.contains("large") { 100_000 } else { 1 };
            (0..copies).for_each(|_| out.extend_from_slice(operation.as_bytes()));
            head.write_end(out);
            script.encoder.end().unwrap();
            script.writer.write_all(script.encoder.pending()).await.unwrap();
            let sent = script.encoder.pending().len();
            script.encoder.consume(sent);
        }
    }));
    in_time(async {
        let stream = ssh::connect(&target).await.unwrap();
        let (session, _notifications) = Session::open(stream, SessionConfig::default()).await.unwrap();
        let calls = (0..100).map(|i| {
            let session = session.clone();
            tokio::spawn(async move { session.rpc(format!("<small xmlns=\"urn:e\">{i}</small>")).await })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap().unwrap();
        }
        let large = session.rpc("<large xmlns=\"urn:e\">0123456789</large>").await.unwrap();
        assert_eq!(large.document().unwrap().len(), 100_001);
        shutdown.cancel();
        assert!(matches!(session.wait_ended().await, Error::Closed | Error::Transport(_)));
        server.await.unwrap().unwrap();
    })
    .await;
}
