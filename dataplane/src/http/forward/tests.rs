use http::Method;

use super::*;

fn request(target: &str, host: Option<&str>) -> RequestHeader {
    let mut request = RequestHeader::build(Method::GET, target.as_bytes(), None).unwrap();
    if let Some(host) = host {
        request.insert_header(header::HOST, host).unwrap();
    }
    request
}

#[test]
fn absolute_form_becomes_origin_form() {
    let cases = [
        ("/a?b", Some("h"), Ok(("/a?b", "h"))),
        ("*", Some("h"), Ok(("*", "h"))),
        ("http://h/a?b", None, Ok(("/a?b", "h"))),
        ("https://h:8443", Some("h:8443"), Ok(("/", "h:8443"))),
        ("http://h?b", None, Ok(("/?b", "h"))),
        ("ftp://h/a", Some("h"), Err(Refusal::BadTarget)),
        ("h/a", Some("h"), Err(Refusal::BadTarget)),
        ("a:b", Some("h"), Err(Refusal::BadTarget)),
    ];
    for (target, host, expected) in cases {
        let mut request = request(target, host);
        let result = to_origin_form(&mut request).map(|()| {
            let path = String::from_utf8(request.raw_path().to_vec()).unwrap();
            let host = request.headers[header::HOST].to_str().unwrap().to_owned();
            (path, host)
        });
        let expected = expected.map(|(path, host)| (path.to_owned(), host.to_owned()));
        assert_eq!(result, expected, "{target}");
    }
}

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
    let mut response = ResponseHeader::build(200, None).unwrap();
    let connection = "close, X-One , content-length,transfer-encoding, bad name";
    for (name, value) in [
        ("connection", connection),
        ("x-one", "1"),
        ("x-two", "2"),
        ("content-length", "3"),
        ("keep-alive", "timeout=1"),
    ] {
        response.append_header(name, value).unwrap();
    }
    strip_hop_by_hop(&mut response, Trailers::Dropped);
    let mut names: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["connection", "content-length", "x-two"]);
}

#[test]
fn a_tunnels_answer_is_left_alone() {
    let mut response = ResponseHeader::build(101, None).unwrap();
    response.append_header("connection", "upgrade").unwrap();
    response.append_header("upgrade", "websocket").unwrap();
    strip_hop_by_hop(&mut response, Trailers::Dropped);
    assert_eq!(response.headers.len(), 2);
}

#[test]
fn what_frames_no_answer_is_taken_out() {
    for (status, trailers, left) in [
        (200, Trailers::Dropped, &["content-length"][..]),
        (200, Trailers::Passed, &["content-length", "trailer"]),
        (204, Trailers::Dropped, &[]),
        (304, Trailers::Dropped, &["content-length"]),
    ] {
        let mut response = ResponseHeader::build(status, None).unwrap();
        for (name, value) in [
            ("te", "gzip"),
            ("trailer", "x-sum"),
            ("content-length", "5"),
        ] {
            response.append_header(name, value).unwrap();
        }
        strip_hop_by_hop(&mut response, trailers);
        let mut names: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, left, "{status} {trailers:?}");
    }
}
