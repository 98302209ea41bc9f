use super::*;
use crate::http::message::testing::{names, request, response};

#[test]
fn the_peer_is_appended_to_those_before_it() {
    let peer = HeaderValue::from_static("9.9.9.9");
    let values = |texts: &[&'static str]| -> Vec<_> {
        texts
            .iter()
            .map(|text| HeaderValue::from_static(text))
            .collect()
    };
    for (given, expected) in [
        (values(&[]), "9.9.9.9"),
        (values(&["1.1.1.1"]), "1.1.1.1, 9.9.9.9"),
        (
            values(&["1.1.1.1, 2.2.2.2", "x"]),
            "1.1.1.1, 2.2.2.2, x, 9.9.9.9",
        ),
    ] {
        assert_eq!(append_to(given.iter(), peer.clone()), expected);
    }
}

#[test]
fn nominated_headers_go_but_framing_stays() {
    let connection = "close, X-One , content-length,transfer-encoding, bad name, host";
    let fields = [
        ("connection", connection),
        ("x-one", "1"),
        ("x-two", "2"),
        ("content-length", "3"),
        ("keep-alive", "timeout=1"),
    ];
    let mut response = response(200, &fields);
    strip_answer(&mut response, Trailers::Dropped);
    assert_eq!(names(&response.headers), ["content-length", "x-two"]);
    let mut request = request("GET", "/", &fields);
    strip_request(&mut request, Through::Nothing);
    assert_eq!(names(&request.headers), ["content-length", "x-two"]);
}

#[test]
fn a_tunnels_answer_is_left_alone() {
    let mut response = response(101, &[("connection", "upgrade"), ("upgrade", "websocket")]);
    strip_answer(&mut response, Trailers::Dropped);
    assert_eq!(response.headers.len(), 2);
}

#[test]
fn of_what_is_for_one_connection_only_what_is_said_goes_through() {
    let fields = [
        ("connection", "upgrade, te, http2-settings"),
        ("upgrade", "websocket"),
        ("http2-settings", "x"),
        ("te", "Trailers"),
        ("proxy-authorization", "x"),
    ];
    for (through, left) in [
        (Through::Nothing, &[][..]),
        (Through::Upgrade, &["connection", "upgrade"]),
        (Through::Te, &["te"]),
    ] {
        let mut request = request("GET", "/", &fields);
        strip_request(&mut request, through);
        assert_eq!(names(&request.headers), left, "{through:?}");
    }
    let mut request = request("GET", "/", &[("te", "gzip, trailers")]);
    strip_request(&mut request, Through::Te);
    assert!(request.headers.is_empty());
}

#[test]
fn what_frames_no_answer_is_taken_out() {
    for (status, trailers, left) in [
        (200, Trailers::Dropped, &["content-length"][..]),
        (200, Trailers::Passed, &["content-length", "trailer"]),
        (204, Trailers::Dropped, &[]),
        (304, Trailers::Dropped, &["content-length"]),
    ] {
        let fields = [
            ("te", "gzip"),
            ("trailer", "x-sum"),
            ("content-length", "5"),
        ];
        let mut response = response(status, &fields);
        strip_answer(&mut response, trailers);
        assert_eq!(names(&response.headers), left, "{status} {trailers:?}");
    }
}
