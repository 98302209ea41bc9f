//! From a backendRef to endpoints.

mod endpoints;

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::core::{EndpointSlice, Service, ServicePort};
use portcullis_api::route::BackendRef;
use portcullis_api::status::ConditionReason;
use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::{Backend, BackendId, BackendProtocol};

use crate::grants::{Grants, Permission, Referrer, missing_grant};
use crate::problem::Problem;
use crate::tls::termination::group_kind;

/// The label by which an EndpointSlice names its Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The backends of one translation, each worked out once.
#[derive(Debug)]
pub(crate) struct Backends<'a> {
    objects: &'a Objects,
    grants: Grants<'a>,
    slices: BTreeMap<(&'a str, &'a str), Vec<&'a EndpointSlice>>,
    known: BTreeMap<BackendId, Result<Arc<Backend>, Problem>>,
}

impl<'a> Backends<'a> {
    pub(crate) fn new(objects: &'a Objects) -> Self {
        let mut slices: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, slice) in &objects.endpoint_slices {
            let labels = slice.metadata.labels.as_ref();
            if let Some(service) = labels.and_then(|labels| labels.get(SERVICE_NAME)) {
                let name = (&*key.namespace, service.as_str());
                slices.entry(name).or_default().push(&**slice);
            }
        }
        Self {
            objects,
            grants: Grants::new(objects),
            slices,
            known: BTreeMap::new(),
        }
    }

    /// A backend that [`Backends::resolve`] gave out.
    pub(crate) fn find(&self, id: &BackendId) -> Option<&Arc<Backend>> {
        self.known.get(id)?.as_ref().ok()
    }

    /// Where a backendRef of a `kind` of route in `namespace` leads; if nowhere, the problem.
    pub(crate) fn resolve(
        &mut self,
        kind: Kind,
        namespace: &str,
        reference: &BackendRef,
    ) -> Result<BackendId, Problem> {
        let target = reference.target();
        let from = Referrer { kind, namespace };
        let key = ObjectKey::new(target.namespace.unwrap_or(namespace), target.name);
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
        if self.grants.permission(from, target) == Permission::NotPermitted {
            let message = missing_grant(from, target);
            return Err(Problem::new(ConditionReason::RefNotPermitted, message));
        }
        let Some(port) = reference.port.filter(|port| *port != 0) else {
            return Err(not_found(format!(
                "backendRef {} has no port; a Service needs one",
                key.name
            )));
        };
        let id = BackendId::new(format!("Service/{key}/{port}"));
        if let Some(known) = self.known.get(&id) {
            return known.clone().map(|_| id);
        }
        let read = self.read(&key, port);
        let verdict = read.as_ref().err().cloned();
        self.known.insert(id.clone(), read);
        verdict.map_or(Ok(id), Err)
    }

    fn read(&self, key: &ObjectKey, port: u16) -> Result<Arc<Backend>, Problem> {
        let Some(service) = self.objects.services.get(key) else {
            return Err(not_found(format!("Service {key} does not exist")));
        };
        if let Some(name) = external_name(service) {
            let service_port = service_port(service, port);
            return Ok(Arc::new(Backend {
                protocol: protocol(key, service_port)?,
                endpoints: endpoints::external(name, port, service_port),
            }));
        }
        let Some(service_port) = service_port(service, port) else {
            return Err(not_found(format!(
                "Service {key} has no port {port}{}",
                ports_in_words(service)
            )));
        };
        let name = (&*key.namespace, &*key.name);
        let slices = self.slices.get(&name).map_or(&[][..], Vec::as_slice);
        Ok(Arc::new(Backend {
            protocol: protocol(key, Some(service_port))?,
            endpoints: endpoints::ready(slices, service_port),
        }))
    }
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

fn service_port(service: &Service, port: u16) -> Option<&ServicePort> {
    let mut ports = service.spec.as_ref()?.ports.iter().flatten();
    ports.find(|candidate| candidate.port == i32::from(port))
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

/// What a port speaks to an HTTP route, by GEP-1911.
fn protocol(key: &ObjectKey, port: Option<&ServicePort>) -> Result<BackendProtocol, Problem> {
    let unsupported = |what: String| {
        Err(Problem::new(
            ConditionReason::UnsupportedProtocol,
            format!("Service {key} {what}"),
        ))
    };
    let Some(port) = port else {
        return Ok(BackendProtocol::Http1);
    };
    match port.protocol.as_deref() {
        None | Some("TCP") => {}
        Some(other) => return unsupported(format!("port {} is of protocol {other}", port.port)),
    }
    match port.app_protocol.as_deref() {
        Some("kubernetes.io/h2c") => Ok(BackendProtocol::H2c),
        Some(tls @ ("kubernetes.io/wss" | "https" | "wss")) => unsupported(format!(
            "port {} speaks {tls} (appProtocol), and TLS to backends is not supported yet",
            port.port
        )),
        // `kubernetes.io/ws`, `http`, and the many names that tell nothing to an HTTP gateway.
        _ => Ok(BackendProtocol::Http1),
    }
}
