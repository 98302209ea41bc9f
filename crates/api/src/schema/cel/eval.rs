//! Expressions to values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

use super::parse::{Each, Expr, Operator};
use super::value::Value;

type Outcome<'a> = Result<Value<'a>, String>;

/// The names that an expression may use.
pub(super) struct Scope<'s, 'a> {
    name: &'s str,
    value: Value<'a>,
    outer: Option<&'s Scope<'s, 'a>>,
}

impl<'a> Scope<'_, 'a> {
    /// Only `self`.
    pub(super) fn root(value: Value<'a>) -> Self {
        Scope {
            name: "self",
            value,
            outer: None,
        }
    }

    fn find(&self, name: &str) -> Option<&Value<'a>> {
        if self.name == name {
            Some(&self.value)
        } else {
            self.outer?.find(name)
        }
    }
}

/// The value of an expression.
pub(super) fn eval<'a>(expr: &'a Expr, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    match expr {
        Expr::Bool(value) => Ok(Value::Bool(*value)),
        Expr::Int(value) => Ok(Value::Int(*value)),
        Expr::Text(text) => Ok(Value::Text(Cow::Borrowed(text))),
        Expr::List(items) => {
            let items = items.iter().map(|item| eval(item, scope));
            Ok(Value::List(items.collect::<Result<_, _>>()?))
        }
        Expr::Name(name) => name_value(name, scope),
        Expr::Field(of, name) => {
            let of = eval(of, scope)?;
            field(&of, name)?.ok_or_else(|| format!("no such key: {name}"))
        }
        Expr::Has(of, name) => {
            let of = eval(of, scope)?;
            Ok(Value::Bool(field(&of, name)?.is_some()))
        }
        Expr::Index(of, index) => item(eval(of, scope)?, &eval(index, scope)?),
        Expr::Call(name, args) => {
            let args = args.iter().map(|arg| eval(arg, scope));
            call(name, &args.collect::<Result<Vec<_>, _>>()?)
        }
        Expr::Matches(text, regex) => match eval(text, scope)? {
            Value::Text(text) => Ok(Value::Bool(regex.is_match(&text))),
            other => Err(format!("{} cannot match", other.type_name())),
        },
        Expr::Each {
            each,
            list,
            name,
            body,
        } => for_each(*each, eval(list, scope)?, name, body, scope),
        Expr::Not(expr) => Ok(Value::Bool(!truth(eval(expr, scope))?)),
        Expr::Binary(operator, left, right) => binary(*operator, left, right, scope),
        Expr::Choose(parts) => {
            let [condition, yes, no] = parts.as_ref();
            let chosen = if truth(eval(condition, scope))? {
                yes
            } else {
                no
            };
            eval(chosen, scope)
        }
    }
}

fn name_value<'a>(name: &str, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    match (scope.find(name), name) {
        (Some(value), _) => Ok(value.clone()),
        (None, "format") => Ok(Value::Null),
        (None, _) => Err(format!("no such name: {name}")),
    }
}

fn field<'a>(of: &Value<'a>, name: &str) -> Result<Option<Value<'a>>, String> {
    match of {
        Value::Map(map) => Ok(map.get(name).map(Value::from_json)),
        other => Err(format!("{} has no fields", other.type_name())),
    }
}

fn item<'a>(of: Value<'a>, index: &Value<'a>) -> Outcome<'a> {
    match (of, index) {
        (Value::List(items), Value::Int(index)) => usize::try_from(*index)
            .ok()
            .and_then(|index| items.into_iter().nth(index))
            .ok_or_else(|| "index out of range".to_owned()),
        (of, _) => Err(format!("{} has no items", of.type_name())),
    }
}

fn truth(value: Outcome<'_>) -> Result<bool, String> {
    match value? {
        Value::Bool(value) => Ok(value),
        other => Err(format!("{} is no condition", other.type_name())),
    }
}

fn binary<'a>(
    operator: Operator,
    left: &'a Expr,
    right: &'a Expr,
    scope: &Scope<'_, 'a>,
) -> Outcome<'a> {
    let left = eval(left, scope);
    // An operand that decides the result does so even if the other one fails (CEL language
    // definition, "Logical Operators").
    if let Operator::And | Operator::Or = operator {
        let decides = operator == Operator::Or;
        let left = truth(left);
        if left == Ok(decides) {
            return Ok(Value::Bool(decides));
        }
        let right = truth(eval(right, scope))?;
        return match left {
            Err(error) if right != decides => Err(error),
            _ => Ok(Value::Bool(right)),
        };
    }
    let (left, right) = (left?, eval(right, scope)?);
    match operator {
        Operator::Equal => Ok(Value::Bool(left == right)),
        Operator::NotEqual => Ok(Value::Bool(left != right)),
        Operator::In => contains(&left, &right),
        Operator::Add => arithmetic(&left, &right, i64::checked_add),
        Operator::Subtract => arithmetic(&left, &right, i64::checked_sub),
        Operator::Less => compare(&left, &right, Ordering::is_lt),
        Operator::LessOrEqual => compare(&left, &right, Ordering::is_le),
        Operator::Greater => compare(&left, &right, Ordering::is_gt),
        Operator::GreaterOrEqual => compare(&left, &right, Ordering::is_ge),
        Operator::And | Operator::Or => Err("not reached".to_owned()),
    }
}

