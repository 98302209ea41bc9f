//! From a backendRef to endpoints.

mod endpoints;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::ObjectKey;
use portcullis_api::core::{Service, ServicePort};
use portcullis_api::route::BackendRef;
use portcullis_api::status::ConditionReason;
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::tls::BackendTls;
use portcullis_ir::{Backend, BackendId, BackendProtocol};

use crate::facts::{Fact, Readers};
use crate::grants::{Permission, Referrer, missing_grant};
use crate::policies::{self, Bundles, Reading};
use crate::problem::Problem;
use crate::tls::termination::group_kind;
use crate::world::World;

/// What a backend is used for. The same port of the same Service may be several Backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Usage {
    /// Requests of an HTTPRoute.
    Http,
    /// Requests of a GRPCRoute.
    Grpc,
    /// A byte stream: of a TCPRoute, or of a TLSRoute whose TLS ends at the listener.
    Stream,
    /// TLS that is passed on as it is: no policy has a say in it.
    Passthrough,
    /// Datagrams of a UDPRoute.
    Datagram,
}

impl Usage {
    /// What tells its backends from those of other usages.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Grpc => "/grpc",
            Self::Stream => "/stream",
            Self::Passthrough => "/passthrough",
            Self::Datagram => "/datagram",
        }
    }

    /// Whether a BackendTLSPolicy has a say in it: TLS that is passed on is the client's own, and
    /// "BackendTLSPolicy applies only to TCP traffic". (GEP-1897)
    pub(crate) fn may_use_tls(self) -> bool {
        match self {
            Self::Http | Self::Grpc | Self::Stream => true,
            Self::Passthrough | Self::Datagram => false,
        }
    }

    /// The protocol of the port of a Service.
    fn transport(self) -> &'static str {
        match self {
            Self::Http | Self::Grpc | Self::Stream | Self::Passthrough => "TCP",
            Self::Datagram => "UDP",
        }
    }
}

/// The backends that routes name, each worked out once and again when what it is made of changes.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    known: BTreeMap<BackendId, Known>,
    readers: Readers<BackendId>,
}

#[derive(Debug)]
struct Known {
    origin: Origin,
    backend: Result<Resolved, Problem>,
}

/// What a backend is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) service: ObjectKey,
    /// The port of the Service, there or not.
    pub(crate) port: u16,
    pub(crate) usage: Usage,
}

/// A backend that can be had.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    /// Without a client certificate: Gateways differ in that.
    pub(crate) backend: Arc<Backend>,
    /// The CA bundles that it names.
    pub(crate) bundles: Bundles,
}

/// What became of the backends whose objects changed.
#[derive(Debug, Default)]
pub(crate) struct Reread {
    /// Those that can be had now and could not before, or the other way round.
    pub(crate) verdicts: Vec<BackendId>,
    /// Those that are other than they were.
    pub(crate) changed: Vec<BackendId>,
}

impl Backends {
    /// A backend that [`Backends::resolve`] gave out.
    pub(crate) fn find(&self, id: &BackendId) -> Option<&Resolved> {
        self.known.get(id)?.backend.as_ref().ok()
    }

    /// What a backend that some route looks at is made of, be it there or not.
    pub(crate) fn origin(&self, id: &BackendId) -> Option<&Origin> {
        Some(&self.known.get(id)?.origin)
    }

    /// Works out again what has looked at one of these facts.
    pub(crate) fn reread(&mut self, world: &World<'_>, facts: &BTreeSet<Fact>) -> Reread {
        let dirty: BTreeSet<BackendId> = self.readers.of(facts).cloned().collect();
        let mut reread = Reread::default();
        for id in dirty {
            let Some(known) = self.known.get_mut(&id) else {
                continue;
            };
            let (backend, asked) = world.watch(|| read(world, &known.origin));
            self.readers.record(&id, asked);
            if backend == known.backend {
                continue;
            }
            if backend.as_ref().err() != known.backend.as_ref().err() {
                reread.verdicts.push(id.clone());
            }
            known.backend = backend;
            reread.changed.push(id);
        }
        reread
    }

    /// Forgets a backend that no route names any more.
    pub(crate) fn forget(&mut self, id: &BackendId) {
        self.known.remove(id);
        self.readers.record(id, BTreeSet::new());
    }

