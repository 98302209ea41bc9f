//! Routes.

use std::time::Duration;

use portcullis_ir::backend::BackendTarget;
use portcullis_ir::route::{L4Rule, Retry, RouteKind, Timeouts};
use portcullis_ir::{
    Attachment, HttpRoute, HttpRule, L4Route, RouteHost, RouteId, RouteOrigin, WeightedBackend,
};

use super::filter::filter;
use super::matcher::http_match;
use super::{
    each, enum_value, host_pattern, id_field, id_in, object_key, optional, present, required,
    u16_of, unspecified,
};
use crate::error::{At, Cause, InvalidField};
use crate::messages::{self, weighted_backend};

pub(super) fn http_route(
    message: messages::HttpRoute,
) -> Result<(RouteId, HttpRoute), InvalidField> {
    let messages::HttpRoute {
        id,
        origin: from,
        attachments,
        rules,
    } = message;
    let route = HttpRoute {
        origin: required(from, "origin", origin)?,
        attachments: each(attachments, "attachments", attachment)?,
        rules: each(rules, "rules", http_rule)?,
    };
    Ok((id_field(id)?, route))
}

pub(super) fn l4_route(message: messages::L4Route) -> Result<(RouteId, L4Route), InvalidField> {
    let messages::L4Route {
        id,
        origin: from,
        attachments,
        rules,
    } = message;
    let route = L4Route {
        origin: required(from, "origin", origin)?,
        attachments: each(attachments, "attachments", attachment)?,
        rules: each(rules, "rules", l4_rule)?,
    };
    Ok((id_field(id)?, route))
}

fn origin(message: messages::RouteOrigin) -> Result<RouteOrigin, InvalidField> {
    let messages::RouteOrigin { kind, key, created } = message;
    let kind = match enum_value(kind, "kind")? {
        messages::RouteKind::Http => RouteKind::Http,
        messages::RouteKind::Grpc => RouteKind::Grpc,
        messages::RouteKind::Tls => RouteKind::Tls,
        messages::RouteKind::Tcp => RouteKind::Tcp,
        messages::RouteKind::Udp => RouteKind::Udp,
        messages::RouteKind::Unspecified => return unspecified("kind"),
    };
    let key = required(key, "key", object_key)?;
    Ok(RouteOrigin { kind, key, created })
}

fn attachment(message: messages::Attachment) -> Result<Attachment, InvalidField> {
    let messages::Attachment { listener, hosts } = message;
    Ok(Attachment {
        listener: id_in(listener).at("listener")?,
        hosts: each(hosts, "hosts", route_host)?,
    })
}

fn route_host(message: messages::RouteHost) -> Result<RouteHost, InvalidField> {
    let messages::RouteHost {
        effective,
        configured,
    } = message;
    Ok(RouteHost {
        effective: required(effective, "effective", host_pattern)?,
        configured: required(configured, "configured", host_pattern)?,
    })
}

fn http_rule(message: messages::HttpRule) -> Result<HttpRule, InvalidField> {
    let messages::HttpRule {
        name,
        matches,
        filters,
        backends,
        request_timeout,
        backend_request_timeout,
        retry: again,
    } = message;
    Ok(HttpRule {
        name,
        matches: each(matches, "matches", http_match)?,
        filters: each(filters, "filters", filter)?,
        backends: each(backends, "backends", weighted_backend)?,
        timeouts: Timeouts {
            request: optional(request_timeout, "request_timeout", duration)?,
            backend_request: optional(
                backend_request_timeout,
                "backend_request_timeout",
                duration,
            )?,
        },
        retry: optional(again, "retry", retry)?,
    })
}

fn retry(message: messages::Retry) -> Result<Retry, InvalidField> {
    let messages::Retry {
        codes,
        attempts,
        backoff,
    } = message;
    Ok(Retry {
        codes: each(codes, "codes", retry_code)?.into_iter().collect(),
        attempts,
        backoff: optional(backoff, "backoff", duration)?,
    })
}

fn retry_code(code: u32) -> Result<u16, InvalidField> {
    let code = u16_of(code)?;
    if !(400..=599).contains(&code) {
        return Err(Cause::OutOfRange(code.into()).into());
    }
    Ok(code)
}

fn duration(message: messages::Duration) -> Result<Duration, InvalidField> {
    let messages::Duration { seconds, nanos } = message;
    if nanos >= 1_000_000_000 {
        return Err(Cause::OutOfRange(nanos).into()).at("nanos");
    }
    Ok(Duration::new(seconds, nanos))
}

fn l4_rule(message: messages::L4Rule) -> Result<L4Rule, InvalidField> {
    let messages::L4Rule { name, backends } = message;
    let backends = each(backends, "backends", weighted_backend)?;
    Ok(L4Rule { name, backends })
}

fn weighted_backend(message: messages::WeightedBackend) -> Result<WeightedBackend, InvalidField> {
    let messages::WeightedBackend {
        weight,
        target,
        filters,
    } = message;
    let target = match present(target, "target")? {
        weighted_backend::Target::Backend(id) => BackendTarget::Backend(id_in(id).at("backend")?),
        weighted_backend::Target::Invalid(reason) => BackendTarget::Invalid { reason },
    };
    Ok(WeightedBackend {
        weight,
        target,
        filters: each(filters, "filters", filter)?,
    })
}
