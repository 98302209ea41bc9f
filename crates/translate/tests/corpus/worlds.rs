//! Made-up worlds: objects of few names, so that they meet.

use portcullis_api::{AnyObject, Objects};
use serde_json::{Value, json};

use super::{CONTROLLER, folder, read_unchecked, text};

/// Choices read from random bytes: a shorter list of smaller bytes is a simpler world.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % sides
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())].clone()
    }

    fn list(&mut self, most: usize, mut make: impl FnMut(&mut Self, usize) -> Value) -> Value {
        let count = self.roll(most + 1);
        (0..count).map(|index| make(self, index)).collect()
    }
}

const NAMESPACES: [&str; 3] = ["default", "other", "third"];
const NAMES: [&str; 3] = ["web", "api", "gone"];
const HOSTS: [&str; 7] = [
    "a.example.com",
    "*.example.com",
    "*.b.example.com",
    "c.b.example.com",
    "*.com",
    "10.0.0.1",
    "",
];
const PATHS: [&str; 8] = ["/", "/a", "/a/", "/a/b", "no", "/(a+)+$", "/(", "/a//b"];

pub(crate) fn world(bytes: &[u8]) -> Vec<Value> {
    let dice = &mut Dice(bytes.iter());
    let mut objects = vec![class()];
    for kind in 0..dice.roll(24) {
        objects.push(match kind % 11 {
            0 => gateway(dice),
            1 | 2 => route(dice),
            7 => l4_route(dice),
            3 => service(dice),
            4 => slice(dice),
            5 => grant(dice),
            6 => secret(dice),
            8 => namespace(dice),
            9 => match dice.roll(3) {
                0 => config_map(dice),
                1 => trust_bundle(dice),
                _ => policy(dice),
            },
            _ => listener_set(dice),
        });
    }
    objects
}

fn gateway_api(kind: &str, dice: &mut Dice<'_>, spec: &Value) -> Value {
    let created = dice.pick(&[
        None,
        Some("2029-01-01T00:00:00Z"),
        Some("2029-01-02T00:00:00Z"),
    ]);
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {
            "name": dice.pick(&NAMES),
            "namespace": dice.pick(&NAMESPACES),
            "generation": dice.roll(3),
            "creationTimestamp": created,
        },
        "spec": spec,
    })
}

fn class() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "portcullis"},
        "spec": {"controllerName": CONTROLLER},
    })
}

fn gateway(dice: &mut Dice<'_>) -> Value {
    let validation = |dice: &mut Dice<'_>| {
        json!({"validation": {
            "mode": dice.pick(&["AllowValidOnly", "AllowInsecureFallback", "Maybe"]),
            "caCertificateRefs": dice.list(2, |dice, _| {
                let mut reference = ca_ref(dice);
                reference["namespace"] = json!(dice.pick(&NAMESPACES));
                reference
            }),
        }})
    };
    let frontend = match dice.roll(3) {
        0 => Value::Null,
        1 => json!({"default": validation(dice)}),
        _ => json!({"default": {}, "perPort": [{"port": 443, "tls": validation(dice)}]}),
    };
    let backend = match dice.roll(3) {
        0 => json!({"clientCertificateRef": {
            "name": dice.pick(&NAMES),
            "namespace": dice.pick(&NAMESPACES),
        }}),
        _ => Value::Null,
    };
    let tls = json!({"frontend": frontend, "backend": backend});
    let spec = json!({
        "gatewayClassName": dice.pick(&["portcullis", "portcullis", "other"]),
        "allowedListeners": {"namespaces": {
            "from": dice.pick(&["All", "Same", "None", "Selector"]),
            "selector": {"matchLabels": {"team": "a"}},
        }},
        "tls": tls,
        "addresses": dice.list(1, |dice, _| json!({"type": dice.pick(&["IPAddress", "Hostname"])})),
        "listeners": dice.list(5, listener),
    });
    gateway_api("Gateway", dice, &spec)
}

fn listener(dice: &mut Dice<'_>, index: usize) -> Value {
    json!({
        "name": format!("l{index}"),
        "port": dice.pick(&[80, 443, 8080, 0]),
        "protocol": dice.pick(&["HTTP", "HTTPS", "HTTP", "HTTPS", "TCP", "UDP", "TLS", "TLS", "X"]),
        "hostname": dice.pick(&HOSTS),
        "tls": tls(dice),
        "allowedRoutes": {
            "namespaces": {
                "from": dice.pick(&["All", "Same", "Selector", "None"]),
                "selector": {"matchLabels": {"team": "a"}},
            },
            "kinds": dice.list(1, |dice, _| {
                json!({"kind": dice.pick(&["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"])})
            }),
        },
    })
}

