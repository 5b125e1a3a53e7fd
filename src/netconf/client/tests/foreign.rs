//! What foreign servers do: chunks of any size, one framing only, errors of any number, replies of any size, silence.

use super::*;

#[tokio::test]
async fn chunks_of_any_size_are_one_reply() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    for size in [1, 2, 7, 4096] {
        let answered = in_time(async {
            let (answered, ()) = tokio::join!(session.commit(), async {
                let (_, head) = script.request().await.unwrap();
                let mut reply = Vec::new();
                head.write_start(&mut reply);
                reply.extend_from_slice("<data>]]>]]&gt; ##\n#1\n é€😀</data>".repeat(20).as_bytes());
                head.write_end(&mut reply);
                for chunk in reply.chunks(size) {
                    script.writer.write_all(format!("\n#{}\n", chunk.len()).as_bytes()).await.unwrap();
                    script.writer.write_all(chunk).await.unwrap();
                }
                script.writer.write_all(b"\n##\n").await.unwrap();
            });
            answered
        })
        .await;
        assert_eq!(answered.unwrap().text().matches("😀").count(), 20, "chunks of {size}");
    }
}

#[tokio::test]
async fn all_errors_are_told_and_a_warning_beside_ok_is_none() {
    let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
    let error = |severity: &str, tag: &str| {
        format!(
            "<rpc-error xmlns:v=\"urn:v\"><v:ours>1</v:ours><error-type>protocol</error-type><error-tag>{tag}</error-tag>\
             <error-severity>{severity}</error-severity></rpc-error>"
        )
    };
    for (body, expected) in [
        (format!("{}<ok/>", error("warning", "in-use")), Ok(1)),
        (format!("{}{}", error("error", "in-use"), error("error", "urn-unheard-of")), Err(2)),
        (format!("{}{}<data/>", error("warning", "in-use"), error("error", "too-big")), Err(2)),
        ("<data xmlns:x=\"urn:rpc-error\"/>".to_owned(), Ok(0)),
    ] {
        let (answered, ()) = in_time(async {
            tokio::join!(session.commit(), async {
                let (_, head) = script.request().await.unwrap();
                script.reply(&head, &body).await;
            })
        })
        .await;
        let told = answered.map(|reply| reply.warnings().len()).map_err(|error| error.rpc_errors().len());
        assert_eq!(told, expected, "{body}");
    }
}

/// Counts what it is given, and holds nothing of it.
struct Count {
    length: u64,
    largest: usize,
    taken: Arc<std::sync::atomic::AtomicU64>,
}

impl tokio::io::AsyncWrite for Count {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        self.length += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len());
        self.taken.store(self.length, std::sync::atomic::Ordering::Relaxed);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_reply_of_any_size_is_passed_on_in_parts() {
    const BOUND: usize = 1 << 20;
    const PIECE: usize = 48 << 10;
    const PIECES: usize = 512;
    let config = SessionConfig { max_message: BOUND, ..SessionConfig::default() };
    for bases in [BOTH, &BOTH[..1]] {
        let (ours, theirs) = duplex(1 << 16);
        let (opened, mut script) =
            in_time(async { tokio::join!(Session::open(ours, config.clone()), Script::greet(theirs, bases)) }).await;
        let (session, _notifications) = opened.unwrap();
        let taken = Arc::default();
        let mut out = Count { length: 0, largest: 0, taken: Arc::clone(&taken) };
        let (answered, sent) = in_time(async {
            tokio::join!(session.rpc_into("<get/>", &mut out), async {
                let (_, head) = script.request().await.unwrap();
                head.write_start(script.encoder.body());
                let mut sent = 0;
                for _ in 0..PIECES {
                    script.encoder.body().extend_from_slice("é".repeat(PIECE / 2).as_bytes());
                    script.encoder.cut().unwrap();
                    script.writer.write_all(script.encoder.pending()).await.unwrap();
                    sent += PIECE as u64;
                    let pending = script.encoder.pending().len();
                    script.encoder.consume(pending);
                    // What is neither in the pipe nor written out is held here.
                    let held = sent - taken.load(std::sync::atomic::Ordering::Relaxed);
                    assert!(held < BOUND as u64, "{held} bytes are held");
                }
                head.write_end(script.encoder.body());
                script.encoder.end().unwrap();
                script.writer.write_all(script.encoder.pending()).await.unwrap();
                let pending = script.encoder.pending().len();
                script.encoder.consume(pending);
                sent
            })
        })
        .await;
        assert_eq!(answered.unwrap(), out.length);
        assert!(out.length > sent && out.length < sent + 300 && out.largest < BOUND, "{} {}", out.length, out.largest);

        // A small reply, one with errors, and one that another asked for come as ever.
        let mut out = Vec::new();
        let (small, ()) = in_time(async {
            tokio::join!(session.rpc_into("<get/>", &mut out), async {
                let (_, head) = script.request().await.unwrap();
                script.reply(&head, "<data/>").await;
            })
        })
        .await;
        assert_eq!(small.unwrap(), out.len() as u64);
        assert!(String::from_utf8(out).unwrap().ends_with("<data/></rpc-reply>"));
        let mut out = Vec::new();
        let (refused, other, ()) = in_time(async {
            tokio::join!(session.rpc_into("<get/>", &mut out), session.rpc("<other/>"), async {
                for _ in 0..2 {
                    let (operation, head) = script.request().await.unwrap();
                    if operation.starts_with("<get") {
                        head.write_errors(script.encoder.body(), &[RpcError::in_use("busy")]);
                        script.flush().await;
                    } else {
                        script.reply(&head, &format!("<data>{}</data>", "x".repeat(BOUND / 2))).await;
                    }
                }
            })
        })
        .await;
        assert_eq!(refused.unwrap_err().rpc_errors()[0].tag, ErrorTag::InUse);
        assert!(out.is_empty());
        assert!(other.unwrap().text().len() > BOUND / 2);
    }
}

#[tokio::test]
async fn a_half_closed_stream_and_a_cut_reply_end_the_session() {
    for whole in [true, false] {
        let (session, _notifications, mut script) = pair(SessionConfig::default()).await;
        let mut out = Vec::new();
        let (first, ()) = in_time(async {
            tokio::join!(session.rpc_into("<get/>", &mut out), async {
                let (_, head) = script.request().await.unwrap();
                head.write_start(script.encoder.body());
                script.encoder.body().extend_from_slice("x".repeat(1 << 20).as_bytes());
                script.encoder.cut().unwrap();
                if whole {
                    head.write_end(script.encoder.body());
                    script.encoder.end().unwrap();
                }
                script.writer.write_all(script.encoder.pending()).await.unwrap();
                // It still reads.
                script.writer.shutdown().await.unwrap();
            })
        })
        .await;
        assert_eq!(first.is_ok(), whole, "{first:?}");
        assert!(out.len() > 1 << 19, "what came was passed on");
        let ended = in_time(session.wait_ended()).await;
        assert_eq!(matches!(ended, Error::Closed), whole, "{ended}");
        assert!(in_time(session.commit()).await.is_err());
    }
}
