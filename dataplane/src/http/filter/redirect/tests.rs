use std::num::NonZeroU16;

use portcullis_ir::filter::{self, HttpScheme, PathRewrite};

use super::{InvalidLocation, Redirect, RequestFacts};

const HTTP: HttpScheme = HttpScheme::Http;
const HTTPS: HttpScheme = HttpScheme::Https;

const SAME: filter::Redirect = filter::Redirect {
    scheme: None,
    hostname: None,
    port: None,
    path: None,
    status: 302,
};

fn location(
    redirect: &filter::Redirect,
    listener: (HttpScheme, u16),
    authority: Option<&str>,
    target: &str,
    prefix: Option<&str>,
) -> Result<String, InvalidLocation> {
    let (scheme, port) = listener;
    Redirect::compile(redirect)
        .location(&RequestFacts {
            scheme,
            listener_port: NonZeroU16::new(port).unwrap(),
            authority,
            uri: &target.parse().unwrap(),
            prefix,
        })
        .map(|location| location.to_str().unwrap().to_owned())
}

#[test]
fn scheme_and_port_follow_the_specs_rules() {
    // Listener, scheme and port of the filter, Location: the upstream test
    // HTTPRouteRedirectPortAndScheme, row by row.
    let cases = [
        ((HTTP, 80), None, None, "http://example.org/p"),
        ((HTTP, 80), None, Some(80), "http://example.org/p"),
        ((HTTP, 80), None, Some(8080), "http://example.org:8080/p"),
        ((HTTP, 80), Some(HTTPS), None, "https://example.org/p"),
        ((HTTP, 80), Some(HTTPS), Some(443), "https://example.org/p"),
        (
            (HTTP, 80),
            Some(HTTPS),
            Some(8443),
            "https://example.org:8443/p",
        ),
        ((HTTP, 8080), None, None, "http://example.org:8080/p"),
        ((HTTP, 8080), None, Some(80), "http://example.org/p"),
        ((HTTP, 8080), Some(HTTPS), None, "https://example.org/p"),
        ((HTTPS, 443), None, None, "https://example.org/p"),
        ((HTTPS, 443), None, Some(443), "https://example.org/p"),
        ((HTTPS, 443), None, Some(8443), "https://example.org:8443/p"),
        ((HTTPS, 443), Some(HTTP), None, "http://example.org/p"),
        ((HTTPS, 443), Some(HTTP), Some(80), "http://example.org/p"),
        (
            (HTTPS, 443),
            Some(HTTP),
            Some(8080),
            "http://example.org:8080/p",
        ),
        // Ours: the well-known port of the other scheme is not left out.
        ((HTTP, 80), None, Some(443), "http://example.org:443/p"),
        ((HTTPS, 80), None, None, "https://example.org:80/p"),
    ];
    for (listener, scheme, port, expected) in cases {
        let redirect = filter::Redirect {
            scheme,
            port,
            hostname: Some("example.org".to_owned()),
            ..SAME
        };
        assert_eq!(
            location(&redirect, listener, Some("ignored.example:99"), "/p", None).unwrap(),
            expected,
            "{listener:?} {scheme:?} {port:?}"
        );
    }
}

#[test]
fn the_path_is_modified_and_the_query_kept() {
    let prefix = |text: &str| Some(PathRewrite::Prefix(text.to_owned()));
    let full = |text: &str| Some(PathRewrite::Full(text.to_owned()));
    // Path modifier, request target, Location: HTTPRouteRedirectPath and ours.
    let cases = [
        (None, "/a/b?c=d", "http://h.example/a/b?c=d"),
        (prefix("/new"), "/old/lemon", "http://h.example/new/lemon"),
        (prefix("/new"), "/old", "http://h.example/new"),
        (prefix("/new/"), "/old?x=y", "http://h.example/new?x=y"),
        (prefix("/"), "/old/a?x", "http://h.example/a?x"),
        (
            full("/full-path-replacement"),
            "/old/a/b",
            "http://h.example/full-path-replacement",
        ),
        (
            full("/one"),
            "/old?q=%0D%0A",
            "http://h.example/one?q=%0D%0A",
        ),
        (full("/a\r\nx: y"), "/old", "http://h.example/a%0D%0Ax:%20y"),
        (None, "//evil.example/a", "http://h.example//evil.example/a"),
    ];
    for (path, target, expected) in cases {
        let redirect = filter::Redirect { path, ..SAME };
        assert_eq!(
            location(
                &redirect,
                (HTTP, 80),
                Some("h.example"),
                target,
                Some("/old")
            )
            .unwrap(),
            expected,
            "{target}"
        );
    }
}

#[test]
fn the_requests_host_is_used_without_its_port() {
    let cases = [
        (Some("h.example"), "https://h.example:8443/p"),
        (Some("h.example:1234"), "https://h.example:8443/p"),
        (Some("[::1]:1234"), "https://[::1]:8443/p"),
        (Some("127.0.0.1"), "https://127.0.0.1:8443/p"),
        // No usable host: stay where you are.
        (None, "/p"),
        (Some(""), "/p"),
        (Some("user@evil.example"), "/p"),
        (Some("evil.example/x"), "/p"),
        (Some("a\"b"), "/p"),
    ];
    for (authority, expected) in cases {
        assert_eq!(
            location(&SAME, (HTTPS, 8443), authority, "/p", None).unwrap(),
            expected,
            "{authority:?}"
        );
    }
}

#[test]
fn a_location_without_a_host_never_names_one() {
    let target = "//evil.example/a";
    assert_eq!(
        location(&SAME, (HTTP, 80), None, target, None).unwrap(),
        "/evil.example/a"
    );
}

#[test]
fn the_status_is_a_redirection() {
    for (given, expected) in [
        (301, 301),
        (302, 302),
        (303, 303),
        (307, 307),
        (308, 308),
        (200, 302),
        (0, 302),
    ] {
        let redirect = filter::Redirect {
            status: given,
            ..SAME
        };
        assert_eq!(Redirect::compile(&redirect).status(), expected);
    }
}
