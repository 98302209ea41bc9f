//! The decisions of standalone mode, as a plain state machine.
//!
//! Events come in (the folders' contents, what became of a snapshot, time), [`Order`]s for the data
//! planes go out. Nothing here waits, reads or binds.

mod addresses;
mod certificates;
mod hints;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use portcullis_api::gateway::{GatewayClass, GatewayClassSpec};
use portcullis_api::meta::{ObjectMeta, Time};
use portcullis_api::{ObjectKey, Objects};
use portcullis_dataplane::{Applied, BindFailure};
use portcullis_folder::{Contents, Finding};
use portcullis_ir::{PortKey, Snapshot};
use portcullis_translate::{
    Inputs, ObservedDataPlane, ObservedGateway, Options, Output, PortFailure, Translator,
};

use self::addresses::Asked;
pub(crate) use self::addresses::{Network, overlap};
use crate::status::changes::Change;
use crate::status::listing::{Difference, Listing};

/// The controller that our GatewayClasses name.
pub(crate) const CONTROLLER: &str = crate::args::CONTROLLER_NAME;
/// The GatewayClass that exists without being written down.
pub(crate) const CLASS: &str = "portcullis";

/// Something to be done to a data plane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Order {
    /// Serve this snapshot at these addresses.
    Serve {
        gateway: portcullis_ir::ObjectKey,
        bind: Vec<IpAddr>,
        snapshot: Arc<Snapshot>,
    },
    /// Serve no more, and end when the requests in flight are done.
    Stop { gateway: portcullis_ir::ObjectKey },
}

/// What is to be done and told after an event.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) orders: Vec<Order>,
    /// What is to be told and is in no status.
    pub(crate) news: Vec<Change>,
    /// Every object with its status, if it changed.
    pub(crate) listing: Option<Arc<Objects>>,
    /// What is to be said about the files now, all of it, if it may have changed.
    pub(crate) findings: Option<Findings>,
}

/// What is to be said about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) findings: BTreeSet<Finding>,
    /// Files and folders of which an earlier version is in force, and how many objects that keeps.
    pub(crate) kept: BTreeMap<PathBuf, usize>,
}

/// The state of standalone mode.
#[derive(Debug)]
pub(crate) struct Control {
    network: Network,
    translator: Translator,
    contents: Contents,
    gateways: BTreeMap<portcullis_ir::ObjectKey, Served>,
    listing: Listing,
    recheck_at: Option<i64>,
}

/// What was ordered for a Gateway, and what came of it.
#[derive(Debug)]
struct Served {
    bind: Vec<IpAddr>,
    snapshot: Arc<Snapshot>,
    outcome: Option<Applied>,
}

impl Control {
    pub(crate) fn new(network: Network) -> Self {
        let controller_name = CONTROLLER.to_owned();
        Self {
            network,
            translator: Translator::new(Options::new(controller_name)),
            contents: Contents::default(),
            gateways: BTreeMap::new(),
            listing: Listing::default(),
            recheck_at: None,
        }
    }

    /// The folders hold this now.
    pub(crate) fn replace(&mut self, mut contents: Contents, now: &Time) -> Step {
        imply_class(&mut contents.objects);
        self.contents = contents;
        let mut step = self.translate(now);
        let hints = hints::hints(&self.contents, self.listing.shown());
        step.findings = Some(Findings {
            findings: self
                .contents
                .findings
                .iter()
                .cloned()
                .chain(hints)
                .collect(),
            kept: self.contents.kept.clone(),
        });
        step
    }

    /// A data plane did what it could with a snapshot.
    pub(crate) fn note(
        &mut self,
        gateway: &portcullis_ir::ObjectKey,
        applied: &Applied,
        now: &Time,
    ) -> Step {
        let Some(served) = self.gateways.get_mut(gateway) else {
            return Step::default(); // ordered to stop meanwhile
        };
        let before = served.outcome.replace(applied.clone());
        let is_news = |before: &Applied| {
            (before.generation, &before.ports) != (applied.generation, &applied.ports)
        };
        match before {
            Some(before) if !is_news(&before) => Step::default(),
            _ => self.translate(now),
        }
    }

    /// Time went by.
    pub(crate) fn tick(&mut self, now: &Time) -> Step {
        match self.recheck_at {
            Some(at) if at <= now.0.as_second() => self.translate(now),
            _ => Step::default(),
        }
    }

    /// When [`Control::tick`] will have something to do, in seconds since the Unix epoch.
    pub(crate) fn recheck_at(&self) -> Option<i64> {
        self.recheck_at
    }

    fn translate(&mut self, now: &Time) -> Step {
        let inputs = Inputs {
            objects: &self.contents.objects,
            observed: &self.observed(),
            now: now.0.as_second(),
        };
        let Output {
            gateways,
            foreign: _,
            statuses,
            recheck_at,
        } = self.translator.translate(&inputs);
        self.recheck_at = recheck_at;
        let snapshots = gateways
            .iter()
            .map(|(key, output)| (key.clone(), Arc::clone(&output.snapshot)))
            .collect();
        let (orders, news) = self.order(snapshots);
        let mut step = Step {
            orders,
            news,
            ..Step::default()
        };
        let difference = (self.listing).update(&self.contents.objects, statuses, now);
        if difference == Difference::Some {
            step.listing = Some(Arc::clone(self.listing.shown()));
        }
        step
    }

