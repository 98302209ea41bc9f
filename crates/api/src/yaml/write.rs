//! Values to YAML text, in the form that `kubectl get -o yaml` prints.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value as Json;

use super::scalar;

/// The YAML of a value: keys in alphabetical order, lists not indented.
///
/// Fails only if the value cannot be serialized, such as a map whose keys are not texts.
pub fn to_yaml(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    let value = serde_json::to_value(value)?;
    write_value(&mut out, &value, 0, Place::Root);
    Ok(out)
}

/// Where a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of a line.
    Root,
    /// After `key:`.
    Key,
    /// After `- `.
    Item,
}

fn write_value(out: &mut String, value: &Json, indent: usize, place: Place) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            if place == Place::Key {
                out.push('\n');
            }
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 || place != Place::Item {
                    pad(out, indent);
                }
                write_text(out, key, indent);
                out.push(':');
                let nested = indent + if value.is_array() { 0 } else { 2 };
                write_value(out, value, nested, Place::Key);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            if place == Place::Key {
                out.push('\n');
            }
            for (i, item) in items.iter().enumerate() {
                if i > 0 || place != Place::Item {
                    pad(out, indent);
                }
                out.push_str("- ");
                write_value(out, item, indent + 2, Place::Item);
            }
        }
        scalar => {
            if place == Place::Key {
                out.push(' ');
            }
            write_scalar(out, scalar, indent);
            out.push('\n');
        }
    }
}

fn write_scalar(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::String(text) => write_text(out, text, indent),
        Json::Array(_) => out.push_str("[]"),
        Json::Object(_) => out.push_str("{}"),
        other => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{other}");
        }
    }
}

fn write_text(out: &mut String, text: &str, indent: usize) {
    if let Some(body) = text.strip_suffix('\n').filter(|body| is_block(body)) {
        out.push_str("|\n");
        for (i, line) in body.split('\n').enumerate() {
            if i > 0 {
                out.push('\n');
            }
            if !line.is_empty() {
                pad(out, indent.max(2));
                out.push_str(line);
            }
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        write_quoted(out, text);
    }
}

/// A JSON string is a YAML one but for characters that YAML wants escaped too.
fn write_quoted(out: &mut String, text: &str) {
    for c in Json::String(text.to_owned()).to_string().chars() {
        if c.is_control()
            || matches!(
                c,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            )
        {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// Whether a text (without its last line feed) reads the same as a literal block.
fn is_block(body: &str) -> bool {
    body.contains('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && !body.ends_with('\n')
        && body
            .chars()
            .all(|c| c == '\n' || c == '\t' || (' '..='~').contains(&c))
}

/// Whether a text reads the same without quotes.
fn is_plain(text: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._/@+*()=,;$^!~?%<>|& ".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '.')
        && text.chars().all(safe)
        && !text.ends_with(' ')
        && matches!(scalar::resolve(text), Json::String(_))
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}
