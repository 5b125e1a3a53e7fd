//! Tests of the framing layer.

use proptest::prelude::*;

use super::*;

/// Everything that `pieces`, fed one after the other, decode to.
fn decode(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<Vec<String>, FramingError> {
    let mut messages = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(message) = decoder.decode(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "all input is taken");
    }
    Ok(messages)
}

fn chunked() -> Decoder {
    let mut decoder = Decoder::new();
    decoder.switch(Framing::Chunked, MAX_MESSAGE);
    decoder
}

#[test]
fn the_example_of_rfc_6242_section_4_2() {
    let stream =
        b"\n#4\n<rpc\n#18\n message-id=\"102\"\n\n#79\n     xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n  \
                   <close-session/>\n</rpc>\n##\n";
    let messages = decode(&mut chunked(), &[stream]).unwrap();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].starts_with("<rpc message-id=\"102\"\n     xmlns="));
    assert!(messages[0].ends_with("</rpc>"));
}

#[test]
fn a_hello_and_the_first_rpc_in_one_piece() {
    let mut decoder = Decoder::new();
    let mut input: &[u8] = b"<hello/>]]>]]>\n#3\n<a/\n#1\n>\n##\n\n#4\n<b/>\n##\n";
    assert_eq!(decoder.decode(&mut input).unwrap().as_deref(), Some("<hello/>"));
    decoder.switch(Framing::Chunked, MAX_MESSAGE);
    assert_eq!(decode(&mut decoder, &[input]).unwrap(), ["<a/>", "<b/>"]);
    assert!(decoder.at_boundary());
    assert!(!decoder.early_chunks());
}

#[test]
fn a_hello_in_chunks_is_read_and_told() {
    let mut decoder = Decoder::new();
    assert_eq!(decode(&mut decoder, &[b"\n", b"#8\n<hello/>\n##\n"]).unwrap(), ["<hello/>"]);
    assert!(decoder.early_chunks());
}

#[test]
fn chunks_after_a_base_1_0_hello_are_refused_at_once() {
    let mut decoder = Decoder::new();
    assert_eq!(decode(&mut decoder, &[b"<hello/>]]>]]>"]).unwrap(), ["<hello/>"]);
    decoder.switch(Framing::EndOfMessage, MAX_MESSAGE);
    assert_eq!(decode(&mut decoder, &[b"\n#4\n<a/>\n##\n"]), Err(FramingError::UnexpectedChunk));
}

#[test]
fn white_space_between_messages_is_dropped() {
    let mut decoder = Decoder::new();
    let messages = decode(&mut decoder, &[b"\n<?xml version='1.0'?><a/>\n]]>]]>\r\n <b/>]]>]]>\n"]).unwrap();
    assert_eq!(messages, ["<?xml version='1.0'?><a/>\n", "<b/>"]);
    assert!(decoder.at_boundary());
}

