//! What the data plane finds beside a listener, a rule or a backendRef of the table.

use std::fmt;

use portcullis_ir::filter::Filter;
use portcullis_ir::route::L4Rule;
use portcullis_ir::{BackendId, HttpRule, ListenerId, RouteId};

/// The types of what a table carries for the data plane.
pub trait Parts: Clone + fmt::Debug {
    /// Beside a listener.
    type Listener: Clone + fmt::Debug;
    /// Beside a rule of an HTTP route on one listener.
    type Rule: fmt::Debug;
    /// Beside the rule of a layer 4 route on one listener.
    type Forward: fmt::Debug;
    /// Beside a backendRef of a rule.
    type Backend: fmt::Debug;
}

/// Makes what a table carries, so that no request has to look it up.
///
/// What is made stays in the tables to come for as long as the listener or route is as it was: it
/// may depend on nothing but what is asked for, and what it refers to must outlive snapshots.
pub trait Attach {
    /// What is made.
    type Parts: Parts;

    /// For a listener.
    fn listener(&mut self, id: &ListenerId) -> <Self::Parts as Parts>::Listener;

    /// For a rule on a listener.
    fn rule(&mut self, site: &RuleSite<'_>) -> <Self::Parts as Parts>::Rule;

    /// For the rule of a layer 4 route on a listener.
    fn forward(&mut self, site: &ForwardSite<'_>) -> <Self::Parts as Parts>::Forward;

    /// For a backendRef that names `id`, which the snapshot may lack. `of_rule` are the filters of
    /// its rule, `of_ref` its own.
    fn backend(
        &mut self,
        id: &BackendId,
        of_rule: &[Filter],
        of_ref: &[Filter],
    ) -> <Self::Parts as Parts>::Backend;
}

/// One rule of an HTTP route, on one of the listeners that accepted the route.
#[derive(Clone, Copy, Debug)]
pub struct RuleSite<'a> {
    /// The listener.
    pub listener: &'a ListenerId,
    /// The route.
    pub route: &'a RouteId,
    /// The rule's place in the route's list, from 0.
    pub index: usize,
    /// The rule. One that cannot be compiled has no filters, and one backend that is invalid.
    pub rule: &'a HttpRule,
}

/// The rule of a layer 4 route that is served, on one of the listeners that accepted the route.
#[derive(Clone, Copy, Debug)]
pub struct ForwardSite<'a> {
    /// The listener.
    pub listener: &'a ListenerId,
    /// The route.
    pub route: &'a RouteId,
    /// The rule.
    pub rule: &'a L4Rule,
}
