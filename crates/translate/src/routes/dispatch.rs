//! Where the requests of a rule of an HTTPRoute or GRPCRoute go, and what is done to them.

use portcullis_api::route::{BackendRef, RouteFilter};
use portcullis_ir::filter::Filter;
use portcullis_ir::matcher::HttpMatch;
use portcullis_ir::{BackendId, WeightedBackend};

use super::{RuleFacts, Work};
use crate::backends::{self, Usage};
use crate::filters;
use crate::grants::Referrer;
use crate::problem::Problem;

/// Lowers the filters and backendRefs of one rule.
pub(crate) struct Dispatch<'r, 'a> {
    /// The rule's number in its route.
    pub(crate) rule: usize,
    /// The route, as grants see it.
    pub(crate) from: Referrer<'r>,
    /// What its backends are used for.
    pub(crate) usage: Usage,
    pub(crate) work: &'r mut Work<'a>,
    pub(crate) facts: &'r mut RuleFacts,
}

impl Dispatch<'_, '_> {
    /// The rule's own filters.
    pub(crate) fn filters(
        &mut self,
        filters: &[RouteFilter],
        matches: &[HttpMatch],
    ) -> Result<Vec<Filter>, Problem> {
        let path = format!("rules[{}].filters", self.rule);
        self.filters_at(&path, filters, matches)
    }

    /// The backendRef at `place`, whose rule has these filters.
    pub(crate) fn backend(
        &mut self,
        place: usize,
        reference: &BackendRef,
        matches: &[HttpMatch],
        of_rule: &[Filter],
    ) -> Result<WeightedBackend, Problem> {
        let path = format!("rules[{}].backendRefs[{place}].filters", self.rule);
        let filters = self.filters_at(&path, &reference.filters, matches)?;
        filters::check_on_backend(of_rule, &filters).map_err(|bad| bad.at(&path))?;
        Ok(WeightedBackend {
            weight: reference.weight(),
            target: backends::target(&self.find(reference)),
            filters,
        })
    }

    fn filters_at(
        &mut self,
        path: &str,
        filters: &[RouteFilter],
        matches: &[HttpMatch],
    ) -> Result<Vec<Filter>, Problem> {
        let mut mirror = |reference: &BackendRef| self.find(reference).ok();
        let lowered = filters::lower(filters, matches, &mut mirror);
        lowered.map_err(|(at, bad)| bad.at(&format!("{path}[{at}]")))
    }

    /// Finds a backend and notes what came of it.
    fn find(&mut self, reference: &BackendRef) -> Result<BackendId, Problem> {
        let Work {
            world, backends, ..
        } = &mut *self.work;
        let resolution = backends.resolve(world, self.from, reference, self.usage);
        match &resolution {
            Ok(id) => {
                self.facts.backends.insert(id.clone());
            }
            Err(problem) => self.facts.unresolved.push(problem.clone()),
        }
        resolution
    }
}
