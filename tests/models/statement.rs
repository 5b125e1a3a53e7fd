//! The statements of a YANG module (RFC 7950 section 6.3): for what a compiled schema no longer tells.

/// One statement, with its argument unquoted and joined.
pub struct Statement {
    pub keyword: String,
    pub argument: String,
    pub children: Vec<Statement>,
}

impl Statement {
    /// The only statement of a module's text.
    pub fn parse(text: &str) -> Statement {
        let mut tokens = tokens(text).into_iter().peekable();
        let statement = next(&mut tokens);
        assert!(tokens.next().is_none(), "text after the module's closing brace");
        statement
    }

    pub fn all<'s>(&'s self, keyword: &'s str) -> impl Iterator<Item = &'s Statement> {
        self.children.iter().filter(move |child| child.keyword == keyword)
    }

    /// The argument of the first substatement of that keyword; empty where there is none.
    pub fn argument_of(&self, keyword: &str) -> &str {
        self.children.iter().find(|child| child.keyword == keyword).map_or("", |child| &child.argument)
    }
}

#[derive(PartialEq)]
enum Token {
    Word(String),
    /// In quotes: never a keyword, and `+` joins it.
    Quoted(String),
    Open,
    Close,
    End,
    Plus,
}

fn next(tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>) -> Statement {
    let Some(Token::Word(keyword)) = tokens.next() else { panic!("a statement begins with its keyword") };
    let mut argument = String::new();
    loop {
        match tokens.next() {
            Some(Token::Word(text) | Token::Quoted(text)) => argument.push_str(&text),
            Some(Token::Plus) => {}
            Some(Token::End) => return Statement { keyword, argument, children: Vec::new() },
            Some(Token::Open) => break,
            _ => panic!("statement \"{keyword} {argument}\" does not end"),
        }
    }
    let mut children = Vec::new();
    while *tokens.peek().expect("a brace is closed") != Token::Close {
        children.push(next(tokens));
    }
    tokens.next();
    Statement { keyword, argument, children }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '{' | '}' | ';' => {
                tokens.push(match first {
                    '{' => Token::Open,
                    '}' => Token::Close,
                    _ => Token::End,
                });
                1
            }
            '"' | '\'' => {
                let end = closing_quote(rest, first);
                let inside: Vec<&str> = rest[1..end].split_whitespace().collect();
                tokens.push(Token::Quoted(inside.join(" ").replace("\\\"", "\"")));
                end + 1
            }
            _ if rest.starts_with("/*") => rest.find("*/").expect("a comment ends") + 2,
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "{};\"'".contains(c)).unwrap_or(rest.len());
                tokens.push(if &rest[..end] == "+" { Token::Plus } else { Token::Word(rest[..end].to_owned()) });
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

fn closing_quote(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    panic!("a quoted string ends")
}
