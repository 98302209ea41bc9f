//! HTTPRoute.

use std::sync::Arc;
use std::time::Duration;

use portcullis_api::http_route::{HttpRouteRetry, HttpRouteRule, HttpRouteSpec, HttpRouteTimeouts};
use portcullis_api::meta::Object;
use portcullis_api::route::{GatewayDuration, ParentReference};
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::Filter;
use portcullis_ir::matcher::HttpMatch;
use portcullis_ir::route::{Retry, Timeouts};
use portcullis_ir::{Attachment, HttpRoute, HttpRule, RouteOrigin, WeightedBackend};

use super::dispatch::Dispatch;
use super::{PlacedRoute, RouteKind, RuleFacts, Work};
use crate::backends::Usage;
use crate::grants::Referrer;
use crate::matches;
use crate::problem::Problem;
use crate::world::World;

/// The kind HTTPRoute.
#[derive(Debug)]
pub(crate) struct Http;

impl RouteKind for Http {
    type Spec = HttpRouteSpec;
    type Rule = HttpRule;
    const IR_KIND: portcullis_ir::route::RouteKind = portcullis_ir::route::RouteKind::Http;
    const USAGE: Usage = Usage::Http;

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<HttpRouteSpec>>> {
        world.objects().http_routes.get(key)
    }

    fn parent_refs(spec: &HttpRouteSpec) -> &[ParentReference] {
        &spec.parent_refs
    }

    fn hostnames(spec: &HttpRouteSpec) -> &[String] {
        &spec.hostnames
    }

    fn lower(
        spec: &HttpRouteSpec,
        namespace: &str,
        usage: Usage,
        work: &mut Work<'_>,
    ) -> (Vec<HttpRule>, RuleFacts) {
        let rules = &spec.rules;
        lower_each(Kind::HttpRoute, rules, namespace, usage, work, lower_rule)
    }

    fn route(
        origin: RouteOrigin,
        attachments: Vec<Attachment>,
        rules: Vec<HttpRule>,
    ) -> PlacedRoute {
        PlacedRoute::Http(Arc::new(HttpRoute {
            origin,
            attachments,
            rules,
        }))
    }
}

fn lower_rule(lowering: &mut RuleLowering<'_, '_>, rule: &HttpRouteRule) -> Option<HttpRule> {
    lowering.rule(rule)
}

/// Lowers the rules of an HTTPRoute or a GRPCRoute, each by `lower`.
pub(super) fn lower_each<R>(
    kind: Kind,
    rules: &[R],
    namespace: &str,
    usage: Usage,
    work: &mut Work<'_>,
    lower: impl Fn(&mut RuleLowering<'_, '_>, &R) -> Option<HttpRule>,
) -> (Vec<HttpRule>, RuleFacts) {
    let mut facts = RuleFacts {
        count: rules.len(),
        ..RuleFacts::default()
    };
    let mut lowered = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let mut lowering = RuleLowering {
            kind,
            usage,
            index,
            namespace,
            work,
            facts: &mut facts,
        };
        lowered.extend(lower(&mut lowering, rule));
    }
    (lowered, facts)
}

/// Lowers one rule, of an HTTPRoute or a GRPCRoute.
pub(super) struct RuleLowering<'r, 'a> {
    pub(super) kind: Kind,
    pub(super) usage: Usage,
    pub(super) index: usize,
    pub(super) namespace: &'r str,
    pub(super) work: &'r mut Work<'a>,
    pub(super) facts: &'r mut RuleFacts,
}