fn tls(dice: &mut Dice<'_>) -> Value {
    if dice.roll(3) == 2 {
        return Value::Null;
    }
    json!({
        "mode": dice.pick(&["Terminate", "Terminate", "Passthrough"]),
        "certificateRefs": dice.list(2, |dice, _| json!({
            "name": dice.pick(&NAMES),
            "namespace": dice.pick(&NAMESPACES),
        })),
        "options": dice.pick(&[
            json!({}),
            json!({"portcullis.dev/tls-terminate-mode": "MUTUAL"}),
            json!({"portcullis.dev/unknown": "x"}),
        ]),
    })
}

fn listener_set(dice: &mut Dice<'_>) -> Value {
    let spec = json!({
        "parentRef": {"name": dice.pick(&NAMES), "namespace": dice.pick(&NAMESPACES)},
        "listeners": dice.list(3, listener),
    });
    gateway_api("ListenerSet", dice, &spec)
}

fn route(dice: &mut Dice<'_>) -> Value {
    let (kind, rule): (_, fn(&mut Dice<'_>, usize) -> Value) = match dice.roll(3) {
        0 => ("GRPCRoute", grpc_rule),
        _ => ("HTTPRoute", rule),
    };
    let spec = json!({
        "parentRefs": dice.list(3, parent_ref),
        "hostnames": dice.list(3, |dice, _| json!(dice.pick(&HOSTS[..5]))),
        "rules": dice.list(3, rule),
    });
    let mut route = gateway_api(kind, dice, &spec);
    // What a controller said of a parent that may be gone from the spec.
    let said = |controller: &str| {
        json!({"parents": [{
            "parentRef": {"name": "web"},
            "controllerName": controller,
            "conditions": [],
        }]})
    };
    route["status"] = dice.pick(&[Value::Null, said(CONTROLLER), said("example.com/other")]);
    route
}

/// A TLSRoute, TCPRoute or UDPRoute.
fn l4_route(dice: &mut Dice<'_>) -> Value {
    let kind = dice.pick(&["TLSRoute", "TCPRoute", "UDPRoute"]);
    let spec = json!({
        "parentRefs": dice.list(3, parent_ref),
        "hostnames": match kind {
            "TLSRoute" => dice.list(3, |dice, _| json!(dice.pick(&HOSTS[..5]))),
            _ => json!([]),
        },
        "rules": dice.list(2, |dice, _| json!({"backendRefs": dice.list(2, backend_ref)})),
    });
    gateway_api(kind, dice, &spec)
}

fn parent_ref(dice: &mut Dice<'_>, _: usize) -> Value {
    json!({
        "kind": dice.pick(&["Gateway", "Gateway", "ListenerSet", "Service"]),
        "name": dice.pick(&NAMES),
        "namespace": dice.pick(&NAMESPACES),
        "sectionName": dice.pick(&[None, None, Some("l0"), Some("l1")]),
        "port": dice.pick(&[None, None, Some(80)]),
    })
}

fn backend_ref(dice: &mut Dice<'_>, _: usize) -> Value {
    json!({
        "kind": dice.pick(&["Service", "Service", "Bucket"]),
        "name": dice.pick(&NAMES),
        "namespace": dice.pick(&NAMESPACES),
        "port": dice.pick(&[None, Some(80), Some(81)]),
        "weight": dice.pick(&[None, Some(0), Some(7)]),
    })
}

fn rule(dice: &mut Dice<'_>, _: usize) -> Value {
    json!({
        "matches": dice.list(2, |dice, _| json!({
            "path": {
                "type": dice.pick(&["PathPrefix", "Exact", "RegularExpression", "Glob"]),
                "value": dice.pick(&PATHS),
            },
            "method": dice.pick(&[None, Some("GET"), Some("BREW")]),
            "headers": [{"name": dice.pick(&["x", "X-Y", "a b"]), "value": dice.pick(&["1", "\u{0}"])}],
        })),
        "filters": dice.list(2, |dice, _| filter(dice)),
        "backendRefs": dice.list(3, backend_ref),
        "timeouts": {"request": dice.pick(&["1s", "0s", "x"])},
        "retry": dice.pick(&[json!(null), json!({}), json!({"attempts": 0}), json!({"codes": [503], "backoff": "1s"}), json!({"codes": [200]})]),
    })
}

fn filter(dice: &mut Dice<'_>) -> Value {
    let origin = dice.pick(&["*", "https://a.com", "a"]);
    let percent = dice.pick(&[None, Some(20), Some(101)]);
    let backend = json!({
        "name": dice.pick(&NAMES),
        "namespace": dice.pick(&NAMESPACES),
        "port": dice.pick(&[80, 81]),
    });
    dice.pick(&[
        json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}),
        json!({"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/b"}}}),
        json!({"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}),
        json!({"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}),
        json!({"type": "CORS", "cors": {"allowOrigins": [origin]}}),
        json!({"type": "ExtensionRef"}),
        json!({"type": "URLRewrite"}),
    ])
}

fn grpc_rule(dice: &mut Dice<'_>, _: usize) -> Value {
    json!({
        "matches": dice.list(2, |dice, _| json!({
            "method": {
                "type": dice.pick(&["Exact", "RegularExpression", "Glob"]),
                "service": dice.pick(&["a.B", "", "(", "a/b"]),
                "method": dice.pick(&["Get", "", "Get.*"]),
            },
            "headers": [{"name": dice.pick(&["x", "a b"]), "value": "1"}],
        })),
        "filters": dice.list(2, |dice, _| filter(dice)),
        "backendRefs": dice.list(3, backend_ref),
    })
}

fn core(api_version: &str, kind: &str, dice: &mut Dice<'_>, mut object: Value) -> Value {
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    object["metadata"]["name"] = json!(dice.pick(&NAMES));
    object["metadata"]["namespace"] = json!(dice.pick(&NAMESPACES));
    object
}

fn namespace(dice: &mut Dice<'_>) -> Value {
    let team = dice.pick(&["a", "b"]);
    let mut namespace = core(
        "v1",
        "Namespace",
        dice,
        json!({"metadata": {"labels": {"team": team}}}),
    );
    namespace["metadata"]["name"] = namespace["metadata"]["namespace"].take();
    namespace
}

fn config_map(dice: &mut Dice<'_>) -> Value {
    let ca = text(&folder("fixtures").join("tls").join("root-ca.crt"));
    let data = dice.pick(&[json!({"ca.crt": ca}), json!({"ca.crt": "x"}), json!({})]);
    core("v1", "ConfigMap", dice, json!({"data": data}))
}

fn trust_bundle(dice: &mut Dice<'_>) -> Value {
    let ca = text(&folder("fixtures").join("tls").join("root-ca.crt"));
    json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": dice.pick(&NAMES)},
        "spec": {"trustBundle": dice.pick(&[&*ca, "x", ""])},
    })
}

