//! How parsed values are written for people: goldens, logs and the admin page.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use serde::Serializer;
use serde::ser::SerializeSeq;

pub(crate) fn header_name<S: Serializer>(name: &HeaderName, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(name.as_str())
}

pub(crate) fn header_names<S: Serializer>(names: &[HeaderName], s: S) -> Result<S::Ok, S::Error> {
    let mut seq = s.serialize_seq(Some(names.len()))?;
    for name in names {
        seq.serialize_element(name.as_str())?;
    }
    seq.end()
}

pub(crate) fn header_value<S: Serializer>(value: &HeaderValue, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&String::from_utf8_lossy(value.as_bytes()))
}

#[expect(clippy::ref_option, reason = "the signature serde asks for")]
pub(crate) fn method<S: Serializer>(method: &Option<Method>, s: S) -> Result<S::Ok, S::Error> {
    match method {
        Some(method) => s.serialize_some(method.as_str()),
        None => s.serialize_none(),
    }
}

/// DER is of no use to a reader: say only how long each certificate is.
pub(crate) fn summarize_der<S: Serializer>(ders: &[Arc<[u8]>], s: S) -> Result<S::Ok, S::Error> {
    let mut seq = s.serialize_seq(Some(ders.len()))?;
    for der in ders {
        seq.serialize_element(&format_args!("{} bytes", der.len()).to_string())?;
    }
    seq.end()
}
