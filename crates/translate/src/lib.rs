//! The pure function from Kubernetes objects to snapshots and statuses.
//!
//! [`translate`] is called by the controller and by standalone mode whenever an object or an
//! observed fact has changed. It is deterministic (same inputs, same bytes out, whatever the order
//! in which objects arrived) and total: what a user got wrong becomes a condition with a reason in
//! words, never an error and never a panic. It knows no clock: [`Inputs::now`] comes in, and
//! [`Output::recheck_at`] says when time alone will change the answer.

pub mod features;
pub mod infra;
pub mod patterns;
pub mod references;
pub mod status;
pub mod tls;

mod attach;
mod backends;
mod class;
mod filters;
mod grants;
mod inputs;
mod listeners;
mod matches;
mod namespaces;
mod output;
mod problem;
mod routes;
mod translator;

pub use inputs::{
    InfraTrouble, Inputs, ObservedDataPlane, ObservedGateway, ObservedInfra, Options, PortFailure,
};
pub use output::{GatewayOutput, Output, StatusMap, Statuses};
pub use translator::Translator;

use std::sync::Arc;

use portcullis_ir::SharedMap;

use crate::backends::Backends;
use crate::patterns::Patterns;
use crate::tls::credentials::Credentials;

/// Translates everything. See the crate's documentation for what it promises.
pub fn translate(inputs: &Inputs<'_>, options: &Options) -> Output {
    let Inputs {
        objects,
        observed,
        now,
    } = inputs;
    let classes = class::ours(objects, options);
    let mut credentials = Credentials::new(objects, *now);
    let mut gateways = listeners::drafts(objects, &classes, &mut credentials);
    let mut work = routes::Work {
        objects,
        options,
        backends: Backends::new(objects),
        patterns: Patterns::default(),
    };
    let http_routes = routes::place::<routes::http::Http>(&mut gateways, &mut work);
    let mut statuses = Statuses {
        gateway_classes: status::class::statuses(&classes),
        http_routes,
        ..Statuses::default()
    };
    let nothing_observed = ObservedGateway::default();
    let mut outputs = SharedMap::new();
    for gateway in gateways.into_drafts() {
        let key = inputs::ir_key(&gateway.key);
        let observed = observed.get(&key).unwrap_or(&nothing_observed);
        let verdict = status::gateway::judge(&gateway, observed);
        for set in &gateway.sets {
            let said = status::listener_set::status(set, &gateway, observed, &verdict);
            statuses
                .listener_sets
                .insert(set.key.clone(), Arc::new(said));
        }
        let said = status::gateway::status(&gateway, observed, &verdict);
        statuses
            .gateways
            .insert(gateway.key.clone(), Arc::new(said));
        outputs.insert(key.clone(), output::assemble(key, gateway, &work.backends));
    }
    Output {
        gateways: outputs,
        foreign: class::foreign(objects, options),
        statuses,
        recheck_at: credentials.recheck_at(),
    }
}