#[test]
fn what_is_not_chunked_framing_is_refused() {
    for (stream, error) in [
        (&b"<rpc/>]]>]]>"[..], FramingError::Unexpected { found: b'<', expected: "the line feed before a chunk" }),
        (b"\n\n", FramingError::Unexpected { found: b'\n', expected: "the \"#\" of a chunk" }),
        (b"\n#0\n", FramingError::Unexpected { found: b'0', expected: "the first digit of a chunk size" }),
        (b"\n##\n", FramingError::Unexpected { found: b'#', expected: "the first digit of a chunk size" }),
        (b"\n#-1\n", FramingError::Unexpected { found: b'-', expected: "the first digit of a chunk size" }),
        (b"\n#1x", FramingError::Unexpected { found: b'x', expected: "a digit of a chunk size" }),
        (b"\n#1\nab", FramingError::Unexpected { found: b'b', expected: "the line feed before a chunk" }),
        (b"\n#1\na\n##x", FramingError::Unexpected { found: b'x', expected: "the line feed of the end of chunks" }),
        (b"\n#4294967296\n", FramingError::ChunkSize),
        (b"\n#4294967295\n", FramingError::TooLarge { limit: MAX_MESSAGE }),
        (b"\n#2\na\xff\n##\n", FramingError::NotUtf8(1)),
    ] {
        assert_eq!(decode(&mut chunked(), &[stream]), Err(error), "{}", String::from_utf8_lossy(stream));
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_it_is_stored() {
    let mut decoder = Decoder::new();
    decoder.switch(Framing::EndOfMessage, 10);
    assert_eq!(decode(&mut decoder, &[b"<a>12345</a>"]), Err(FramingError::TooLarge { limit: 10 }));
    let mut decoder = Decoder::new();
    decoder.switch(Framing::Chunked, 10);
    assert_eq!(decode(&mut decoder, &[b"\n#6\n123456\n#5\n"]), Err(FramingError::TooLarge { limit: 10 }));
    let mut decoder = Decoder::new();
    decoder.switch(Framing::Chunked, 10);
    assert_eq!(decode(&mut decoder, &[b"\n#10\n1234567890\n##\n"]).unwrap(), ["1234567890"]);
}

#[test]
fn a_chunk_header_is_only_a_promise() {
    let mut decoder = Decoder::new();
    decoder.switch(Framing::Chunked, usize::MAX);
    assert_eq!(decode(&mut decoder, &[b"\n#4294967295\nx"]).unwrap(), Vec::<String>::new());
    assert!(decoder.message.capacity() <= 2 * RESERVE);
    assert!(!decoder.at_boundary());
}

#[test]
fn a_message_in_a_megabyte_of_one_byte_chunks() {
    let mut stream = Vec::new();
    for _ in 0..1 << 20 {
        stream.extend_from_slice(b"\n#1\nx");
    }
    stream.extend_from_slice(b"\n##\n");
    assert_eq!(decode(&mut chunked(), &[&stream]).unwrap()[0].len(), 1 << 20);
}

#[test]
fn chunks_are_framed_where_the_message_was_written() {
    let mut encoder = Encoder::new();
    encoder.message(b"<hello/>").unwrap();
    encoder.switch(Framing::Chunked);
    encoder.message(b"<a/>").unwrap();
    encoder.body().extend_from_slice(b"<b>");
    encoder.cut().unwrap();
    encoder.cut().unwrap();
    encoder.body().extend_from_slice(&[b'x'; 100]);
    assert_eq!(encoder.piece_len(), 100);
    assert_eq!(encoder.pending(), b"<hello/>]]>]]>\n#4\n<a/>\n##\n\n#3\n<b>");
    let sent = encoder.pending().len();
    encoder.consume(sent);
    encoder.cut().unwrap();
    encoder.body().extend_from_slice(b"</b>");
    encoder.end().unwrap();
    let expected = format!("\n#100\n{}\n#4\n</b>\n##\n", "x".repeat(100));
    assert_eq!(String::from_utf8_lossy(encoder.pending()), expected);
    encoder.consume(expected.len());
    assert_eq!(encoder.pending(), b"");
    assert!(encoder.buffer.capacity() <= KEEP);
}

#[test]
fn what_is_abandoned_is_not_sent() {
    let mut encoder = Encoder::new();
    encoder.switch(Framing::Chunked);
    encoder.body().extend_from_slice(b"<a>");
    assert!(encoder.abandon());
    encoder.body().extend_from_slice(b"<b>");
    encoder.cut().unwrap();
    encoder.body().extend_from_slice(b"<c>");
    assert!(!encoder.abandon());
    assert_eq!(encoder.pending(), b"\n#3\n<b>");
}

#[test]
fn a_delimiter_inside_a_message_is_refused_even_across_a_cut() {
    for pieces in [&["<!--]]>]]>-->"][..], &["<!--]]", ">]]>-->"], &["<!--]]>]", "]", ">-->"]] {
        for send in [false, true] {
            let mut encoder = Encoder::new();
            encoder.message(b"<a/>").unwrap();
            let mut result = Ok(());
            for piece in pieces {
                encoder.body().extend_from_slice(piece.as_bytes());
                result = encoder.cut();
                if send {
                    let pending = encoder.pending().len();
                    encoder.consume(pending);
                }
            }
            assert_eq!(result.and_then(|()| encoder.end()), Err(FramingError::Delimiter), "{pieces:?}");
        }
    }
}

#[tokio::test]
async fn a_reader_tells_an_orderly_end_from_a_cut_message() {
    let mut reader = MessageReader::new(&b"<a/>]]>]]>\n"[..]);
    assert_eq!(reader.next().await.unwrap().as_deref(), Some("<a/>"));
    assert_eq!(reader.next().await.unwrap(), None);
    let mut reader = MessageReader::new(&b"<a/>]]>]]"[..]);
    assert!(matches!(reader.next().await, Err(ReadError::Truncated)));
}

#[tokio::test]
async fn what_is_there_already_is_taken_without_waiting() {
    use tokio::io::{AsyncWriteExt, BufReader, duplex};
    let (mut ours, theirs) = duplex(100);
    let mut reader = MessageReader::new(BufReader::new(theirs));
    assert_eq!(reader.try_next().unwrap(), None);
    ours.write_all(b"<a/>]]>]]><b/>]]>]]><c/>]]").await.unwrap();
    assert_eq!(reader.next().await.unwrap().as_deref(), Some("<a/>"));
    assert_eq!(reader.try_next().unwrap().as_deref(), Some("<b/>"));
    assert_eq!(reader.try_next().unwrap(), None);
    ours.write_all(b">]]>").await.unwrap();
    drop(ours);
    assert_eq!(reader.next().await.unwrap().as_deref(), Some("<c/>"));
    assert_eq!(reader.next().await.unwrap(), None);
}

/// `stream` cut at `cuts` (taken modulo its length).
fn split<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|i| i.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &stream[w[0]..w[1]]).collect()
}

