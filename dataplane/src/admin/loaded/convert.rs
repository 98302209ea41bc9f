//! From a snapshot to what is shown of it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::listener::{Listener, ListenerProtocol};
use portcullis_ir::tls::{
    BackendTls, BackendTrust, Certificate, ClientValidation, SubjectAltName, TlsTermination,
    TrustBundle,
};
use portcullis_ir::{
    Attachment, Backend, BackendId, CertificateId, HttpRoute, HttpRule, L4Route, ListenerId,
    PortKey, RouteId, Snapshot, TrustBundleId,
};

use super::{
    Kept, LoadedAttachment, LoadedBackend, LoadedBackendTls, LoadedCertificate, LoadedConfig,
    LoadedListener, LoadedPort, LoadedRoute, LoadedRule, LoadedTrust, LoadedValidation,
};
use crate::admin::text;

impl LoadedConfig {
    /// What `snapshot` means for a data plane whose ports are in the states `ports` (an error is
    /// why one is not bound) and that has kept `kept` from before.
    pub fn of<F: Display>(
        snapshot: &Snapshot,
        ports: &BTreeMap<PortKey, Result<Vec<SocketAddr>, F>>,
        kept: &Kept,
    ) -> Self {
        let Snapshot {
            gateway,
            generation,
            listeners,
            certificates: _,
            trust_bundles: _,
            http_routes,
            l4_routes,
            backends,
        } = snapshot;
        let http_routes = http_routes.iter().map(|(id, route)| of_http(id, route));
        let l4_routes = l4_routes.iter().map(|(id, route)| of_l4(id, route));
        Self {
            gateway: gateway.clone(),
            generation: *generation,
            version: snapshot.version(),
            ports: ports.iter().map(LoadedPort::of).collect(),
            listeners: listeners
                .iter()
                .map(|(id, listener)| LoadedListener::of(id, listener, snapshot, kept))
                .collect(),
            routes: http_routes.chain(l4_routes).collect(),
            backends: backends
                .iter()
                .map(|(id, backend)| LoadedBackend::of(id, backend))
                .collect(),
        }
    }
}

impl LoadedPort {
    fn of<F: Display>((key, state): (&PortKey, &Result<Vec<SocketAddr>, F>)) -> Self {
        Self {
            port: key.port.get(),
            transport: key.transport,
            addresses: state.as_ref().cloned().unwrap_or_default(),
            failure: state.as_ref().err().map(ToString::to_string),
        }
    }
}

impl LoadedListener {
    fn of(id: &ListenerId, listener: &Listener, snapshot: &Snapshot, kept: &Kept) -> Self {
        let Listener {
            port,
            hostname,
            protocol,
        } = listener;
        let (protocol, tls) = match protocol {
            ListenerProtocol::Http => ("HTTP", None),
            ListenerProtocol::Https(tls) => ("HTTPS", Some(tls)),
            ListenerProtocol::TlsTerminate(tls) => ("TLS", Some(tls)),
            ListenerProtocol::TlsPassthrough => ("TLS passthrough", None),
            ListenerProtocol::Tcp => ("TCP", None),
            ListenerProtocol::Udp => ("UDP", None),
        };
        let (certificates, client_validation) = tls.map_or((&[][..], None), |tls| {
            let TlsTermination {
                certificates,
                client_validation,
            } = tls;
            (certificates.as_slice(), client_validation.as_ref())
        });
        Self {
            id: id.clone(),
            port: port.get(),
            protocol,
            hostname: hostname.to_string(),
            certificates: certificates
                .iter()
                .map(|id| LoadedCertificate::of(id, snapshot, kept))
                .collect(),
            client_validation: client_validation
                .map(|validation| LoadedValidation::of(validation, snapshot, kept)),
        }
    }
}

impl LoadedCertificate {
    fn of(id: &CertificateId, snapshot: &Snapshot, kept: &Kept) -> Self {
        let (served, problem) = match snapshot.certificates.get(id) {
            Some(Certificate::Usable(chain)) => (Some(chain.leaf.clone()), None),
            Some(Certificate::Unusable { reason }) => {
                (kept.certificates.get(id).cloned(), Some(reason.clone()))
            }
            None => (None, Some("the Secret does not exist".to_owned())),
        };
        Self {
            id: id.clone(),
            served,
            problem,
        }
    }
}

