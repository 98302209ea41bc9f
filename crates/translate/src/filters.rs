//! Filters, of rules and of backendRefs.

mod cors;
mod mirror;

use http::HeaderName;
use portcullis_api::route::{
    BackendRef, FilterType, HeaderModifier, HttpHeader, PathModifier, PathModifierType,
    RequestRedirect, RouteFilter, UrlRewrite,
};
use portcullis_api::status::ConditionReason;
use portcullis_ir::filter::{
    Filter, Header, HeaderEdits, HttpScheme, PathRewrite, Redirect, Rewrite,
};
use portcullis_ir::matcher::{HttpMatch, PathMatcher};
use portcullis_ir::origin::InvalidOrigin;
use portcullis_ir::{BackendId, HostPattern};

use crate::patterns::{BadPattern, header_name, header_value};
use crate::problem::Problem;

/// What cannot be served of a filter; completes "rules\[0\].filters\[1\]: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFilter {
    #[error("filter type {0} is not supported")]
    Type(String),
    #[error("filter type {kind} without the field {field}")]
    NoField { kind: String, field: &'static str },
    #[error("{0}")]
    Pattern(#[from] BadPattern),
    #[error("the header {name} belongs to the connection and cannot be modified")]
    ConnectionHeader { name: HeaderName },
    #[error("the header host cannot be modified; use a URLRewrite filter with hostname")]
    Host,
    #[error("{0:?} is not a hostname without wildcard")]
    Hostname(String),
    #[error("scheme {0:?} is not supported; http and https are")]
    Scheme(String),
    #[error("statusCode {0} is not supported; 301, 302, 303, 307 and 308 are")]
    StatusCode(u16),
    #[error("port 0 is no port")]
    Port,
    #[error("path type {0:?} is unknown")]
    PathType(String),
    #[error("path type {kind} without the field {field}")]
    NoPath {
        kind: &'static str,
        field: &'static str,
    },
    #[error("the path {0:?} does not begin with /, or is no part of a URL")]
    Path(String),
    #[error("ReplacePrefixMatch needs matches of type PathPrefix only")]
    PrefixWithoutPrefix,
    #[error("filter type {0} is given more than once")]
    Repeated(&'static str),
    #[error("RequestRedirect and URLRewrite cannot be combined")]
    RedirectAndRewrite,
    #[error("only one of percent and fraction may be given")]
    PercentAndFraction,
    #[error("{0} is no part of all requests")]
    Share(String),
    #[error("{0}")]
    Origin(#[from] InvalidOrigin),
    #[error("{field}: \"*\" stands for all and cannot be beside others")]
    AllAndOthers { field: &'static str },
    #[error("{0:?} is not a method")]
    Method(String),
}

impl BadFilter {
    /// As a problem of the part of the route at `path`.
    pub(crate) fn at(self, path: &str) -> Problem {
        let reason = match self {
            Self::Repeated(_) | Self::RedirectAndRewrite => ConditionReason::IncompatibleFilters,
            _ => ConditionReason::UnsupportedValue,
        };
        Problem::new(reason, format!("{path}: {self}"))
    }
}

/// Finds the backend of a mirror; `None` if its reference leads nowhere, which whoever finds notes.
pub(crate) type FindMirror<'f> = dyn FnMut(&BackendRef) -> Option<BackendId> + 'f;

/// Lowers the filters of a rule, or of a backendRef of it, in their order.
pub(crate) fn lower(
    filters: &[RouteFilter],
    matches: &[HttpMatch],
    mirror: &mut FindMirror<'_>,
) -> Result<Vec<Filter>, (usize, BadFilter)> {
    let mut lowered = Vec::with_capacity(filters.len());
    for (index, filter) in filters.iter().enumerate() {
        let filter = lower_one(filter, matches, mirror).map_err(|bad| (index, bad))?;
        let Some(filter) = filter else { continue };
        check_combination(&lowered, &filter).map_err(|bad| (index, bad))?;
        lowered.push(filter);
    }
    Ok(lowered)
}

/// "filters … may not be combined" holds for those of a rule and of its backendRef together too:
/// they would be done to the same request.
pub(crate) fn check_on_backend(rule: &[Filter], backend: &[Filter]) -> Result<(), BadFilter> {
    let redirects = |filters: &[Filter]| filters.iter().any(|it| matches!(it, Filter::Redirect(_)));
    let rewrites = |filters: &[Filter]| filters.iter().any(|it| matches!(it, Filter::Rewrite(_)));
    if redirects(rule) && rewrites(backend) || rewrites(rule) && redirects(backend) {
        return Err(BadFilter::RedirectAndRewrite);
    }
    Ok(())
}

/// "Specifying the same filter multiple times is not supported unless explicitly indicated in the
/// filter. All filters are expected to be compatible with each other except for the URLRewrite and
/// RequestRedirect filters, which may not be combined." (`HTTPRouteRule.Filters`)
fn check_combination(before: &[Filter], filter: &Filter) -> Result<(), BadFilter> {
    for other in before {
        match (other, filter) {
            (Filter::RequestHeaders(_), Filter::RequestHeaders(_)) => {
                return Err(BadFilter::Repeated("RequestHeaderModifier"));
            }
            (Filter::ResponseHeaders(_), Filter::ResponseHeaders(_)) => {
                return Err(BadFilter::Repeated("ResponseHeaderModifier"));
            }
            (Filter::Redirect(_), Filter::Redirect(_)) => {
                return Err(BadFilter::Repeated("RequestRedirect"));
            }
            (Filter::Rewrite(_), Filter::Rewrite(_)) => {
                return Err(BadFilter::Repeated("URLRewrite"));
            }
            (Filter::Cors(_), Filter::Cors(_)) => return Err(BadFilter::Repeated("CORS")),
            (Filter::Redirect(_), Filter::Rewrite(_))
            | (Filter::Rewrite(_), Filter::Redirect(_)) => {
                return Err(BadFilter::RedirectAndRewrite);
            }
            _ => {}
        }
    }
    Ok(())
}

/// `None` if it is a mirror whose backend cannot be had: "this BackendRef is invalid and must be
/// dropped from the Gateway" (`HTTPRequestMirrorFilter.BackendRef`).
fn lower_one(
    filter: &RouteFilter,
    matches: &[HttpMatch],
    mirror: &mut FindMirror<'_>,
) -> Result<Option<Filter>, BadFilter> {
    let RouteFilter {
        filter_type,
        request_header_modifier,
        response_header_modifier,
        request_mirror,
        request_redirect,
        url_rewrite,
        cors,
        external_auth: _,
        extension_ref: _,
    } = filter;
    let filter = match filter_type {
        FilterType::RequestHeaderModifier => {
            let given = given(
                request_header_modifier.as_ref(),
                filter_type,
                "requestHeaderModifier",
            )?;
            Filter::RequestHeaders(lower_headers(given)?)
        }
        FilterType::ResponseHeaderModifier => {
            let given = given(
                response_header_modifier.as_ref(),
                filter_type,
                "responseHeaderModifier",
            )?;
            Filter::ResponseHeaders(lower_headers(given)?)
        }
        FilterType::RequestRedirect => {
            let given = given(request_redirect.as_ref(), filter_type, "requestRedirect")?;
            Filter::Redirect(lower_redirect(given, matches)?)
        }
        FilterType::UrlRewrite => {
            let given = given(url_rewrite.as_ref(), filter_type, "urlRewrite")?;
            Filter::Rewrite(lower_rewrite(given, matches)?)
        }
        FilterType::RequestMirror => {
            let given = given(request_mirror.as_ref(), filter_type, "requestMirror")?;
            return Ok(mirror::lower(given, mirror)?.map(Filter::Mirror));
        }
        FilterType::Cors => Filter::Cors(cors::lower(given(cors.as_ref(), filter_type, "cors")?)?),
        // "Unknown values here must result in the implementation setting the Accepted Condition
        // for the Route to `status: False`, with a Reason of `UnsupportedValue`."
        // (`HTTPRouteFilter.Type`)
        FilterType::ExtensionRef | FilterType::ExternalAuth | FilterType::Other(_) => {
            return Err(BadFilter::Type(filter_type.to_string()));
        }
    };
    Ok(Some(filter))
}

fn given<'f, T>(
    settings: Option<&'f T>,
    kind: &FilterType,
    field: &'static str,
) -> Result<&'f T, BadFilter> {
    settings.ok_or_else(|| BadFilter::NoField {
        kind: kind.to_string(),
        field,
    })
}

fn lower_headers(modifier: &HeaderModifier) -> Result<HeaderEdits, BadFilter> {
    let HeaderModifier { set, add, remove } = modifier;
    let headers = |headers: &[HttpHeader]| {
        let headers = headers.iter().map(lower_header);
        headers.collect::<Result<Vec<_>, _>>()
    };
    Ok(HeaderEdits {
        set: first_of_each(headers(set)?),
        add: first_of_each(headers(add)?),
        remove: remove
            .iter()
            .map(|name| editable(name))
            .collect::<Result<_, _>>()?,
    })
}

/// "Subsequent entries with an equivalent header name MUST be ignored." (`HTTPHeader.Name`)
fn first_of_each(headers: Vec<Header>) -> Vec<Header> {
    let mut kept: Vec<Header> = Vec::with_capacity(headers.len());
    for header in headers {
        if kept.iter().all(|other| other.name != header.name) {
            kept.push(header);
        }
    }
    kept
}

fn lower_header(header: &HttpHeader) -> Result<Header, BadFilter> {
    Ok(Header {
        name: editable(&header.name)?,
        value: header_value(&header.value)?,
    })
}

/// The name of a header that a filter may change. Those that frame a message or belong to one
/// connection are the proxy's: who could set them could smuggle requests.
fn editable(name: &str) -> Result<HeaderName, BadFilter> {
    const CONNECTION: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let name = header_name(name)?;
    if CONNECTION.contains(&name.as_str()) {
        return Err(BadFilter::ConnectionHeader { name });
    }
    if name == http::header::HOST {
        return Err(BadFilter::Host);
    }
    Ok(name)
}

fn lower_redirect(
    redirect: &RequestRedirect,
    matches: &[HttpMatch],
) -> Result<Redirect, BadFilter> {
    let RequestRedirect {
        scheme,
        hostname,
        path,
        port,
        status_code: _,
    } = redirect;
    let status = redirect.status_code();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err(BadFilter::StatusCode(status));
    }
    if *port == Some(0) {
        return Err(BadFilter::Port);
    }
    Ok(Redirect {
        scheme: match scheme.as_deref() {
            None => None,
            Some("http") => Some(HttpScheme::Http),
            Some("https") => Some(HttpScheme::Https),
            Some(other) => return Err(BadFilter::Scheme(other.to_owned())),
        },
        hostname: hostname.as_deref().map(precise_hostname).transpose()?,
        port: *port,
        path: lower_path(path.as_ref(), matches)?,
        status,
    })
}

fn lower_rewrite(rewrite: &UrlRewrite, matches: &[HttpMatch]) -> Result<Rewrite, BadFilter> {
    let UrlRewrite { hostname, path } = rewrite;
    let hostname = hostname.as_deref().map(precise_hostname).transpose()?;
    Ok(Rewrite {
        hostname: hostname.as_deref().map(header_value).transpose()?,
        path: lower_path(path.as_ref(), matches)?,
    })
}

/// `PreciseHostname`: "a hostname … with 1 notable exception that numeric IP addresses are not
/// allowed", and no wildcard.
fn precise_hostname(text: &str) -> Result<String, BadFilter> {
    match HostPattern::parse(text) {
        Ok(HostPattern::Exact(name)) => Ok(name.to_string()),
        _ => Err(BadFilter::Hostname(text.to_owned())),
    }
}

fn lower_path(
    path: Option<&PathModifier>,
    matches: &[HttpMatch],
) -> Result<Option<PathRewrite>, BadFilter> {
    let Some(path) = path else {
        return Ok(None);
    };
    let missing = |kind, field| BadFilter::NoPath { kind, field };
    match &path.modifier_type {
        PathModifierType::ReplaceFullPath => {
            let full = path.replace_full_path.as_deref();
            let full = full.ok_or_else(|| missing("ReplaceFullPath", "replaceFullPath"))?;
            Ok(Some(PathRewrite::Full(url_path(full)?)))
        }
        PathModifierType::ReplacePrefixMatch => {
            let prefix = path.replace_prefix_match.as_deref();
            let prefix =
                prefix.ok_or_else(|| missing("ReplacePrefixMatch", "replacePrefixMatch"))?;
            // "ReplacePrefixMatch is only compatible with a `PathPrefix` HTTPRouteMatch. Using any
            // other HTTPRouteMatch type on the same HTTPRouteRule will result in the implementation
            // setting the Accepted Condition for the Route to `status: False`."
            let is_prefix = |matched: &HttpMatch| matches!(matched.path, PathMatcher::Prefix(_));
            if !matches.iter().all(is_prefix) {
                return Err(BadFilter::PrefixWithoutPrefix);
            }
            Ok(Some(PathRewrite::Prefix(url_path(prefix)?)))
        }
        PathModifierType::Other(value) => Err(BadFilter::PathType(value.clone())),
    }
}

/// A path to put into a URL; empty for none.
fn url_path(path: &str) -> Result<String, BadFilter> {
    let is_ok = path.is_empty() || path.starts_with('/');
    if is_ok
        && path
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#')
    {
        Ok(path.to_owned())
    } else {
        Err(BadFilter::Path(path.to_owned()))
    }
}
