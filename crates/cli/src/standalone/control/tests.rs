use std::net::SocketAddr;

use portcullis_api::manifest;
use portcullis_dataplane::RealPort;
use portcullis_ir::Transport;

use super::*;

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g, generation: 1}
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: http, port: 80, protocol: HTTP}
";

fn contents(text: &str) -> Contents {
    let parsed = manifest::parse(text);
    assert_eq!(parsed.errors, [], "{text}");
    let objects = parsed
        .objects
        .into_iter()
        .map(|located| located.object)
        .collect();
    Contents {
        objects,
        ..Contents::default()
    }
}

fn at(seconds: i64) -> Time {
    Time(jiff::Timestamp::from_second(seconds).unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn control() -> Control {
    Control::new(Network {
        bind: vec![ip("0.0.0.0")],
        own: vec![ip("10.1.2.3"), ip("fd00::1")],
    })
}

fn key(name: &str) -> portcullis_ir::ObjectKey {
    portcullis_ir::ObjectKey::new("default", name)
}

/// What a data plane answers that bound every port at `address`.
fn bound(order: &Order, address: &str) -> Applied {
    outcome(order, |port| Ok(vec![SocketAddr::new(ip(address), port)]))
}

fn outcome(order: &Order, state: impl Fn(u16) -> Result<Vec<SocketAddr>, BindFailure>) -> Applied {
    let Order::Serve { snapshot, .. } = order else {
        panic!("{order:?}")
    };
    let ports = snapshot.listeners.values().map(|listener| {
        let key = listener.port_key();
        assert_eq!(key.transport, Transport::Tcp);
        (key, state(key.port.get()))
    });
    Applied {
        version: snapshot.version(),
        generation: snapshot.generation,
        ports: ports.collect(),
    }
}

fn programmed(step: &Step, name: &str) -> (String, String, Vec<String>) {
    let listing = step.listing.as_ref().unwrap();
    let status = listing.gateways[&ObjectKey::new("default", name)]
        .status
        .clone()
        .unwrap();
    let found = status
        .conditions
        .iter()
        .find(|it| it.r#type.as_str() == "Programmed")
        .unwrap();
    let addresses = status
        .addresses
        .iter()
        .filter_map(|it| it.value.clone())
        .collect();
    (found.status.to_string(), found.message.clone(), addresses)
}

#[test]
fn a_gateway_is_programmed_when_its_data_plane_says_so() {
    let mut control = control();
    let step = control.replace(contents(GATEWAY), &at(1));
    assert_eq!(programmed(&step, "g").0, "False");
    let [order] = step.orders.as_slice() else {
        panic!("{:?}", step.orders)
    };
    let step = control.note(&key("g"), &bound(order, "0.0.0.0"), &at(2));
    let (status, _, addresses) = programmed(&step, "g");
    assert_eq!(
        (status.as_str(), addresses),
        ("True", vec!["10.1.2.3".to_owned()])
    );
    assert_eq!(step.orders, [], "its data plane need not hear of that");
}

#[test]
fn what_changes_nothing_orders_nothing() {
    let mut control = control();
    let orders = control.replace(contents(GATEWAY), &at(1)).orders;
    let applied = bound(&orders[0], "0.0.0.0");
    control.note(&key("g"), &applied, &at(2));
    assert!(control.note(&key("g"), &applied, &at(3)).listing.is_none());
    let unrelated =
        format!("{GATEWAY}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: web}}\n");
    let step = control.replace(contents(&unrelated), &at(4));
    assert_eq!(
        (step.orders.len(), step.listing.is_none(), step.news.len()),
        (0, true, 0)
    );
}

#[test]
fn transition_times_stay_when_the_status_does() {
    let mut control = control();
    let step = control.replace(contents(GATEWAY), &at(100));
    control.note(&key("g"), &bound(&step.orders[0], "0.0.0.0"), &at(200));
    let more = GATEWAY
        .replace("port: 80,", "port: 81,")
        .replace("generation: 1", "generation: 2");
    let step = control.replace(contents(&more), &at(300));
    let gateway = &step.listing.unwrap().gateways[&ObjectKey::new("default", "g")];
    let times: BTreeMap<_, _> = gateway
        .status
        .as_ref()
        .unwrap()
        .conditions
        .iter()
        .map(|it| {
            (
                it.r#type.to_string(),
                it.last_transition_time.clone().unwrap().0.as_second(),
            )
        })
        .collect();
    assert_eq!(times["Accepted"], 100);
    assert_eq!(times["Programmed"], 300, "port 81 is not bound yet");
    assert_eq!(
        gateway.metadata.creation_timestamp,
        Some(at(100)),
        "first seen"
    );
}

#[test]
fn a_gateway_that_goes_is_stopped() {
    let mut control = control();
    let orders = control.replace(contents(GATEWAY), &at(1)).orders;
    let step = control.replace(Contents::default(), &at(2));
    assert_eq!(step.orders, [Order::Stop { gateway: key("g") }]);
    let late = control.note(&key("g"), &bound(&orders[0], "0.0.0.0"), &at(3));
    assert!(late.listing.is_none() && late.orders.is_empty());
}

#[test]
fn addresses_asked_for_are_bound_and_reported() {
    let text = GATEWAY.replace(
        "  listeners:",
        "  addresses: [{value: 127.0.0.2}, {value: '::1'}]\n  listeners:",
    );
    let mut control = control();
    let step = control.replace(contents(&text), &at(1));
    let Order::Serve { bind, .. } = &step.orders[0] else {
        panic!()
    };
    assert_eq!(*bind, [ip("127.0.0.2"), ip("::1")]);
    let step = control.note(&key("g"), &bound(&step.orders[0], "127.0.0.2"), &at(2));
    assert_eq!(programmed(&step, "g").2, ["127.0.0.2"]);
}

#[test]
fn a_refused_address_moves_no_gateway() {
    let with = |address: &str| {
        let addresses = format!("  addresses: [{address}]\n  listeners:");
        contents(&GATEWAY.replace("  listeners:", &addresses))
    };
    let refused = "{type: Hostname, value: localhost}";
    let mut control = control();
    let step = control.replace(with(refused), &at(1));
    assert_eq!(step.orders, [], "there is no place for it");
    assert_eq!(programmed(&step, "g").0, "False");

    let private = control.replace(with("{value: 127.0.0.2}"), &at(2)).orders;
    control.note(&key("g"), &bound(&private[0], "127.0.0.2"), &at(3));
    let both = format!("{refused}, {{value: 127.0.0.3}}");
    for edit in [refused, &both] {
        let text = with(edit);
        let step = control.replace(text, &at(4));
        for order in &step.orders {
            let Order::Serve { bind, .. } = order else {
                panic!("{order:?}")
            };
            assert_eq!(*bind, [ip("127.0.0.2")], "{edit}");
        }
    }
    let orders = control.replace(contents(GATEWAY), &at(5)).orders;
    assert!(
        matches!(orders.as_slice(), [Order::Serve { bind, .. }] if *bind == [ip("0.0.0.0")]),
        "{orders:?}"
    );
}

#[test]
fn another_gateway_with_the_port_is_named() {
    let second = GATEWAY.replace("name: g,", "name: h,");
    let mut control = control();
    let step = control.replace(contents(&format!("{GATEWAY}---{second}")), &at(1));
    control.note(&key("g"), &bound(&step.orders[0], "0.0.0.0"), &at(2));
    let failed = outcome(&step.orders[1], |number| {
        let transport = Transport::Tcp;
        let real = RealPort { number, transport };
        Err(BindFailure::InUse { real })
    });
    let (status, message, _) = programmed(&control.note(&key("h"), &failed, &at(3)), "h");
    assert_eq!(status, "False");
    assert!(message.contains("Gateway default/g has it"), "{message}");
}

#[test]
fn foreign_gateways_and_lonely_routes_get_a_hint() {
    let foreign = GATEWAY.replace("gatewayClassName: portcullis", "gatewayClassName: nginx");
    let lonely = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: nobody}]
";
    let step = control().replace(contents(&format!("{foreign}---{lonely}")), &at(1));
    assert_eq!(step.orders, []);
    let findings = step.findings.unwrap().findings;
    let said: Vec<_> = findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    assert!(
        said[0].starts_with("Gateway default/g: ignored: there is no GatewayClass \"nginx\""),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("HTTPRoute default/r: its parent, Gateway default/nobody,"),
        "{said:?}"
    );
}
