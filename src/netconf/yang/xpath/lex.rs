//! The tokens of an expression (XPath 1.0 section 3.7).

use super::XPathError;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Number(f64),
    Literal(&'t str),
    Name(Option<&'t str>, &'t str),
    /// `*`, or `prefix:*`.
    Wildcard(Option<&'t str>),
    Open,
    Close,
    OpenPredicate,
    ClosePredicate,
    Dot,
    DotDot,
    At,
    Comma,
    ColonColon,
    Slash,
    SlashSlash,
    Union,
    Plus,
    Minus,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Mod,
    Div,
    Multiply,
}

/// All tokens, each with the byte offset at which it starts.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token<'_>, usize)>, XPathError> {
    let mut found: Vec<(Token<'_>, usize)> = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        if at == text.len() {
            return Ok(found);
        }
        // Section 3.7: behind an operand a name or `*` is an operator, everywhere else it is none.
        let behind_operand = found.last().is_some_and(|(token, _)| ends_operand(*token));
        let (token, length) = token(text, at, behind_operand)?;
        found.push((token, at));
        at += length;
    }
}

fn ends_operand(token: Token<'_>) -> bool {
    matches!(
        token,
        Token::Number(_)
            | Token::Literal(_)
            | Token::Name(..)
            | Token::Wildcard(_)
            | Token::Close
            | Token::ClosePredicate
            | Token::Dot
            | Token::DotDot
    )
}

fn token(text: &str, at: usize, behind_operand: bool) -> Result<(Token<'_>, usize), XPathError> {
    let rest = &text[at..];
    let fixed = [
        ("!=", Token::NotEqual),
        ("<=", Token::LessOrEqual),
        (">=", Token::GreaterOrEqual),
        ("::", Token::ColonColon),
        ("//", Token::SlashSlash),
        ("..", Token::DotDot),
        ("/", Token::Slash),
        ("(", Token::Open),
        (")", Token::Close),
        ("[", Token::OpenPredicate),
        ("]", Token::ClosePredicate),
        ("@", Token::At),
        (",", Token::Comma),
        ("|", Token::Union),
        ("+", Token::Plus),
        ("-", Token::Minus),
        ("=", Token::Equal),
        ("<", Token::Less),
        (">", Token::Greater),
        ("*", if behind_operand { Token::Multiply } else { Token::Wildcard(None) }),
    ];
    if let Some((sign, token)) = fixed.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Ok((*token, sign.len()));
    }
    let first = rest.chars().next().expect("there is text left");
    match first {
        '\'' | '"' => match rest[1..].find(first) {
            Some(length) => Ok((Token::Literal(&rest[1..=length]), length + 2)),
            None => Err(XPathError::syntax(at, "the literal does not end")),
        },
        '0'..='9' | '.' => Ok(number(rest)),
        '$' => Err(XPathError::syntax(at, "there are no variables here")),
        _ => {
            let length = name_length(rest);
            if length == 0 {
                return Err(XPathError::syntax(at, format!("\"{first}\" cannot stand here")));
            }
            let name = &rest[..length];
            if behind_operand {
                return match name {
                    "and" => Ok((Token::And, length)),
                    "or" => Ok((Token::Or, length)),
                    "mod" => Ok((Token::Mod, length)),
                    "div" => Ok((Token::Div, length)),
                    _ => Err(XPathError::syntax(at, format!("an operator is missing before \"{name}\""))),
                };
            }
            // `axis::` is no prefix.
            let Some(behind) = rest[length..].strip_prefix(':').filter(|behind| !behind.starts_with(':')) else {
                return Ok((Token::Name(None, name), length));
            };
            if behind.starts_with('*') {
                return Ok((Token::Wildcard(Some(name)), length + 2));
            }
            match name_length(behind) {
                0 => Err(XPathError::syntax(at, format!("a name is missing behind \"{name}:\""))),
                local => Ok((Token::Name(Some(name), &behind[..local]), length + 1 + local)),
            }
        }
    }
}

fn number(rest: &str) -> (Token<'_>, usize) {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(rest);
    if rest[length..].starts_with('.') {
        length += 1 + digits(&rest[length + 1..]);
    }
    if length == 1 && rest.starts_with('.') {
        return (Token::Dot, 1);
    }
    (Token::Number(rest[..length].parse().expect("digits around a point are a number")), length)
}

/// The bytes of the NCName at the start of `text`.
fn name_length(text: &str) -> usize {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    if !text.starts_with(starts) {
        return 0;
    }
    text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))).unwrap_or(text.len())
}
