//! A request told back to its sender.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

/// The longest body that is told back.
pub(super) const MAX_ECHO: usize = 1024 * 1024;

/// How long its arrival may take.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// A request's head as a document.
#[derive(Debug)]
pub(super) struct Echo {
    method: String,
    document: Map<String, Value>,
}

impl Echo {
    pub(super) fn of(request: &Request<Incoming>, peer: IpAddr) -> Self {
        let headers = request.headers();
        let mut document = Map::new();
        let mut insert = |name: &str, value: Value| document.insert(name.to_owned(), value);
        insert("args", arguments(request.uri().query().unwrap_or_default()));
        insert("headers", with_host(request));
        insert("origin", origin(headers, peer).into());
        insert("url", url(request).into());
        Self {
            method: request.method().to_string(),
            document,
        }
    }

    pub(super) fn without_body(self) -> Value {
        Value::Object(self.document)
    }

    pub(super) fn with_body(self, content: &Bytes) -> Value {
        let Self {
            method,
            mut document,
        } = self;
        let json: Option<Value> = serde_json::from_slice(content).ok();
        document.insert("method".to_owned(), method.into());
        document.insert("data".to_owned(), lossy(content).into());
        document.insert("json".to_owned(), json.into());
        Value::Object(document)
    }
}

/// The whole body, unless it is too long, cut short or too slow.
pub(super) async fn read(
    body: Incoming,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    // What declares to be too long need not be sent (Expect: 100-continue).
    if body.size_hint().lower() > MAX_ECHO as u64 {
        return Err("declared too long".into());
    }
    let collected = Limited::new(body, MAX_ECHO).collect();
    Ok(timeout(READ_TIMEOUT, collected).await??.to_bytes())
}

/// `{"User-Agent": "curl/8"}`: names as people write them, values of one name joined.
pub(super) fn headers(headers: &HeaderMap) -> Value {
    let named = headers.keys().map(|name| {
        let value = values(headers, name.as_str());
        (capitalized(name.as_str()), value)
    });
    Value::Object(named.collect())
}

/// The values of a header joined by `,`; null if it is not there.
pub(super) fn values(headers: &HeaderMap, name: &str) -> Value {
    let values = headers.get_all(name).iter();
    let values: Vec<String> = values.map(|value| lossy(value.as_bytes())).collect();
    if values.is_empty() {
        Value::Null
    } else {
        values.join(",").into()
    }
}

/// Where the request came from, as the proxies on its way say, or else the peer.
pub(super) fn origin(headers: &HeaderMap, peer: IpAddr) -> String {
    match values(headers, "x-forwarded-for") {
        Value::String(forwarded) => forwarded,
        _ => peer.to_canonical().to_string(),
    }
}

/// HTTP/2 has `:authority` where HTTP/1.1 has Host.
fn with_host(request: &Request<Incoming>) -> Value {
    let mut named = headers(request.headers());
    if let (Some(fields), Some(authority)) = (named.as_object_mut(), request.uri().authority()) {
        fields
            .entry("Host")
            .or_insert_with(|| authority.as_str().into());
    }
    named
}

fn url(request: &Request<Incoming>) -> String {
    let uri = request.uri();
    let host = match (uri.authority(), request.headers().get(HOST)) {
        (Some(authority), _) => authority.to_string(),
        (None, Some(host)) => lossy(host.as_bytes()),
        (None, None) => String::new(),
    };
    let scheme = match values(request.headers(), "x-forwarded-proto") {
        Value::String(scheme) => scheme,
        _ => "http".to_owned(),
    };
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    format!("{scheme}://{host}{target}")
}

/// `{"a": "1", "b": ["2", "3"]}`, percent-decoded.
fn arguments(query: &str) -> Value {
    let mut arguments = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Value::from(decoded(value));
        arguments
            .entry(decoded(name))
            .and_modify(|earlier| match earlier {
                Value::Array(values) => values.push(value.clone()),
                single => *single = json!([single, value]),
            })
            .or_insert(value);
    }
    Value::Object(arguments)
}

/// `+` is a blank, `%41` an `A`; a `%` without two digits stays.
fn decoded(text: &str) -> String {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escaped = match byte {
            b'%' => text.get(at + 1..at + 3).and_then(hex_byte),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    lossy(&bytes)
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

fn capitalized(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_decoded_and_repeated_ones_listed() {
        let cases = [
            ("", json!({})),
            ("a=1&b", json!({"a": "1", "b": ""})),
            ("a=1&a=2&a=3", json!({"a": ["1", "2", "3"]})),
            ("a%20b=c+d%2Be&x=%zz%", json!({"a b": "c d+e", "x": "%zz%"})),
            ("u=%C3%BC", json!({"u": "ü"})),
        ];
        for (query, expected) in cases {
            assert_eq!(arguments(query), expected, "{query}");
        }
    }

    #[test]
    fn header_names_are_written_as_people_write_them() {
        for (name, expected) in [("user-agent", "User-Agent"), ("x--a", "X--A"), ("te", "Te")] {
            assert_eq!(capitalized(name), expected);
        }
    }
}