    fn order(
        &mut self,
        wanted: BTreeMap<portcullis_ir::ObjectKey, Arc<Snapshot>>,
    ) -> (Vec<Order>, Vec<Change>) {
        let mut news = Vec::new();
        let gone = self
            .gateways
            .extract_if(.., |gateway, _| !wanted.contains_key(gateway));
        let mut orders: Vec<_> = gone.map(|(gateway, _)| Order::Stop { gateway }).collect();
        for (gateway, snapshot) in wanted {
            let asked = self.asked_addresses(&gateway);
            let before = self.gateways.get_mut(&gateway);
            let bind = match asked {
                Asked::Any => self.network.bind.clone(),
                Asked::These(addresses) => addresses,
                // Anywhere else it might be open to whom it was never meant for.
                Asked::Refused => match &before {
                    Some(before) => before.bind.clone(),
                    None => continue,
                },
            };
            if let Some(before) = &before {
                news.extend(certificates::replaced(&before.snapshot, &snapshot));
            }
            if before
                .as_ref()
                .is_some_and(|it| it.bind == bind && it.snapshot == snapshot)
            {
                continue;
            }
            // What the data plane did before still holds, until it says what it did with this.
            let outcome = before.and_then(|served| served.outcome.take());
            let served = Served {
                bind: bind.clone(),
                snapshot: Arc::clone(&snapshot),
                outcome,
            };
            self.gateways.insert(gateway.clone(), served);
            orders.push(Order::Serve {
                gateway,
                bind,
                snapshot,
            });
        }
        (orders, news)
    }

    fn asked_addresses(&self, gateway: &portcullis_ir::ObjectKey) -> Asked {
        let key = ObjectKey::new(gateway.namespace.clone(), gateway.name.clone());
        let object = self.contents.objects.gateways.get(&key);
        object.map_or(Asked::Any, |gateway| Asked::by(gateway))
    }

    fn observed(&self) -> BTreeMap<portcullis_ir::ObjectKey, ObservedGateway> {
        let observe = |(gateway, served): (&portcullis_ir::ObjectKey, &Served)| {
            (gateway.clone(), self.observe(gateway, served))
        };
        self.gateways.iter().map(observe).collect()
    }

    fn observe(&self, gateway: &portcullis_ir::ObjectKey, served: &Served) -> ObservedGateway {
        let Served {
            bind,
            snapshot: _,
            outcome,
        } = served;
        let Some(Applied {
            version: _,
            generation,
            ports,
        }) = outcome
        else {
            return ObservedGateway::default();
        };
        let failures = ports.iter().filter_map(|(port, state)| {
            let failure = state.as_ref().err()?;
            let why = self.explain(gateway, *port, bind, failure);
            let failure = match failure {
                BindFailure::NoSuchAddress { .. } => PortFailure::AddressNotUsable(why),
                BindFailure::InUse { .. }
                | BindFailure::Permission { .. }
                | BindFailure::MappedTwice { .. }
                | BindFailure::Other { .. } => PortFailure::PortUnavailable(why),
            };
            Some((*port, failure))
        });
        let bound: BTreeSet<IpAddr> = ports
            .values()
            .flatten()
            .flatten()
            .map(SocketAddr::ip)
            .collect();
        let reached = if ports.is_empty() {
            bind.iter().copied().collect()
        } else {
            bound
        };
        ObservedGateway {
            addresses: self.network.reached_at(&reached),
            data_planes: vec![ObservedDataPlane {
                applied_generation: Some(*generation),
                port_failures: failures.collect(),
                refusal: None,
            }],
            infra: None,
        }
    }

    /// Why a port is not bound; when it is another Gateway of this process that has it, which.
    fn explain(
        &self,
        gateway: &portcullis_ir::ObjectKey,
        port: PortKey,
        bind: &[IpAddr],
        failure: &BindFailure,
    ) -> String {
        // Who reads it is told the port in front of it.
        let own_words = failure.to_string();
        let prefix = format!("port {port}: ");
        let own_words = own_words.strip_prefix(&prefix).unwrap_or(&own_words);
        let BindFailure::InUse { real } = failure else {
            return own_words.to_owned();
        };
        let holds = |served: &Served| {
            let ports = served.outcome.iter().flat_map(|outcome| &outcome.ports);
            let alike = ports.filter(|(key, _)| key.transport == real.transport);
            let mut held = alike.filter_map(|(_, state)| state.as_ref().ok()).flatten();
            held.any(|held| {
                held.port() == real.number && bind.iter().any(|ip| overlap(*ip, held.ip()))
            })
        };
        let mut others = self.gateways.iter().filter(|(other, _)| *other != gateway);
        match others.find(|(_, served)| holds(served)) {
            Some((other, _)) => format!(
                "Gateway {other} has it at the same address; give each an address of its own in \
                 spec.addresses"
            ),
            None => own_words.to_owned(),
        }
    }
}

/// On a cluster the installation brings the GatewayClass.
fn imply_class(objects: &mut Objects) {
    static IMPLIED: LazyLock<Arc<GatewayClass>> = LazyLock::new(|| {
        let metadata = ObjectMeta {
            name: Some(CLASS.to_owned()),
            generation: Some(1),
            ..ObjectMeta::default()
        };
        let spec = GatewayClassSpec {
            controller_name: CONTROLLER.to_owned(),
            ..GatewayClassSpec::default()
        };
        Arc::new(GatewayClass {
            metadata,
            spec: Arc::new(spec),
            status: None,
        })
    });
    let key = ObjectKey::new("", CLASS);
    if !objects.gateway_classes.contains_key(&key) {
        // The same each time: another one in memory would be a change.
        let class = Arc::clone(&IMPLIED);
        objects.gateway_classes.insert(key, class);
    }
}