    /// Where a backendRef leads; if nowhere, the problem.
    pub(crate) fn resolve(
        &mut self,
        world: &World<'_>,
        from: Referrer<'_>,
        reference: &BackendRef,
        usage: Usage,
    ) -> Result<BackendId, Problem> {
        let target = reference.target();
        let key = ObjectKey::new(target.namespace.unwrap_or(from.namespace), target.name);
        if (target.group, target.kind) != ("", "Service") {
            return Err(Problem::new(
                ConditionReason::InvalidKind,
                format!(
                    "backendRef {} is a {}; only Services are supported",
                    key.name,
                    group_kind(target)
                ),
            ));
        }
        if world.permission(from, target) == Permission::NotPermitted {
            let message = missing_grant(from, target);
            return Err(Problem::new(ConditionReason::RefNotPermitted, message));
        }
        let Some(port) = reference.port.filter(|port| *port != 0) else {
            return Err(not_found(format!(
                "backendRef {} has no port; a Service needs one",
                key.name
            )));
        };
        let id = BackendId::new(format!("Service/{key}/{port}{}", usage.suffix()));
        let known = self.known.get_key_value(&id);
        let known = known.map(|(id, it)| (id.clone(), it.backend.as_ref().err().cloned()));
        let (id, verdict) = known.unwrap_or_else(|| {
            let origin = Origin {
                service: key,
                port,
                usage,
            };
            let verdict = self.learn(world, &id, origin);
            (id, verdict)
        });
        world.note(Fact::Backend(id.clone()));
        verdict.map_or(Ok(id), Err)
    }

    /// Reads a backend for the first time. Answers why it cannot be had.
    fn learn(&mut self, world: &World<'_>, id: &BackendId, origin: Origin) -> Option<Problem> {
        let (backend, asked) = world.watch(|| read(world, &origin));
        self.readers.record(id, asked);
        let verdict = backend.as_ref().err().cloned();
        self.known.insert(id.clone(), Known { origin, backend });
        verdict
    }
}

fn read(world: &World<'_>, origin: &Origin) -> Result<Resolved, Problem> {
    let Origin {
        service: key,
        port,
        usage,
    } = origin;
    let Some(service) = world.service(key) else {
        return Err(not_found(format!("Service {key} does not exist")));
    };
    let service_port = service_port(service, *port, *usage);
    let endpoints = match (external_name(service), service_port) {
        (Some(name), service_port) => endpoints::external(name, *port, service_port),
        (None, Some(service_port)) => endpoints::ready(&world.slices(key), service_port),
        (None, None) => {
            return Err(not_found(format!(
                "Service {key} has no port {port}{}",
                ports_in_words(service)
            )));
        }
    };
    let (tls, bundles) = tls(world, origin, service_port)?.unzip();
    let security = if tls.is_some() {
        Security::Tls
    } else {
        Security::Clear
    };
    let backend = Backend {
        protocol: protocol(key, service_port, *usage, security)?,
        tls: tls.map(Arc::new),
        endpoints,
    };
    Ok(Resolved {
        backend: Arc::new(backend),
        bundles: bundles.unwrap_or_default(),
    })
}

/// How a backend is reached over TLS, and the CA bundles that takes.
///
/// An HTTPBackendRef is invalid if "a BackendTLSPolicy is present that refers to the Service, and
/// the implementation is unable to meet the requirement". (`HTTPBackendRef.BackendRef`)
fn tls(
    world: &World<'_>,
    origin: &Origin,
    port: Option<&ServicePort>,
) -> Result<Option<(BackendTls, Bundles)>, Problem> {
    if !origin.usage.may_use_tls() {
        return Ok(None);
    }
    let Some((name, policy)) = policies::in_force(world, &origin.service, port) else {
        return Ok(None);
    };
    let Reading {
        tls,
        bundles,
        unresolved: _,
    } = policies::read(world, name, policy);
    let tls = tls.map_err(|Problem { reason: _, message }| {
        Problem::new(
            ConditionReason::InvalidBackendTlsPolicy,
            format!(
                "Service {} is not connected to, because its BackendTLSPolicy {name} is not \
                 valid: {message}",
                origin.service
            ),
        )
    })?;
    Ok(Some((tls, bundles)))
}

