//! Rust sources as the house rules see them: code without comments and texts, and which files are tests.

use std::collections::BTreeSet;

use crate::workspace::File;

/// The source with every comment, string and character blanked; lines stay where they are.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'\'' => character_end(bytes, at),
            b'r' if !is_word(bytes, at) && raw_string_end(bytes, at + 1).is_some() => {
                raw_string_end(bytes, at + 1).expect("just seen")
            }
            _ => {
                at += 1;
                continue;
            }
        };
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(out).expect("whole literals are blanked, so no character is cut")
}

/// The code before the first `#[cfg(test)]` of a module in the same file.
pub fn without_tests(code: &str) -> &str {
    let mut from = 0;
    while let Some(found) = code[from..].find(TEST_ONLY) {
        let after = code[from + found + TEST_ONLY.len()..].trim_start();
        let item = after.split(['{', ';']).next().unwrap_or_default();
        if item.contains("mod ") && after[item.len()..].starts_with('{') {
            return &code[..from + found];
        }
        from += found + TEST_ONLY.len();
    }
    code
}

/// The names of the files that are compiled for tests only: what `#[cfg(test)] mod name;` declares, with all below it,
/// and the crate `tests`.
pub fn test_files(sources: &[File]) -> BTreeSet<String> {
    let mut roots = vec!["tests/".to_owned()];
    for file in sources {
        let text = code(&file.text());
        let (folder, base) = file.name.rsplit_once('/').unwrap_or(("", &file.name));
        let inside = match base {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => file.name.trim_end_matches(".rs").to_owned(),
        };
        for declared in text.split(TEST_ONLY).skip(1) {
            let item = declared.split([';', '{']).next().unwrap_or_default();
            if let Some((_, name)) = item.split_once("mod ") {
                roots.push(format!("{inside}/{}.rs", name.trim()));
                roots.push(format!("{inside}/{}/", name.trim()));
            }
        }
    }
    let is_test =
        |name: &&String| roots.iter().any(|root| *name == root || root.ends_with('/') && name.starts_with(root));
    sources.iter().map(|file| &file.name).filter(is_test).cloned().collect()
}

/// Whether the code has that word, not as a part of a longer one.
pub fn has_word(code: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part_of_word) && !code[at + word.len()..].starts_with(part_of_word))
}

const TEST_ONLY: &str = "#[cfg(test)]";

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| from + length)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// After a character; or after the quote alone of a lifetime, which is blanked too.
fn character_end(bytes: &[u8], from: usize) -> usize {
    let rest = &bytes[from + 1..];
    if rest.first() == Some(&b'\\') {
        return rest.iter().skip(2).position(|byte| *byte == b'\'').map_or(bytes.len(), |length| from + length + 4);
    }
    // A character is four bytes at most.
    let close = rest.iter().take(5).position(|byte| *byte == b'\'');
    match close {
        Some(length) if std::str::from_utf8(&rest[..length]).is_ok_and(|text| text.chars().count() == 1) => {
            from + length + 2
        }
        _ => from + 1,
    }
}

/// The end of a raw string whose `r` stands before `from`.
fn raw_string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let hashes = bytes[from..].iter().take_while(|byte| **byte == b'#').count();
    let inside = from + hashes + 1;
    if bytes.get(inside - 1) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = bytes[inside..].windows(close.len()).position(|window| window == close);
    Some(length.map_or(bytes.len(), |length| inside + length + close.len()))
}

/// Whether the byte before is part of the same word (`b` of a byte string is not: it may stay).
fn is_word(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    before.is_some_and(|byte| byte != b'b' && (byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blanked() {
        let text = "a // x\nb /* x /* x */ */ c \"x\\\"x\" d 'x' e '\\'' f 'l r#\"x\"x\"# g b'x' h br\"x\" 'é' i";
        let kept: String = code(text).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(kept, "a b c d e f l g b h b i");
        assert_eq!(code(text).len(), text.len());
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("an unsafe { }", "unsafe"));
        assert!(!has_word("deny(unsafe_code)", "unsafe"));
    }

    #[test]
    fn a_module_of_tests_ends_the_code() {
        assert_eq!(without_tests("a #[cfg(test)] mod tests { b }"), "a ");
        assert_eq!(without_tests("a #[cfg(test)]\nmod tests; b"), "a #[cfg(test)]\nmod tests; b");
    }
}
