use super::*;

fn request(method: &str, target: &str, fields: &[(&'static str, &'static str)]) -> RequestHeader {
    let mut head = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    for (name, value) in fields {
        head.append_header(*name, *value).unwrap();
    }
    head
}

fn names(head: &RequestHeader) -> Vec<String> {
    let mut names: Vec<String> = head.headers.keys().map(ToString::to_string).collect();
    names.sort();
    names
}

#[test]
fn what_was_for_the_connection_alone_is_left_out() {
    let mut head = request(
        "POST",
        "/",
        &[
            ("host", "a.example"),
            ("connection", "keep-alive, x-hop, host"),
            ("keep-alive", "timeout=5"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("content-length", "3"),
            ("x-a", "1"),
        ],
    );
    strip_hop_by_hop(&mut head);
    assert_eq!(names(&head), ["content-length", "host", "x-a"]);
}

#[test]
fn a_body_of_unknown_length_is_chunked() {
    let mut tee = crate::http::mirror::Tee::default();
    let body = Body::Following(tee.branch(std::sync::Arc::default()));
    let coding = |fields: &[_], body: &Body| {
        let head = for_http1(request("POST", "/", fields), body).unwrap();
        head.headers.get("transfer-encoding").cloned()
    };
    assert_eq!(coding(&[], &body).unwrap(), "chunked");
    assert_eq!(coding(&[("content-length", "3")], &body), None);
    assert_eq!(coding(&[], &Body::None), None);
}

#[test]
fn authority_and_host_are_the_same_over_both_versions() {
    let mut head = request("GET", "/a?b", &[]);
    head.set_uri("http://a.example:81/a?b".parse().unwrap());
    to_host(&mut head).unwrap();
    assert_eq!(head.uri, "/a?b");
    assert_eq!(head.headers["host"], "a.example:81");
    let head = for_http2(head, HttpScheme::Http).unwrap();
    assert_eq!(head.uri, "http://a.example:81/a?b");
    assert_eq!((names(&head).len(), head.version), (0, Version::HTTP_2));
    assert!(for_http2(request("GET", "/", &[]), HttpScheme::Http).is_none());
}