impl<'a> RuleLowering<'_, 'a> {
    /// The rule as it is served; `None` if its matches are not valid.
    ///
    /// A rule whose matches are valid and whose filters are not keeps its place and answers 500:
    /// if it were left out, its requests would fall to a broader rule, past a filter that may have
    /// been there to keep them out. "If a reference to a custom filter type cannot be resolved, the
    /// filter MUST NOT be skipped. Instead, requests that would have been processed by that filter
    /// MUST receive a HTTP error response." (`HTTPRouteFilter.Type`)
    pub(super) fn rule(&mut self, rule: &HttpRouteRule) -> Option<HttpRule> {
        let HttpRouteRule {
            name,
            matches: _,
            filters: _,
            backend_refs: _,
            timeouts: _,
            retry: _,
            session_persistence,
        } = rule;
        self.notice(session_persistence.is_some(), "sessionPersistence");
        let matches = match self.matches(rule) {
            Ok(matches) => matches,
            Err(problem) => {
                self.facts.dropped.push((self.index, problem));
                return None;
            }
        };
        let served = self.actions(rule, &matches);
        let Actions {
            filters,
            backends,
            timeouts,
            retry,
        } = served.unwrap_or_else(|problem| {
            let reason = problem.message.clone();
            self.facts.dropped.push((self.index, problem));
            Actions::answer_500(reason)
        });
        Some(HttpRule {
            name: name.clone(),
            matches,
            filters,
            backends,
            timeouts,
            retry,
        })
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("rules[{}].{rest}", self.index)
    }

    fn notice(&mut self, is_set: bool, field: &str) {
        if is_set {
            let path = self.path(field);
            let notice = format!("{path} is not supported yet and has no effect");
            self.facts.notices.push(notice);
        }
    }

    /// "If no matches are specified, the default is a prefix path match on "/", which has the
    /// effect of matching every HTTP request." (`HTTPRouteRule.Matches`)
    fn matches(&mut self, rule: &HttpRouteRule) -> Result<Vec<HttpMatch>, Problem> {
        if rule.matches.is_empty() {
            return Ok(vec![HttpMatch::every_request()]);
        }
        let mut lowered = Vec::with_capacity(rule.matches.len());
        for (place, matched) in rule.matches.iter().enumerate() {
            let matched = matches::lower(matched, &mut self.work.patterns);
            lowered.push(matched.map_err(|bad| {
                Problem::unsupported(self.path(&format!("matches[{place}].{bad}")))
            })?);
        }
        Ok(lowered)
    }

    fn actions(&mut self, rule: &HttpRouteRule, matches: &[HttpMatch]) -> Result<Actions, Problem> {
        let filters = self.dispatch().filters(&rule.filters, matches)?;
        let timeouts = self.timeouts(rule.timeouts.as_deref())?;
        let retry = (rule.retry.as_ref())
            .map(|retry| self.retry(retry, timeouts))
            .transpose()?;
        let mut dispatch = self.dispatch();
        let mut backends = Vec::with_capacity(rule.backend_refs.len());
        for (place, reference) in rule.backend_refs.iter().enumerate() {
            backends.push(dispatch.backend(place, reference, matches, &filters)?);
        }
        Ok(Actions {
            filters,
            backends,
            timeouts,
            retry,
        })
    }

    fn dispatch(&mut self) -> Dispatch<'_, 'a> {
        Dispatch {
            rule: self.index,
            from: Referrer {
                kind: self.kind,
                namespace: self.namespace,
            },
            usage: self.usage,
            work: self.work,
            facts: self.facts,
        }
    }

    /// "When specified, the value of BackendRequest must be no more than the value of the Request
    /// timeout." (`HTTPRouteTimeouts.BackendRequest`)
    fn timeouts(&self, timeouts: Option<&HttpRouteTimeouts>) -> Result<Timeouts, Problem> {
        let Some(HttpRouteTimeouts {
            request,
            backend_request,
        }) = timeouts
        else {
            return Ok(Timeouts::default());
        };
        let request = self.duration("timeouts.request", request.as_ref())?;
        let backend_request = self.duration("timeouts.backendRequest", backend_request.as_ref())?;
        if let (Some(whole), Some(part)) = (request, backend_request)
            && part > whole
        {
            let path = self.path("timeouts");
            let message = format!("{path}: backendRequest is longer than request");
            return Err(Problem::unsupported(message));
        }
        Ok(Timeouts {
            request,
            backend_request,
        })
    }

    /// "Implementations MUST support the following status codes as retriable" 500, 502, 503, 504,
    /// and "MAY support" all others from 400 to 599 (`HTTPRouteRetryStatusCode`): we do.
    fn retry(&mut self, retry: &HttpRouteRetry, timeouts: Timeouts) -> Result<Retry, Problem> {
        let HttpRouteRetry {
            codes,
            attempts: _,
            backoff,
        } = retry;
        if let Some(code) = codes.iter().find(|code| !(400..=599).contains(*code)) {
            let path = self.path("retry.codes");
            let message = format!("{path}: {code} is not from 400 to 599");
            return Err(Problem::unsupported(message));
        }
        let backoff = match backoff {
            Some(text) => Some(self.parsed("retry.backoff", text)?),
            None => None,
        };
        if let (Some(wait), Some(whole)) = (backoff, timeouts.request)
            && wait >= whole
        {
            let path = self.path("retry.backoff");
            let notice = format!("{path} is not shorter than timeouts.request: nothing is retried");
            self.facts.notices.push(notice);
        }
        Ok(Retry {
            codes: codes.iter().copied().collect(),
            attempts: retry.attempts(),
            backoff,
        })
    }

    /// "Setting a timeout to the zero duration (e.g. "0s") SHOULD disable the timeout completely."
    fn duration(
        &self,
        field: &str,
        text: Option<&GatewayDuration>,
    ) -> Result<Option<Duration>, Problem> {
        let Some(text) = text else {
            return Ok(None);
        };
        let parsed = self.parsed(field, text)?;
        Ok((!parsed.is_zero()).then_some(parsed))
    }

    fn parsed(&self, field: &str, text: &GatewayDuration) -> Result<Duration, Problem> {
        text.parse().ok_or_else(|| {
            let path = self.path(field);
            Problem::unsupported(format!("{path}: {:?} is not a duration like 10s", text.0))
        })
    }
}

/// What is done with the requests of a rule.
struct Actions {
    filters: Vec<Filter>,
    backends: Vec<WeightedBackend>,
    timeouts: Timeouts,
    retry: Option<Retry>,
}

impl Actions {
    fn answer_500(reason: String) -> Self {
        let nowhere = WeightedBackend {
            weight: 1,
            target: BackendTarget::Invalid { reason },
            filters: Vec::new(),
        };
        Self {
            filters: Vec::new(),
            backends: vec![nowhere],
            timeouts: Timeouts::default(),
            retry: None,
        }
    }
}