fn contains<'a>(needle: &Value<'a>, hay: &Value<'a>) -> Outcome<'a> {
    match (needle, hay) {
        (_, Value::List(items)) => Ok(Value::Bool(items.contains(needle))),
        (Value::Text(key), Value::Map(map)) => Ok(Value::Bool(map.contains_key(key.as_ref()))),
        (_, other) => Err(format!("{} holds nothing", other.type_name())),
    }
}

fn arithmetic<'a>(
    left: &Value<'a>,
    right: &Value<'a>,
    compute: fn(i64, i64) -> Option<i64>,
) -> Outcome<'a> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => compute(*left, *right)
            .map(Value::Int)
            .ok_or_else(|| "overflow".to_owned()),
        _ => Err(format!("{} is no number", left.type_name())),
    }
}

fn compare<'a>(left: &Value<'a>, right: &Value<'a>, holds: fn(Ordering) -> bool) -> Outcome<'a> {
    left.compare(right)
        .map(|order| Value::Bool(holds(order)))
        .ok_or_else(|| format!("{} has no order here", left.type_name()))
}

fn for_each<'a>(
    each: Each,
    list: Value<'a>,
    name: &'a str,
    body: &'a Expr,
    scope: &Scope<'_, 'a>,
) -> Outcome<'a> {
    let items = match list {
        Value::List(items) => items,
        Value::Map(map) => map.keys().map(|key| Value::Text(key.into())).collect(),
        other => return Err(format!("{} has no items", other.type_name())),
    };
    let verdicts = items.iter().map(|item| {
        let inner = Scope {
            name,
            value: item.clone(),
            outer: Some(scope),
        };
        truth(eval(body, &inner))
    });
    match each {
        Each::All => decide(verdicts, false),
        Each::Exists => decide(verdicts, true),
        Each::ExistsOne => {
            let mut count = 0;
            for verdict in verdicts {
                count += usize::from(verdict?);
            }
            Ok(Value::Bool(count == 1))
        }
        Each::Filter => {
            let verdicts: Vec<bool> = verdicts.collect::<Result<_, _>>()?;
            let kept = items.iter().zip(verdicts).filter(|(_, keep)| *keep);
            Ok(Value::List(kept.map(|(item, _)| item.clone()).collect()))
        }
    }
}

/// The verdict that decides, if any item has it; errors count only if none has.
fn decide<'a>(verdicts: impl Iterator<Item = Result<bool, String>>, decides: bool) -> Outcome<'a> {
    let mut failure = None;
    for verdict in verdicts {
        match verdict {
            Ok(verdict) if verdict == decides => return Ok(Value::Bool(decides)),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Ok(Value::Bool(!decides)),
    }
}

fn call<'a>(name: &str, args: &[Value<'a>]) -> Outcome<'a> {
    use Value::{Bool, Duration, Errors, Int, List, Map, Null, SubdomainFormat, Text};
    match (name, args) {
        ("size", [List(items)]) => Ok(count(items.len())),
        ("size", [Map(map)]) => Ok(count(map.len())),
        ("size", [Text(text)]) => Ok(count(text.chars().count())),
        ("startsWith", [Text(text), Text(part)]) => Ok(Bool(text.starts_with(part.as_ref()))),
        ("endsWith", [Text(text), Text(part)]) => Ok(Bool(text.ends_with(part.as_ref()))),
        ("contains", [Text(text), Text(part)]) => Ok(Bool(text.contains(part.as_ref()))),
        ("split", [Text(text), Text(by)]) => {
            let parts = text.split(by.as_ref());
            Ok(List(
                parts.map(|part| Text(part.to_owned().into())).collect(),
            ))
        }
        ("substring", [Text(text), Int(start)]) => {
            let start = usize::try_from(*start).map_err(|error| error.to_string())?;
            Ok(Text(text.chars().skip(start).collect()))
        }
        ("isIP", [Text(text)]) => Ok(Bool(text.parse::<IpAddr>().is_ok())),
        ("duration", [Text(text)]) => duration(text).map(Duration),
        ("dns1123Subdomain", [Null]) => Ok(SubdomainFormat),
        ("validate", [SubdomainFormat, Text(text)]) => Ok(Errors(subdomain_error(text))),
        ("hasValue", [Errors(errors)]) => Ok(Bool(errors.is_some())),
        _ => {
            let types: Vec<&str> = args.iter().map(Value::type_name).collect();
            Err(format!("no such function: {name} of {}", types.join(", ")))
        }
    }
}

fn count<'a>(n: usize) -> Value<'a> {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// A duration of Go, such as `1h30m` or `0s`, in nanoseconds.
fn duration(text: &str) -> Result<i64, String> {
    const UNITS: [(&str, i64); 6] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    let bad = || format!("no duration: {text}");
    let mut rest = text;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, tail) = rest.split_at(end);
        let (unit, tail) = UNITS
            .iter()
            .find_map(|(name, unit)| Some((*unit, tail.strip_prefix(name)?)))
            .ok_or_else(bad)?;
        let number: i64 = number.parse().map_err(|_| bad())?;
        total = number
            .checked_mul(unit)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(bad)?;
        rest = tail;
    }
    Ok(total)
}

fn subdomain_error(text: &str) -> Option<&'static str> {
    let fits = crate::names::is_dns_subdomain(text);
    (!fits).then_some("not a DNS subdomain")
}
