use std::io;
use std::net::{IpAddr, Ipv4Addr};

use portcullis_ir::Transport;

use super::*;

#[test]
fn failures_say_what_to_do() {
    let port = NonZeroU16::new(80).unwrap();
    let at = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let real = RealPort {
        number: 80,
        transport: Transport::Tcp,
    };
    let cases = [
        (
            io::ErrorKind::PermissionDenied,
            "port 80: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE, \
             or map it with --port-map 80=8080",
        ),
        (
            io::ErrorKind::AddrInUse,
            "port 80: in use by another process",
        ),
        (
            io::ErrorKind::AddrNotAvailable,
            "port 80: 127.0.0.1 is not an address of this host",
        ),
    ];
    for (kind, expected) in cases {
        let failure = failure::explain(&kind.into(), port, real, at);
        assert_eq!(failure.to_string(), expected);
    }
}

#[test]
fn a_stage_never_moves_back() {
    let metrics = crate::metrics::Metrics::new();
    let gateway = metrics.gateway(&portcullis_ir::ObjectKey::new("a", "b"));
    let key = crate::state::tcp(NonZeroU16::MIN);
    let (port, shares) = share_out(
        key,
        Vec::new(),
        vec![Sockets::none(Transport::Tcp)],
        &gateway,
    );
    let signals = &shares[0].gate.signals;
    assert!(!signals.leaving.load(Ordering::Relaxed));
    for (to, expected) in [
        (Stage::Leaving, Stage::Leaving),
        (Stage::Closed, Stage::Closed),
        (Stage::Leaving, Stage::Closed),
    ] {
        port.enter(to);
        assert_eq!(*signals.stage.borrow(), expected);
        assert!(signals.leaving.load(Ordering::Relaxed));
    }
}

#[test]
fn a_port_whose_loops_ended_is_dead() {
    let metrics = crate::metrics::Metrics::new();
    let gateway = metrics.gateway(&portcullis_ir::ObjectKey::new("a", "b"));
    let key = crate::state::tcp(NonZeroU16::MIN);
    let (port, shares) = share_out(
        key,
        Vec::new(),
        vec![Sockets::none(Transport::Tcp)],
        &gateway,
    );
    assert!(!port.is_dead());
    drop(shares);
    assert!(port.is_dead());
}
