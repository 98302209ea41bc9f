//! Snapshots for tests, and a data plane that serves them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};
use std::sync::Arc;

use portcullis_dataplane::{Applied, Config, DataPlane, PortMap};
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::filter::Filter;
use portcullis_ir::matcher::{HttpMatch, PathMatcher};
use portcullis_ir::route::{L4Rule, RouteKind, Timeouts};
use portcullis_ir::tls::{
    BackendTls, Certificate, ClientValidation, ClientValidationMode, TlsTermination, TrustBundle,
};
use portcullis_ir::{
    Attachment, Backend, BackendId, BackendProtocol, CertificateId, Endpoint, EndpointHost,
    HostPattern, HttpRoute, HttpRule, L4Route, Listener, ListenerId, ListenerProtocol, ObjectKey,
    PortKey, RouteHost, RouteId, RouteOrigin, Snapshot, Transport, TrustBundleId, WeightedBackend,
};

/// A snapshot in the making.
#[derive(Clone)]
pub(crate) struct Scene(pub(crate) Snapshot);

pub(crate) fn scene() -> Scene {
    Scene(Snapshot::empty(ObjectKey::new("default", "gateway"), 1))
}

pub(crate) fn listener_id(name: &str) -> ListenerId {
    ListenerId::new(format!("Gateway/default/gateway/{name}"))
}

impl Scene {
    pub(crate) fn http(self, name: &str, port: u16, host: &str) -> Self {
        self.listener(name, port, host, ListenerProtocol::Http)
    }

    pub(crate) fn listener(
        mut self,
        name: &str,
        port: u16,
        host: &str,
        protocol: ListenerProtocol,
    ) -> Self {
        let hostname = HostPattern::parse(host).unwrap();
        let port = NonZeroU16::new(port).unwrap();
        self.0.listeners.insert(
            listener_id(name),
            Listener {
                port,
                hostname,
                protocol,
            },
        );
        self
    }

    pub(crate) fn tcp(self, name: &str, port: u16) -> Self {
        self.listener(name, port, "", ListenerProtocol::Tcp)
    }

    pub(crate) fn passthrough(self, name: &str, port: u16, host: &str) -> Self {
        self.listener(name, port, host, ListenerProtocol::TlsPassthrough)
    }

    /// A TLS listener that ends TLS.
    pub(crate) fn terminate(self, name: &str, port: u16, host: &str, certificate: &str) -> Self {
        let termination = TlsTermination {
            certificates: vec![CertificateId::new(certificate)],
            client_validation: None,
        };
        self.listener(
            name,
            port,
            host,
            ListenerProtocol::TlsTerminate(termination),
        )
    }

    /// All of `host` on a listener goes to a backend as it is.
    pub(crate) fn forward(self, listener: &str, host: &str, backend: &str) -> Self {
        let target = BackendTarget::Backend(backend_id(backend));
        self.forward_to(listener, host, vec![(1, target)])
    }

    pub(crate) fn forward_to(
        mut self,
        listener: &str,
        host: &str,
        targets: Vec<(u32, BackendTarget)>,
    ) -> Self {
        let configured = HostPattern::parse(host).unwrap();
        let of_listener = &self
            .0
            .listeners
            .get(&listener_id(listener))
            .unwrap()
            .hostname;
        let effective = of_listener.intersection(&configured).unwrap();
        let name = format!("forward-{}", self.0.l4_routes.len());
        let backends = targets.into_iter().map(|(weight, target)| WeightedBackend {
            weight,
            target,
            filters: Vec::new(),
        });
        let route = L4Route {
            origin: RouteOrigin {
                kind: RouteKind::Tls,
                key: ObjectKey::new("default", name.as_str()),
                created: None,
            },
            attachments: vec![Attachment {
                listener: listener_id(listener),
                hosts: vec![RouteHost {
                    effective,
                    configured,
                }],
            }],
            rules: vec![L4Rule {
                name: None,
                backends: backends.collect(),
            }],
        };
        let id = RouteId::new(format!("TLSRoute/default/{name}"));
        self.0.l4_routes.insert(id, Arc::new(route));
        self
    }

    pub(crate) fn https(self, name: &str, port: u16, host: &str, certificates: &[&str]) -> Self {
        let certificates = certificates
            .iter()
            .map(|id| CertificateId::new(*id))
            .collect();
        let termination = TlsTermination {
            certificates,
            client_validation: None,
        };
        self.listener(name, port, host, ListenerProtocol::Https(termination))
    }

    /// Asks clients of a listener that ends TLS for certificates.
    pub(crate) fn clients(
        mut self,
        name: &str,
        trust: &[&str],
        mode: ClientValidationMode,
    ) -> Self {
        let listener = self.0.listeners.get_mut(&listener_id(name)).unwrap();
        if let ListenerProtocol::Https(termination) | ListenerProtocol::TlsTerminate(termination) =
            &mut listener.protocol
        {
            let trust = trust.iter().map(|id| TrustBundleId::new(*id)).collect();
            termination.client_validation = Some(ClientValidation { trust, mode });
        }
        self
    }