/// A reference to CA certificates.
fn ca_ref(dice: &mut Dice<'_>) -> Value {
    let (group, kind) = dice.pick(&[
        ("", "ConfigMap"),
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "Service"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
    ]);
    json!({"group": group, "kind": kind, "name": dice.pick(&NAMES)})
}

fn policy(dice: &mut Dice<'_>) -> Value {
    let spec = json!({
        "targetRefs": dice.list(2, |dice, _| json!({
            "group": "",
            "kind": dice.pick(&["Service", "Service", "Bucket"]),
            "name": dice.pick(&NAMES),
            "sectionName": dice.pick(&[None, None, Some("a"), Some("b"), Some("c")]),
        })),
        "validation": {
            "hostname": dice.pick(&["a.example.com", "A.example.com", "*.example.com", ""]),
            "wellKnownCACertificates": dice.pick(&[None, None, Some("System"), Some("Other")]),
            "caCertificateRefs": dice.list(2, |dice, _| ca_ref(dice)),
            "subjectAltNames": dice.list(1, |dice, _| dice.pick(&[
                json!({"type": "Hostname", "hostname": "*.example.com"}),
                json!({"type": "URI", "uri": "spiffe://a/b"}),
                json!({"type": "URI", "uri": "b"}),
            ])),
        },
    });
    let mut policy = gateway_api("BackendTLSPolicy", dice, &spec);
    let said = |controller: &str| {
        json!({"ancestors": [{
            "ancestorRef": {"name": "web"},
            "controllerName": controller,
            "conditions": [],
        }]})
    };
    policy["status"] = dice.pick(&[Value::Null, said(CONTROLLER), said("example.com/other")]);
    policy
}