impl LoadedValidation {
    fn of(validation: &ClientValidation, snapshot: &Snapshot, kept: &Kept) -> Self {
        let ClientValidation { trust, mode } = validation;
        Self {
            mode: *mode,
            trust: trust
                .iter()
                .map(|id| LoadedTrust::of(id, snapshot, kept))
                .collect(),
        }
    }
}

impl LoadedTrust {
    fn of(id: &TrustBundleId, snapshot: &Snapshot, kept: &Kept) -> Self {
        let (authorities, problem) = match snapshot.trust_bundles.get(id) {
            Some(TrustBundle::Usable(anchors)) => (anchors.info.clone(), None),
            Some(TrustBundle::Unusable { reason }) => (
                kept.trust.get(id).cloned().unwrap_or_default(),
                Some(reason.clone()),
            ),
            None => (Vec::new(), Some("the object does not exist".to_owned())),
        };
        Self {
            id: id.clone(),
            authorities,
            problem,
        }
    }
}

fn of_http(id: &RouteId, route: &HttpRoute) -> LoadedRoute {
    let HttpRoute {
        origin: _,
        attachments,
        rules,
    } = route;
    LoadedRoute {
        id: id.clone(),
        attachments: attachments.iter().map(LoadedAttachment::of).collect(),
        rules: rules
            .iter()
            .map(|rule| {
                let HttpRule {
                    name,
                    matches,
                    filters,
                    backends,
                    timeouts: _,
                    retry: _,
                } = rule;
                LoadedRule {
                    name: name.clone(),
                    matches: matches.iter().map(text::http_match).collect(),
                    filters: filters.iter().map(text::filter).collect(),
                    backends: backends.iter().map(text::target).collect(),
                }
            })
            .collect(),
    }
}

fn of_l4(id: &RouteId, route: &L4Route) -> LoadedRoute {
    let L4Route {
        origin: _,
        attachments,
        rules,
    } = route;
    LoadedRoute {
        id: id.clone(),
        attachments: attachments.iter().map(LoadedAttachment::of).collect(),
        rules: rules
            .iter()
            .map(|rule| LoadedRule {
                name: rule.name.clone(),
                matches: Vec::new(),
                filters: Vec::new(),
                backends: rule.backends.iter().map(text::target).collect(),
            })
            .collect(),
    }
}

impl LoadedAttachment {
    fn of(attachment: &Attachment) -> Self {
        let Attachment { listener, hosts } = attachment;
        Self {
            listener: listener.clone(),
            hosts: hosts
                .iter()
                .map(|host| host.effective.to_string())
                .collect(),
        }
    }
}

impl LoadedBackend {
    fn of(id: &BackendId, backend: &Backend) -> Self {
        let Backend {
            protocol,
            tls,
            endpoints,
        } = backend;
        Self {
            id: id.clone(),
            protocol: *protocol,
            tls: tls.as_deref().map(LoadedBackendTls::of),
            endpoints: endpoints.iter().map(text::endpoint).collect(),
        }
    }
}

impl LoadedBackendTls {
    fn of(tls: &BackendTls) -> Self {
        let BackendTls {
            hostname,
            subject_alt_names,
            trust,
            client_certificate,
        } = tls;
        let names = subject_alt_names.iter().map(|name| match name {
            SubjectAltName::Dns(name) => name.to_string(),
            SubjectAltName::Uri(uri) => uri.to_string(),
        });
        let mut names: Vec<_> = names.collect();
        if names.is_empty() {
            names.push(hostname.to_string());
        }
        Self {
            hostname: Arc::clone(hostname),
            names,
            trust: match trust {
                BackendTrust::System => vec!["System".to_owned()],
                BackendTrust::Bundles(ids) => ids.iter().map(ToString::to_string).collect(),
            },
            client_certificate: client_certificate.clone(),
        }
    }
}