    pub(crate) fn certificate(mut self, id: &str, certificate: Certificate) -> Self {
        self.0
            .certificates
            .insert(CertificateId::new(id), certificate);
        self
    }

    pub(crate) fn trust(mut self, id: &str, bundle: TrustBundle) -> Self {
        self.0.trust_bundles.insert(TrustBundleId::new(id), bundle);
        self
    }

    pub(crate) fn backend(
        mut self,
        name: &str,
        protocol: BackendProtocol,
        at: &[SocketAddr],
    ) -> Self {
        self.insert_backend(name, protocol, at, None);
        self
    }

    /// A backend over TLS.
    pub(crate) fn tls_backend(
        mut self,
        name: &str,
        protocol: BackendProtocol,
        at: &[SocketAddr],
        policy: BackendTls,
    ) -> Self {
        self.insert_backend(name, protocol, at, Some(Arc::new(policy)));
        self
    }

    fn insert_backend(
        &mut self,
        name: &str,
        protocol: BackendProtocol,
        at: &[SocketAddr],
        tls: Option<Arc<BackendTls>>,
    ) {
        let endpoint = |at: &SocketAddr| Endpoint {
            host: EndpointHost::Ip(at.ip()),
            port: at.port(),
        };
        let endpoints = at.iter().map(endpoint).collect();
        self.0.backends.insert(
            backend_id(name),
            Arc::new(Backend {
                protocol,
                tls,
                endpoints,
            }),
        );
    }

    /// All of `host` under `path` on a listener goes to a backend.
    pub(crate) fn route(self, listener: &str, host: &str, path: &str, backend: &str) -> Self {
        self.rule(listener, host, path, to(backend))
    }

    pub(crate) fn rule(mut self, listener: &str, host: &str, path: &str, rule: HttpRule) -> Self {
        let mut matched = HttpMatch::every_request();
        matched.path = PathMatcher::Prefix(path.to_owned());
        let host = HostPattern::parse(host).unwrap();
        let hosts = vec![RouteHost {
            effective: host.clone(),
            configured: host,
        }];
        let name = format!("route-{}", self.0.http_routes.len());
        let route = HttpRoute {
            origin: RouteOrigin {
                kind: RouteKind::Http,
                key: ObjectKey::new("default", name.as_str()),
                created: None,
            },
            attachments: vec![Attachment {
                listener: listener_id(listener),
                hosts,
            }],
            rules: vec![HttpRule {
                matches: vec![matched],
                ..rule
            }],
        };
        let id = RouteId::new(format!("HTTPRoute/default/{name}"));
        self.0.http_routes.insert(id, Arc::new(route));
        self
    }

    pub(crate) fn build(&self) -> Arc<Snapshot> {
        Arc::new(self.0.clone())
    }
}

pub(crate) fn backend_id(name: &str) -> BackendId {
    BackendId::new(format!("Service/default/{name}/80"))
}

/// A rule that sends everything to a backend.
pub(crate) fn to(backend: &str) -> HttpRule {
    rule_to(BackendTarget::Backend(backend_id(backend)))
}

pub(crate) fn rule_to(target: BackendTarget) -> HttpRule {
    HttpRule {
        name: None,
        matches: Vec::new(),
        filters: Vec::new(),
        backends: vec![WeightedBackend {
            weight: 1,
            target,
            filters: Vec::new(),
        }],
        timeouts: Timeouts::default(),
        retry: None,
    }
}

pub(crate) fn with_filters(rule: HttpRule, filters: Vec<Filter>) -> HttpRule {
    HttpRule { filters, ..rule }
}

/// A data plane with one applied scene.
pub(crate) struct Plane {
    pub(crate) plane: DataPlane,
    /// Where each listener port really is.
    pub(crate) ports: BTreeMap<u16, SocketAddr>,
}

impl Plane {
    pub(crate) async fn serving(scene: &Scene) -> Self {
        Self::start(scene, config()).await
    }

    pub(crate) async fn start(scene: &Scene, config: Config) -> Self {
        let plane = DataPlane::start(config).unwrap();
        let mut this = Self {
            plane,
            ports: BTreeMap::new(),
        };
        this.apply(scene).await;
        this
    }

    pub(crate) async fn apply(&mut self, scene: &Scene) -> Applied {
        let applied = self.plane.apply(scene.build()).await;
        self.ports = bound(&applied);
        applied
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        self.ports[&port]
    }
}

pub(crate) fn config() -> Config {
    Config {
        bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        ports: PortMap::any_free(),
        workers: NonZeroUsize::new(2).unwrap(),
        ..Config::default()
    }
}

fn bound(applied: &Applied) -> BTreeMap<u16, SocketAddr> {
    let bound = applied.ports.iter().filter_map(|(key, state)| {
        let PortKey {
            port,
            transport: Transport::Tcp,
        } = key
        else {
            return None;
        };
        Some((port.get(), *state.as_ref().ok()?.first()?))
    });
    bound.collect()
}