/// Whether a backend is reached over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    Clear,
    Tls,
}

/// The target of a resolution. "When a HTTPBackendRef is invalid, 500 status codes MUST be returned
/// for requests that would have otherwise been routed to an invalid backend."
/// (`HTTPRouteRule.BackendRefs`)
pub(crate) fn target(resolution: &Result<BackendId, Problem>) -> BackendTarget {
    match resolution {
        Ok(id) => BackendTarget::Backend(id.clone()),
        Err(problem) => BackendTarget::Invalid {
            reason: problem.message.clone(),
        },
    }
}

fn not_found(message: String) -> Problem {
    Problem::new(ConditionReason::BackendNotFound, message)
}

/// The name behind a Service of type ExternalName.
///
/// Deviation: "Implementations SHOULD NOT support "ExternalName" Services"
/// (`BackendObjectReference.Kind`, for CVE-2021-25740: a user of one namespace could reach what only
/// the gateway may). Standalone mode has no other way to name a backend by its host, and in a
/// cluster the reference stays within the namespaces that ReferenceGrants allow.
fn external_name(service: &Service) -> Option<&str> {
    let spec = service.spec.as_ref()?;
    let name = spec.external_name.as_deref()?;
    (spec.type_.as_deref() == Some("ExternalName")).then_some(name)
}

/// The port of a number: TCP and UDP may share one.
fn service_port(service: &Service, port: u16, usage: Usage) -> Option<&ServicePort> {
    let ports = service.spec.as_ref()?.ports.iter().flatten();
    let mut ports = ports.filter(|candidate| candidate.port == i32::from(port));
    let fits = |candidate: &&ServicePort| transport(candidate) == usage.transport();
    ports.clone().find(fits).or_else(|| ports.next())
}

/// "Default is TCP." (`ServicePort.Protocol`)
pub(crate) fn transport(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

fn ports_in_words(service: &Service) -> String {
    let ports = service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten());
    let ports: Vec<String> = ports.map(|port| port.port.to_string()).collect();
    if ports.is_empty() {
        String::new()
    } else {
        format!("; it has {}", ports.join(", "))
    }
}

/// What a port speaks, by GEP-1911 as far as requests are concerned.
fn protocol(
    key: &ObjectKey,
    port: Option<&ServicePort>,
    usage: Usage,
    security: Security,
) -> Result<BackendProtocol, Problem> {
    let unsupported = |what: String| {
        Err(Problem::new(
            ConditionReason::UnsupportedProtocol,
            format!("Service {key} {what}"),
        ))
    };
    if let Some(port) = port
        && transport(port) != usage.transport()
    {
        let other = transport(port);
        return unsupported(format!("port {} is of protocol {other}", port.port));
    }
    let plain = match usage {
        Usage::Stream | Usage::Passthrough | Usage::Datagram => return Ok(BackendProtocol::Opaque),
        Usage::Http => BackendProtocol::Http1,
        Usage::Grpc => BackendProtocol::H2c,
    };
    let Some(port) = port else {
        return Ok(plain);
    };
    match (port.app_protocol.as_deref(), security) {
        (Some("kubernetes.io/h2c"), _) => Ok(BackendProtocol::H2c),
        // `kubernetes.io/wss` on an HTTPRoute: "Only if there is a corresponding
        // `BackendTLSPolicy`". (GEP-1911)
        (Some(tls), Security::Clear) if is_tls(tls) => unsupported(format!(
            "port {} speaks {tls} (appProtocol), and no BackendTLSPolicy says whose certificate \
             to accept; make one for the Service",
            port.port
        )),
        (Some(name @ ("kubernetes.io/ws" | "kubernetes.io/wss")), _) if usage == Usage::Grpc => {
            unsupported(format!(
                "port {} speaks WebSocket (appProtocol {name}), which gRPC is not",
                port.port
            ))
        }
        // `kubernetes.io/ws`, `http`, and the many names that tell nothing to an HTTP gateway.
        _ => Ok(plain),
    }
}

/// Whether an `appProtocol` is one over TLS. Names of IANA's registry have no case.
fn is_tls(app_protocol: &str) -> bool {
    let names = ["kubernetes.io/wss", "https", "wss"];
    names
        .iter()
        .any(|name| name.eq_ignore_ascii_case(app_protocol))
}
