//! The grammar of an expression (XPath 1.0 section 3), without a look at any schema.

use super::XPathError;
use super::lex::{Token, tokens};

/// An expression as written; names are slices of its text.
#[derive(Debug)]
pub(super) enum Ast<'t> {
    Number(f64),
    Literal(&'t str),
    Or(Vec<Ast<'t>>),
    And(Vec<Ast<'t>>),
    Union(Vec<Ast<'t>>),
    Binary(Operator, Box<(Ast<'t>, Ast<'t>)>),
    Negated(Box<Ast<'t>>),
    Path(AstPath<'t>),
    Call { name: &'t str, arguments: Vec<Ast<'t>>, offset: usize },
}

#[derive(Debug)]
pub(super) struct AstPath<'t> {
    pub start: AstStart<'t>,
    pub steps: Vec<AstStep<'t>>,
}

#[derive(Debug)]
pub(super) enum AstStart<'t> {
    Context,
    Root,
    /// A primary expression with its predicates.
    Filter(Box<Ast<'t>>, Vec<Ast<'t>>),
}

#[derive(Debug)]
pub(super) struct AstStep<'t> {
    pub axis: Axis,
    pub test: AstTest<'t>,
    pub predicates: Vec<Ast<'t>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AstTest<'t> {
    Name(Option<&'t str>, &'t str),
    Wildcard(Option<&'t str>),
    Node,
    Text,
    /// A comment or processing instruction, of which data has none.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Parent,
    Ancestor,
    AncestorOrSelf,
    Itself,
    FollowingSibling,
    PrecedingSibling,
    Following,
    Preceding,
    /// Attributes and namespaces: data has none.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// Expressions inside expressions: parentheses, predicates and arguments. Each costs a few frames of the stack, in the
/// parser and in evaluation; models nest five deep.
const MAX_NESTING: usize = 32;

/// Further operators of one kind in a row, `1 + 2 + 3`, which nest to the left. `or`, `and` and `|` do not count.
const MAX_CHAINED: usize = 256;

pub(super) fn parse(text: &str) -> Result<Ast<'_>, XPathError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), nesting: 0, chained: 0 };
    let ast = parser.expression()?;
    match parser.tokens.get(parser.next) {
        None => Ok(ast),
        Some((_, offset)) => Err(XPathError::syntax(*offset, "the expression should end here")),
    }
}

struct Parser<'t> {
    tokens: Vec<(Token<'t>, usize)>,
    next: usize,
    end: usize,
    nesting: usize,
    chained: usize,
}

impl<'t> Parser<'t> {
    fn expression(&mut self) -> Result<Ast<'t>, XPathError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(XPathError::TooLarge(format!("it nests deeper than {MAX_NESTING}")));
        }
        let ast = self
            .several(Token::Or, Ast::Or, |parser| parser.several(Token::And, Ast::And, |parser| parser.equality()))?;
        self.nesting -= 1;
        Ok(ast)
    }

    /// Operands between operators of a kind that needs no nesting.
    fn several(
        &mut self,
        operator: Token<'t>,
        make: impl FnOnce(Vec<Ast<'t>>) -> Ast<'t>,
        mut operand: impl FnMut(&mut Self) -> Result<Ast<'t>, XPathError>,
    ) -> Result<Ast<'t>, XPathError> {
        let first = operand(self)?;
        if self.peek() != Some(operator) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.take(operator) {
            operands.push(operand(self)?);
        }
        Ok(make(operands))
    }

    fn equality(&mut self) -> Result<Ast<'t>, XPathError> {
        self.chain(&[(Token::Equal, Operator::Equal), (Token::NotEqual, Operator::NotEqual)], Self::relation)
    }

    fn relation(&mut self) -> Result<Ast<'t>, XPathError> {
        let operators = [
            (Token::Less, Operator::Less),
            (Token::LessOrEqual, Operator::LessOrEqual),
            (Token::Greater, Operator::Greater),
            (Token::GreaterOrEqual, Operator::GreaterOrEqual),
        ];
        self.chain(&operators, Self::sum)
    }

    fn sum(&mut self) -> Result<Ast<'t>, XPathError> {
        self.chain(&[(Token::Plus, Operator::Add), (Token::Minus, Operator::Subtract)], Self::product)
    }

    fn product(&mut self) -> Result<Ast<'t>, XPathError> {
        let operators =
            [(Token::Multiply, Operator::Multiply), (Token::Div, Operator::Divide), (Token::Mod, Operator::Modulo)];
        self.chain(&operators, Self::signed)
    }

    fn chain(
        &mut self,
        operators: &[(Token<'t>, Operator)],
        operand: fn(&mut Self) -> Result<Ast<'t>, XPathError>,
    ) -> Result<Ast<'t>, XPathError> {
        let mut left = operand(self)?;
        let mut further = false;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.peek() == Some(*token)) {
            self.next += 1;
            self.chained += usize::from(std::mem::replace(&mut further, true));
            if self.chained > MAX_CHAINED {
                return Err(XPathError::TooLarge(format!("it has more than {MAX_CHAINED} operators in a row")));
            }
            let right = operand(self)?;
            left = Ast::Binary(*operator, Box::new((left, right)));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Ast<'t>, XPathError> {
        let (mut signs, mut negative) = (false, false);
        while self.take(Token::Minus) {
            signs = true;
            negative = !negative;
        }
        let operand = self.several(Token::Union, Ast::Union, Self::path)?;
        Ok(match (signs, negative) {
            (false, _) => operand,
            (true, true) => Ast::Negated(Box::new(operand)),
            // Still a number.
            (true, false) => Ast::Negated(Box::new(Ast::Negated(Box::new(operand)))),
        })
    }

    fn path(&mut self) -> Result<Ast<'t>, XPathError> {
        let mut steps = Vec::new();
        let start = match self.peek() {
            Some(Token::Slash) => {
                self.next += 1;
                if !self.starts_step() {
                    return Ok(Ast::Path(AstPath { start: AstStart::Root, steps }));
                }
                steps.push(self.step()?);
                AstStart::Root
            }
            Some(Token::SlashSlash) => {
                steps.push(self.any_below());
                steps.push(self.step()?);
                AstStart::Root
            }
            _ if self.starts_primary() => {
                let primary = self.primary()?;
                let predicates = self.predicates()?;
                if predicates.is_empty() && !matches!(self.peek(), Some(Token::Slash | Token::SlashSlash)) {
                    return Ok(primary);
                }
                AstStart::Filter(Box::new(primary), predicates)
            }
            _ => {
                steps.push(self.step()?);
                AstStart::Context
            }
        };
        loop {
            match self.peek() {
                Some(Token::Slash) => self.next += 1,
                Some(Token::SlashSlash) => steps.push(self.any_below()),
                _ => return Ok(Ast::Path(AstPath { start, steps })),
            }
            steps.push(self.step()?);
        }
    }

    /// What `//` stands for, behind the step before.
    fn any_below(&mut self) -> AstStep<'t> {
        self.next += 1;
        AstStep { axis: Axis::DescendantOrSelf, test: AstTest::Node, predicates: Vec::new() }
    }

    fn starts_step(&self) -> bool {
        matches!(self.peek(), Some(Token::Name(..) | Token::Wildcard(_) | Token::Dot | Token::DotDot | Token::At))
    }

    fn starts_primary(&self) -> bool {
        match self.peek() {
            Some(Token::Number(_) | Token::Literal(_) | Token::Open) => true,
            Some(Token::Name(_, name)) => self.peek_behind() == Some(Token::Open) && node_type(name).is_none(),
            _ => false,
        }
    }

    fn primary(&mut self) -> Result<Ast<'t>, XPathError> {
        let offset = self.offset();
        let token = self.peek();
        self.next += 1;
        match token {
            Some(Token::Number(number)) => Ok(Ast::Number(number)),
            Some(Token::Literal(text)) => Ok(Ast::Literal(text)),
            Some(Token::Open) => {
                let inner = self.expression()?;
                self.expect(Token::Close, "\")\"")?;
                Ok(inner)
            }
            Some(Token::Name(prefix, name)) => {
                if let Some(prefix) = prefix {
                    return Err(XPathError::syntax(offset, format!("there is no function {prefix}:{name}()")));
                }
                self.expect(Token::Open, "\"(\"")?;
                let mut arguments = Vec::new();
                if !self.take(Token::Close) {
                    loop {
                        arguments.push(self.expression()?);
                        if !self.take(Token::Comma) {
                            break;
                        }
                    }
                    self.expect(Token::Close, "\")\"")?;
                }
                Ok(Ast::Call { name, arguments, offset })
            }
            _ => Err(XPathError::syntax(offset, "an expression is missing")),
        }
    }

    fn step(&mut self) -> Result<AstStep<'t>, XPathError> {
        let offset = self.offset();
        let short = |axis| AstStep { axis, test: AstTest::Node, predicates: Vec::new() };
        if self.take(Token::Dot) {
            return Ok(short(Axis::Itself));
        }
        if self.take(Token::DotDot) {
            return Ok(short(Axis::Parent));
        }
        let axis = if self.take(Token::At) {
            Axis::Empty
        } else if let (Some(Token::Name(None, name)), Some(Token::ColonColon)) = (self.peek(), self.peek_behind()) {
            self.next += 2;
            axis(name).ok_or_else(|| XPathError::syntax(offset, format!("\"{name}\" is no axis")))?
        } else {
            Axis::Child
        };
        let test = self.test()?;
        Ok(AstStep { axis, test, predicates: self.predicates()? })
    }

    fn test(&mut self) -> Result<AstTest<'t>, XPathError> {
        let offset = self.offset();
        let token = self.peek();
        self.next += 1;
        match token {
            Some(Token::Wildcard(prefix)) => Ok(AstTest::Wildcard(prefix)),
            Some(Token::Name(prefix, name)) if self.peek() == Some(Token::Open) => {
                let test = node_type(name).filter(|_| prefix.is_none());
                let test = test.ok_or_else(|| XPathError::syntax(offset, format!("\"{name}\" is no type of node")))?;
                self.next += 1;
                if name == "processing-instruction" && matches!(self.peek(), Some(Token::Literal(_))) {
                    self.next += 1;
                }
                self.expect(Token::Close, "\")\"")?;
                Ok(test)
            }
            Some(Token::Name(prefix, name)) => Ok(AstTest::Name(prefix, name)),
            _ => Err(XPathError::syntax(offset, "a step is missing")),
        }
    }

    fn predicates(&mut self) -> Result<Vec<Ast<'t>>, XPathError> {
        let mut predicates = Vec::new();
        while self.take(Token::OpenPredicate) {
            predicates.push(self.expression()?);
            self.expect(Token::ClosePredicate, "\"]\"")?;
        }
        Ok(predicates)
    }

    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).map(|(token, _)| *token)
    }

    fn peek_behind(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next + 1).map(|(token, _)| *token)
    }

    fn offset(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(_, offset)| *offset)
    }

    fn take(&mut self, token: Token<'t>) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, token: Token<'t>, what: &str) -> Result<(), XPathError> {
        if self.take(token) {
            return Ok(());
        }
        Err(XPathError::syntax(self.offset(), format!("{what} is missing")))
    }
}

fn node_type(name: &str) -> Option<AstTest<'static>> {
    match name {
        "node" => Some(AstTest::Node),
        "text" => Some(AstTest::Text),
        "comment" | "processing-instruction" => Some(AstTest::None),
        _ => None,
    }
}

fn axis(name: &str) -> Option<Axis> {
    Some(match name {
        "child" => Axis::Child,
        "descendant" => Axis::Descendant,
        "descendant-or-self" => Axis::DescendantOrSelf,
        "parent" => Axis::Parent,
        "ancestor" => Axis::Ancestor,
        "ancestor-or-self" => Axis::AncestorOrSelf,
        "self" => Axis::Itself,
        "following-sibling" => Axis::FollowingSibling,
        "preceding-sibling" => Axis::PrecedingSibling,
        "following" => Axis::Following,
        "preceding" => Axis::Preceding,
        "attribute" | "namespace" => Axis::Empty,
        _ => return None,
    })
}
