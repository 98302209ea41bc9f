//! What an unquoted word means.

use serde_json::{Number, Value as Json};

/// The value of a plain (unquoted) scalar, as `kubectl` reads it: YAML 1.2 numbers, and YAML 1.1's
/// `yes`, `no`, `on`, `off` as booleans too. What a JSON number cannot hold stays text.
pub(super) fn resolve(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Json::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Json::Bool(false)
        }
        _ if starts_like_number(text) => {
            number(text).map_or_else(|| Json::String(text.to_owned()), Json::Number)
        }
        _ => Json::String(text.to_owned()),
    }
}

fn starts_like_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some((digits, radix)) = radix(unsigned) {
        let value = i64::from_str_radix(digits, radix).ok()?;
        let negative = text.starts_with('-');
        return Some(Number::from(if negative { -value } else { value }));
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) && !unsigned.is_empty() {
        return text.parse::<i64>().map(Number::from).ok();
    }
    decimal(unsigned)
        .then(|| text.parse().ok())?
        .and_then(Number::from_f64)
}

/// The digits and the base of an integer that is not decimal.
fn radix(unsigned: &str) -> Option<(&str, u32)> {
    let (digits, radix) = match unsigned.as_bytes() {
        [b'0', b'x', ..] => (unsigned.get(2..)?, 16),
        [b'0', b'o', ..] => (unsigned.get(2..)?, 8),
        [b'0', b'b', ..] => (unsigned.get(2..)?, 2),
        [b'0', b'0'..=b'7', ..] => (unsigned.get(1..)?, 8),
        _ => return None,
    };
    let all = digits.chars().all(|c| c.is_digit(radix)) && !digits.is_empty();
    all.then_some((digits, radix))
}

/// `1.5`, `.5`, `1e3`, `1.`: digits around at most one point, then perhaps an exponent.
fn decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_is_number = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_is_number
}
