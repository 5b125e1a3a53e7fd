//! Attributes, character data and simple elements, escaped.

/// Appends ` name="value"`.
pub fn write_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, |b| match b {
        b'"' => Some(b"&quot;"),
        b'\n' => Some(b"&#10;"),
        b'\t' => Some(b"&#9;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
    out.push(b'"');
}

/// Appends character data.
pub fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |b| match b {
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

fn escape(out: &mut Vec<u8>, text: &str, more: impl Fn(u8) -> Option<&'static [u8]>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'&' => b"&amp;",
            other => match more(other) {
                Some(replacement) => replacement,
                None => continue,
            },
        };
        out.extend_from_slice(&bytes[done..i]);
        out.extend_from_slice(replacement);
        done = i + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends `<name>text</name>`.
pub fn write_element(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
    escape_text(out, text);
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}
