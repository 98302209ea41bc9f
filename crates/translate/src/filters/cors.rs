//! CORS (GEP-1767).

use http::Method;
use portcullis_api::route::CorsFilter;
use portcullis_ir::filter::{Allowed, Cors};

use super::BadFilter;
use crate::patterns::header_name;

/// What stands for all.
const ALL: &str = "*";

pub(super) fn lower(cors: &CorsFilter) -> Result<Cors, BadFilter> {
    let CorsFilter {
        allow_origins,
        allow_credentials,
        allow_methods,
        allow_headers,
        expose_headers,
        max_age: _,
    } = cors;
    alone("allowOrigins", allow_origins)?;
    alone("allowMethods", allow_methods)?;
    alone("allowHeaders", allow_headers)?;
    let header = |name: &str| Ok(header_name(name)?);
    Ok(Cors {
        origins: allowed(allow_origins, |text| Ok(text.parse()?))?,
        credentials: allow_credentials.unwrap_or_default(),
        methods: allowed(allow_methods, method)?,
        request_headers: allowed(allow_headers, header)?,
        exposed_headers: allowed(expose_headers, header)?,
        max_age: cors.max_age(),
    })
}

/// "AllowOrigins cannot contain '*' alongside other origins", and the same of methods and headers:
/// rules of the schema.
fn alone(field: &'static str, texts: &[String]) -> Result<(), BadFilter> {
    let has_others = texts.len() > 1;
    if has_others && texts.iter().any(|text| text == ALL) {
        return Err(BadFilter::AllAndOthers { field });
    }
    Ok(())
}

fn allowed<T>(
    texts: &[String],
    read: impl Fn(&str) -> Result<T, BadFilter>,
) -> Result<Allowed<T>, BadFilter> {
    if texts.iter().any(|text| text == ALL) {
        return Ok(Allowed::All);
    }
    let these = texts.iter().map(|text| read(text));
    Ok(Allowed::These(these.collect::<Result<_, _>>()?))
}

/// "Method names are case-sensitive, so these values are also case-sensitive."
/// (`HTTPCORSFilter.AllowMethods`)
fn method(name: &str) -> Result<Method, BadFilter> {
    Method::from_bytes(name.as_bytes()).map_err(|_| BadFilter::Method(name.to_owned()))
}
