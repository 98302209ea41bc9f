//! Filters.

use http::HeaderValue;
use portcullis_ir::filter::{
    Allowed, Cors, Filter, Header, HeaderEdits, HttpScheme, Mirror, PathRewrite, Redirect, Rewrite,
    Share,
};

use super::matcher::{header_name, header_value, method};
use super::{each, enum_value, id_in, optional, present, required, u16_of, unspecified};
use crate::error::{At, Cause, InvalidField};
use crate::messages::{self, filter, path_rewrite};

pub(super) fn filter(message: messages::Filter) -> Result<Filter, InvalidField> {
    let messages::Filter { kind } = message;
    Ok(match present(kind, "kind")? {
        filter::Kind::RequestHeaders(message) => {
            Filter::RequestHeaders(edits(message).at("request_headers")?)
        }
        filter::Kind::ResponseHeaders(message) => {
            Filter::ResponseHeaders(edits(message).at("response_headers")?)
        }
        filter::Kind::Redirect(message) => Filter::Redirect(redirect(message).at("redirect")?),
        filter::Kind::Rewrite(message) => Filter::Rewrite(rewrite(message).at("rewrite")?),
        filter::Kind::Mirror(message) => Filter::Mirror(mirror(message).at("mirror")?),
        filter::Kind::Cors(message) => Filter::Cors(cors(message).at("cors")?),
    })
}

fn edits(message: messages::HeaderEdits) -> Result<HeaderEdits, InvalidField> {
    let messages::HeaderEdits { set, add, remove } = message;
    Ok(HeaderEdits {
        set: each(set, "set", header)?,
        add: each(add, "add", header)?,
        remove: each(remove, "remove", header_name)?,
    })
}

fn header(message: messages::Header) -> Result<Header, InvalidField> {
    let messages::Header { name, value } = message;
    Ok(Header {
        name: header_name(name).at("name")?,
        value: header_value(value).at("value")?,
    })
}

fn redirect(message: messages::Redirect) -> Result<Redirect, InvalidField> {
    const ALLOWED: [u16; 5] = [301, 302, 303, 307, 308];
    let messages::Redirect {
        scheme,
        hostname,
        port,
        path,
        status,
    } = message;
    let allowed = ALLOWED.into_iter().find(|code| u32::from(*code) == status);
    let status = allowed.ok_or_else(|| Cause::OutOfRange(status).into());
    Ok(Redirect {
        scheme: scheme.map(redirect_scheme).transpose()?,
        hostname,
        port: optional(port, "port", u16_of)?,
        path: optional(path, "path", path_rewrite)?,
        status: status.at("status")?,
    })
}

fn redirect_scheme(value: i32) -> Result<HttpScheme, InvalidField> {
    Ok(match enum_value(value, "scheme")? {
        messages::RedirectScheme::Http => HttpScheme::Http,
        messages::RedirectScheme::Https => HttpScheme::Https,
        messages::RedirectScheme::Unspecified => return unspecified("scheme"),
    })
}

fn rewrite(message: messages::Rewrite) -> Result<Rewrite, InvalidField> {
    let messages::Rewrite { hostname, path } = message;
    let hostname: Option<HeaderValue> = optional(hostname, "hostname", header_value)?;
    let path = optional(path, "path", path_rewrite)?;
    Ok(Rewrite { hostname, path })
}

fn path_rewrite(message: messages::PathRewrite) -> Result<PathRewrite, InvalidField> {
    let messages::PathRewrite { kind } = message;
    Ok(match present(kind, "kind")? {
        path_rewrite::Kind::Full(path) => PathRewrite::Full(path),
        path_rewrite::Kind::Prefix(prefix) => PathRewrite::Prefix(prefix),
    })
}

fn mirror(message: messages::Mirror) -> Result<Mirror, InvalidField> {
    let messages::Mirror {
        backend,
        numerator,
        denominator,
    } = message;
    let share = Share::new(numerator, denominator);
    let share = share.ok_or_else(|| Cause::OutOfRange(numerator).into());
    Ok(Mirror {
        backend: id_in(backend).at("backend")?,
        share: share.at("numerator")?,
    })
}

fn cors(message: messages::Cors) -> Result<Cors, InvalidField> {
    let messages::Cors {
        origins,
        credentials,
        methods,
        request_headers,
        exposed_headers,
        max_age,
    } = message;
    let origin = |text: String| text.parse().map_err(|error| Cause::Origin(error).into());
    Ok(Cors {
        origins: required(origins, "origins", |list| allowed(list, origin))?,
        credentials,
        methods: required(methods, "methods", |list| allowed(list, method))?,
        request_headers: required(request_headers, "request_headers", |list| {
            allowed(list, header_name)
        })?,
        exposed_headers: required(exposed_headers, "exposed_headers", |list| {
            allowed(list, header_name)
        })?,
        max_age,
    })
}

fn allowed<T>(
    message: messages::Allowed,
    one: impl Fn(String) -> Result<T, InvalidField>,
) -> Result<Allowed<T>, InvalidField> {
    let messages::Allowed { all, these } = message;
    Ok(if all {
        Allowed::All
    } else {
        Allowed::These(each(these, "these", one)?)
    })
}