fn service(dice: &mut Dice<'_>) -> Value {
    let spec = dice.pick(&[
        json!({"ports": [{"port": 80, "targetPort": 8080}]}),
        json!({"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81, "targetPort": "b"}]}),
        json!({"ports": [{"port": 80, "appProtocol": "kubernetes.io/wss"}]}),
        json!({"ports": [{"name": "a", "port": 80}, {"name": "u", "port": 80, "protocol": "UDP"}]}),
        json!({"ports": [{"port": 80, "appProtocol": "kubernetes.io/ws"}]}),
        json!({"type": "ExternalName", "externalName": "example.com"}),
        json!({}),
    ]);
    core("v1", "Service", dice, json!({"spec": spec}))
}

fn slice(dice: &mut Dice<'_>) -> Value {
    let slice = json!({
        "metadata": {"labels": {"kubernetes.io/service-name": dice.pick(&NAMES)}},
        "addressType": "IPv4",
        "ports": dice.pick(&[
            json!([{"port": 8080}]),
            json!([{"name": "a", "port": 70000}, {"name": "b"}]),
            json!(null),
        ]),
        "endpoints": dice.list(3, |dice, _| json!({
            "addresses": [dice.pick(&["10.0.0.1", "10.0.0.2", "host", ""])],
            "conditions": {
                "ready": dice.pick(&[None, Some(true), Some(false)]),
                "serving": dice.pick(&[None, Some(true)]),
                "terminating": dice.pick(&[None, Some(true)]),
            },
        })),
    });
    core("discovery.k8s.io/v1", "EndpointSlice", dice, slice)
}

fn grant(dice: &mut Dice<'_>) -> Value {
    let spec = json!({
        "from": [{
            "group": "gateway.networking.k8s.io",
            "kind": dice.pick(&["HTTPRoute", "GRPCRoute", "Gateway", "TLSRoute", "TCPRoute"]),
            "namespace": dice.pick(&NAMESPACES),
        }],
        "to": [{"group": "", "kind": dice.pick(&["Service", "Secret", "ConfigMap"])}],
    });
    gateway_api("ReferenceGrant", dice, &spec)
}

fn secret(dice: &mut Dice<'_>) -> Value {
    let file = |name: &str| text(&folder("fixtures").join("tls").join(name));
    let data = dice.pick(&[
        json!({"tls.crt": file("p256.crt"), "tls.key": file("p256.key"), "ca.crt": file("root-ca.crt")}),
        json!({"cert": file("expired.crt"), "key": file("p256.key")}),
        json!({"tls.crt": file("future.crt"), "tls.key": file("p256.key")}),
        json!({"tls.crt": "x", "tls.key": "y", "cacert": "z"}),
        json!({}),
    ]);
    core("v1", "Secret", dice, json!({"stringData": data}))
}

pub(crate) fn objects(world: &[Value]) -> Objects {
    let documents: Vec<String> = world.iter().map(ToString::to_string).collect();
    let objects: Vec<AnyObject> = documents
        .iter()
        .flat_map(|text| read_unchecked(text))
        .collect();
    assert_eq!(
        objects.len(),
        world.len(),
        "a made-up object cannot be read"
    );
    // The first of a name stays, whatever the order.
    let mut all = Objects::default();
    for object in objects {
        if all.find(object.kind(), &object.key()).is_none() {
            all.insert(object);
        }
    }
    all
}

/// An object as it was and as it becomes.
pub(crate) type Step = (Option<AnyObject>, Option<AnyObject>);

/// The changes that lead from some objects to others, one by one, in no order in particular.
pub(crate) fn changes(from: &Objects, to: &Objects) -> Vec<Step> {
    let mut changes: Vec<_> = from
        .iter()
        .map(|old| (Some(old.clone()), to.find(old.kind(), &old.key())))
        .collect();
    let is_new = |new: &AnyObject| from.find(new.kind(), &new.key()).is_none();
    changes.extend(to.iter().filter(is_new).map(|new| (None, Some(new))));
    changes.sort_by_key(|(old, new)| {
        let object = new.as_ref().or(old.as_ref());
        object.map(|it| (it.key().name.len(), it.key().namespace.len(), it.kind()))
    });
    changes
}

/// Takes a step.
pub(crate) fn take(objects: &mut Objects, (old, new): &Step) {
    match (old, new) {
        (_, Some(new)) => drop(objects.insert(new.clone())),
        (Some(old), None) => drop(objects.remove(old.kind(), &old.key())),
        (None, None) => {}
    }
}
