//! Tokens to expressions.

use regex::Regex;

use super::lex::Token;

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Expr>),
    Name(String),
    /// `of.field`
    Field(Box<Expr>, String),
    /// `has(of.field)`
    Has(Box<Expr>, String),
    /// `of[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `name(args)`, or `args[0].name(args[1..])`.
    Call(String, Vec<Expr>),
    /// `text.matches(pattern)`
    Matches(Box<Expr>, Regex),
    /// `list.all(name, body)` and its kin.
    Each {
        each: Each,
        list: Box<Expr>,
        name: String,
        body: Box<Expr>,
    },
    Not(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `condition ? yes : no`
    Choose(Box<[Expr; 3]>),
}

/// What is done with the items of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
}

/// How deep expressions may nest.
const MAX_DEPTH: usize = 64;

/// The expression that the tokens are.
pub(super) fn parse(tokens: &[Token]) -> Result<Expr, String> {
    let mut parser = Parser { tokens, depth: 0 };
    let expr = parser.expr()?;
    match parser.tokens.first() {
        None => Ok(expr),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn expr(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        let condition = self.binary(0)?;
        let expr = if self.accept("?") {
            let yes = self.expr()?;
            self.expect(":")?;
            let no = self.expr()?;
            Expr::Choose(Box::new([condition, yes, no]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// Operands joined by operators that bind at least this tightly.
    fn binary(&mut self, tightness: u8) -> Result<Expr, String> {
        let mut left = self.unary()?;
        while let Some((operator, binds)) = self.tokens.first().and_then(operator) {
            if binds < tightness {
                break;
            }
            self.skip();
            let right = self.binary(binds + 1)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, String> {
        if self.accept("!") {
            return Ok(Expr::Not(Box::new(self.unary()?)));
        }
        let mut expr = self.primary()?;
        loop {
            if self.accept(".") {
                let name = self.name()?;
                expr = if self.accept("(") {
                    let args = self.list(")")?;
                    member_call(expr, name, args)?
                } else {
                    Expr::Field(Box::new(expr), unescape(name))
                };
            } else if self.accept("[") {
                let index = self.expr()?;
                self.expect("]")?;
                expr = Expr::Index(Box::new(expr), Box::new(index));
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, String> {
        let Some((token, rest)) = self.tokens.split_first() else {
            return Err("the expression ends early".to_owned());
        };
        self.tokens = rest;
        match token {
            Token::Int(number) => Ok(Expr::Int(*number)),
            Token::Text(text) => Ok(Expr::Text(text.clone())),
            Token::Sign("(") => {
                let expr = self.expr()?;
                self.expect(")")?;
                Ok(expr)
            }
            Token::Sign("[") => Ok(Expr::List(self.list("]")?)),
            Token::Sign(sign) => Err(format!("unexpected {sign}")),
            Token::Name(name) => match name.as_str() {
                "true" => Ok(Expr::Bool(true)),
                "false" => Ok(Expr::Bool(false)),
                _ if self.accept("(") => {
                    let args = self.list(")")?;
                    call(name.clone(), args)
                }
                _ => Ok(Expr::Name(name.clone())),
            },
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        if self.accept(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expr()?);
            if self.accept(end) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.tokens.split_first() {
            Some((Token::Name(name), rest)) => {
                self.tokens = rest;
                Ok(name.clone())
            }
            other => Err(format!("a name is missing at {other:?}")),
        }
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Sign(s)) if *s == sign);
        if found {
            self.skip();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.accept(sign) {
            Ok(())
        } else {
            Err(format!("{sign} is missing at {:?}", self.tokens.first()))
        }
    }

    fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }
}

/// An operator and how tightly it binds.
fn operator(token: &Token) -> Option<(Operator, u8)> {
    Some(match token {
        Token::Sign("||") => (Operator::Or, 0),
        Token::Sign("&&") => (Operator::And, 1),
        Token::Sign("==") => (Operator::Equal, 2),
        Token::Sign("!=") => (Operator::NotEqual, 2),
        Token::Sign("<") => (Operator::Less, 2),
        Token::Sign("<=") => (Operator::LessOrEqual, 2),
        Token::Sign(">") => (Operator::Greater, 2),
        Token::Sign(">=") => (Operator::GreaterOrEqual, 2),
        Token::Name(name) if name == "in" => (Operator::In, 2),
        Token::Sign("+") => (Operator::Add, 3),
        Token::Sign("-") => (Operator::Subtract, 3),
        _ => return None,
    })
}

fn call(name: String, mut args: Vec<Expr>) -> Result<Expr, String> {
    if name != "has" {
        return Ok(Expr::Call(name, args));
    }
    match (args.pop(), args.is_empty()) {
        (Some(Expr::Field(of, field)), true) => Ok(Expr::Has(of, field)),
        _ => Err("has() takes a field".to_owned()),
    }
}

fn member_call(target: Expr, name: String, mut args: Vec<Expr>) -> Result<Expr, String> {
    let each = match name.as_str() {
        "all" => Each::All,
        "exists" => Each::Exists,
        "exists_one" => Each::ExistsOne,
        "filter" => Each::Filter,
        "matches" => {
            let [Expr::Text(pattern)] = args.as_slice() else {
                return Err("matches() takes a text".to_owned());
            };
            let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
            return Ok(Expr::Matches(Box::new(target), regex));
        }
        _ => {
            args.insert(0, target);
            return Ok(Expr::Call(name, args));
        }
    };
    match (args.pop(), args.pop(), args.is_empty()) {
        (Some(body), Some(Expr::Name(item)), true) => Ok(Expr::Each {
            each,
            list: Box::new(target),
            name: item,
            body: Box::new(body),
        }),
        _ => Err(format!("{name}() takes a name and an expression")),
    }
}

/// Kubernetes writes fields whose names are reserved words as `__namespace__`.
fn unescape(name: String) -> String {
    let inner = name.strip_prefix("__").and_then(|n| n.strip_suffix("__"));
    match inner {
        Some(inner) => inner.to_owned(),
        None => name,
    }
}
