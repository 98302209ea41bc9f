//! Routes of every kind.

use super::*;

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: default, uid: u1, generation: 2}
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: tcp, port: 53, protocol: TCP}
  - {name: udp, port: 53, protocol: UDP}
";

fn route(kind: Kind, version: &str) -> String {
    let hostnames = match kind {
        Kind::TlsRoute => "hostnames: [a.example.com]",
        _ => "",
    };
    format!(
        "
apiVersion: gateway.networking.k8s.io/{version}
kind: {kind}
metadata: {{name: web, namespace: default, generation: 1}}
spec:
  parentRefs: [{{name: gw}}]
  {hostnames}
  rules: [{{backendRefs: [{{name: web, port: 80}}]}}]
"
    )
}

/// Every kind of route in every version that is read: the channels serve different ones.
fn routes() -> impl Iterator<Item = (Kind, String)> {
    let kinds = [
        Kind::HttpRoute,
        Kind::GrpcRoute,
        Kind::TlsRoute,
        Kind::TcpRoute,
        Kind::UdpRoute,
    ];
    kinds.into_iter().flat_map(|kind| {
        let versions = kind.versions().iter();
        versions.map(move |version| (kind, route(kind, version)))
    })
}

#[test]
fn a_route_of_any_kind_is_served_and_told_and_its_echo_translates_nothing() {
    for (kind, text) in routes() {
        let mut bench = Bench::programmed();
        bench.put(GATEWAY);
        bench.step();
        bench.put(&text);
        let step = bench.step();
        assert_eq!(step.publish.len(), 1, "{kind}");
        let mut status = wanted(&step, kind).unwrap();
        let conditions = status["parents"][0]["conditions"].as_array_mut().unwrap();
        assert_eq!(conditions[0]["status"], "True", "{conditions:?}");
        for condition in conditions {
            condition["lastTransitionTime"] = json!("2030-01-01T00:00:00Z");
        }
        bench.put(&format!("{}status: {status}\n", text.trim_start()));
        assert!(!bench.control.is_dirty, "{kind}");
        let told = bench.step().statuses;
        assert!(matches!(told.as_slice(), [Order::Seen(_)]), "{told:?}");
    }
}

#[test]
fn a_listener_counts_the_routes_of_its_protocol_though_another_has_its_number() {
    let mut bench = Bench::programmed();
    bench.put(GATEWAY);
    bench.put(&route(Kind::UdpRoute, "v1"));
    let status = wanted(&bench.step(), Kind::Gateway).unwrap();
    let listeners = status["listeners"].as_array().unwrap().iter();
    let counts: Vec<_> = listeners.map(|it| it["attachedRoutes"].clone()).collect();
    assert_eq!(counts, [0, 0, 0, 1]);
}
