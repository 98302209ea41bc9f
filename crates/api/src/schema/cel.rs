//! The part of the Common Expression Language that the rules of the Gateway API are written in.
//!
//! A test compiles every rule of the embedded schemas, so what a later version needs beyond it
//! shows when the schemas are updated. The general implementations were left aside for what they
//! would bring along (a parser generator's runtime, a time zone data base).

mod eval;
mod lex;
mod parse;
#[cfg(test)]
mod tests;
mod value;

use serde_json::Value as Json;

use self::eval::Scope;
use self::parse::Expr;
use self::value::Value;

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Program(Expr);

impl Program {
    /// Compiles a rule; fails with a message for who maintains the schemas.
    pub(super) fn compile(rule: &str) -> Result<Self, String> {
        parse::parse(&lex::tokens(rule)?).map(Self)
    }

    /// Whether the rule holds for `self`; fails if it cannot be told, which counts as "no".
    pub(super) fn holds(&self, object: &Json) -> Result<bool, String> {
        let scope = Scope::root(Value::from_json(object));
        match eval::eval(&self.0, &scope)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(format!("the rule yields {}", other.type_name())),
        }
    }
}
