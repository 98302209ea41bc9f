//! GRPCRoute: rules of HTTP with matches of their own, and backends that speak HTTP/2.

use std::sync::Arc;

use portcullis_api::grpc_route::{GrpcRouteRule, GrpcRouteSpec};
use portcullis_api::http_route::HttpRouteRule;
use portcullis_api::meta::Object;
use portcullis_api::route::{BackendRef, FilterType, ParentReference, RouteFilter};
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::matcher::HttpMatch;
use portcullis_ir::{Attachment, HttpRule, RouteOrigin};

use super::http::{Http, RuleLowering, lower_each};
use super::{PlacedRoute, RouteKind, RuleFacts, Work};
use crate::backends::Usage;
use crate::matches::grpc as matches;
use crate::problem::Problem;
use crate::world::World;

/// The kind GRPCRoute.
#[derive(Debug)]
pub(crate) struct Grpc;

impl RouteKind for Grpc {
    type Spec = GrpcRouteSpec;
    type Rule = HttpRule;
    const IR_KIND: portcullis_ir::route::RouteKind = portcullis_ir::route::RouteKind::Grpc;
    const USAGE: Usage = Usage::Grpc;

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<GrpcRouteSpec>>> {
        world.objects().grpc_routes.get(key)
    }

    fn parent_refs(spec: &GrpcRouteSpec) -> &[ParentReference] {
        &spec.parent_refs
    }

    fn hostnames(spec: &GrpcRouteSpec) -> &[String] {
        &spec.hostnames
    }

    fn lower(
        spec: &GrpcRouteSpec,
        namespace: &str,
        usage: Usage,
        work: &mut Work<'_>,
    ) -> (Vec<HttpRule>, RuleFacts) {
        let rules = &spec.rules;
        lower_each(Kind::GrpcRoute, rules, namespace, usage, work, lower_rule)
    }

    fn route(
        origin: RouteOrigin,
        attachments: Vec<Attachment>,
        rules: Vec<HttpRule>,
    ) -> PlacedRoute {
        Http::route(origin, attachments, rules)
    }
}

/// The rule as it is served; `None` if its matches are not valid.
fn lower_rule(lowering: &mut RuleLowering<'_, '_>, rule: &GrpcRouteRule) -> Option<HttpRule> {
    match matches_of(rule, lowering) {
        Ok(matches) => {
            let lowered = lowering.rule(&without_matches(rule));
            lowered.map(|lowered| HttpRule { matches, ..lowered })
        }
        Err(problem) => {
            lowering.facts.dropped.push((lowering.index, problem));
            None
        }
    }
}

fn matches_of(
    rule: &GrpcRouteRule,
    lowering: &mut RuleLowering<'_, '_>,
) -> Result<Vec<HttpMatch>, Problem> {
    if rule.matches.is_empty() {
        return Ok(vec![matches::every_call()]);
    }
    let mut lowered = Vec::with_capacity(rule.matches.len());
    for (place, matched) in rule.matches.iter().enumerate() {
        let matched = matches::lower(matched, &mut lowering.work.patterns);
        lowered.push(matched.map_err(|bad| {
            Problem::unsupported(lowering.path(&format!("matches[{place}].{bad}")))
        })?);
    }
    Ok(lowered)
}

/// What a rule does, as a rule of an HTTPRoute.
fn without_matches(rule: &GrpcRouteRule) -> HttpRouteRule {
    let GrpcRouteRule {
        name,
        matches: _,
        filters,
        backend_refs,
        session_persistence,
    } = rule;
    let backend_ref = |reference: &BackendRef| BackendRef {
        filters: of_calls(&reference.filters),
        ..reference.clone()
    };
    HttpRouteRule {
        name: name.clone(),
        matches: Vec::new(),
        filters: of_calls(filters),
        backend_refs: backend_refs.iter().map(backend_ref).collect(),
        timeouts: None,
        retry: None,
        session_persistence: session_persistence.clone(),
    }
}

/// The filters, with those that only HTTPRoutes have as of unknown type: the CRD does not take
/// them, a file may hold them.
fn of_calls(filters: &[RouteFilter]) -> Vec<RouteFilter> {
    let of_call = |filter: &RouteFilter| RouteFilter {
        filter_type: match &filter.filter_type {
            known @ (FilterType::RequestHeaderModifier
            | FilterType::ResponseHeaderModifier
            | FilterType::RequestMirror
            | FilterType::ExtensionRef) => known.clone(),
            of_http @ (FilterType::RequestRedirect
            | FilterType::UrlRewrite
            | FilterType::Cors
            | FilterType::ExternalAuth
            | FilterType::Other(_)) => FilterType::Other(of_http.to_string()),
        },
        ..filter.clone()
    };
    filters.iter().map(of_call).collect()
}