proptest! {
    #[test]
    fn any_split_of_the_stream_gives_the_same_messages(
        // Letters of the delimiters themselves, so that near misses are common.
        bodies in prop::collection::vec(prop::collection::vec("[\\]>\n#1a]{1,9}", 1..4), 1..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        is_chunked in any::<bool>(),
        // Whether messages are taken in parts, as small as they can be.
        in_parts in any::<bool>(),
    ) {
        let framing = if is_chunked { Framing::Chunked } else { Framing::EndOfMessage };
        let mut encoder = Encoder::new();
        encoder.message(b"<hello/>").unwrap();
        encoder.switch(framing);
        let mut expected = Vec::new();
        for pieces in &bodies {
            let message = format!("<m>{}</m>", pieces.concat());
            encoder.body().extend_from_slice(b"<m>");
            for piece in pieces {
                encoder.body().extend_from_slice(piece.as_bytes());
                if encoder.cut().is_err() {
                    prop_assert!(message.contains("]]>]]>"));
                    return Ok(());
                }
            }
            encoder.body().extend_from_slice(b"</m>");
            prop_assert_eq!(encoder.end().is_err(), !is_chunked && message.contains("]]>]]>"));
            expected.push(message);
        }
        let mut decoder = Decoder::new();
        let mut messages = Vec::new();
        let mut begun = String::new();
        for mut piece in split(encoder.pending(), &cuts) {
            while let Some(message) = decoder.decode(&mut piece).unwrap() {
                if messages.is_empty() {
                    decoder.switch(framing, MAX_MESSAGE);
                }
                messages.push(std::mem::take(&mut begun) + &message);
            }
            if in_parts {
                begun += &decoder.take_part().unwrap();
            }
        }
        prop_assert_eq!(&messages[0], "<hello/>");
        prop_assert_eq!(&messages[1..], &expected[..]);
        prop_assert!(decoder.at_boundary());
    }

    #[test]
    fn chunks_of_any_size_are_read(
        // From one byte to 128 KiB, every length of the chunk's number as likely.
        sizes in prop::collection::vec((0u32..17, any::<u32>()).prop_map(|(bits, more)| (1 << bits) + (more % (1 << bits))), 1..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut stream = Vec::new();
        let mut expected = String::new();
        for (size, letter) in sizes.iter().zip("abcdef".chars()) {
            let chunk = letter.to_string().repeat(*size as usize);
            stream.extend_from_slice(format!("\n#{size}\n{chunk}").as_bytes());
            expected.push_str(&chunk);
        }
        let mut plain = expected.clone().into_bytes();
        stream.extend_from_slice(b"\n##\n");
        plain.extend_from_slice(b"]]>]]>");
        prop_assert_eq!(&decode(&mut chunked(), &split(&stream, &cuts)).unwrap(), std::slice::from_ref(&expected));
        prop_assert_eq!(&decode(&mut Decoder::new(), &split(&plain, &cuts)).unwrap(), std::slice::from_ref(&expected));
    }

    #[test]
    fn garbage_never_panics_and_is_the_same_in_any_split(
        stream in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"]>\n#0123456789"[..])], 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        is_chunked in any::<bool>(),
    ) {
        let new = || if is_chunked { chunked() } else { Decoder::new() };
        prop_assert_eq!(decode(&mut new(), &[&stream]), decode(&mut new(), &split(&stream, &cuts)));
    }
}
