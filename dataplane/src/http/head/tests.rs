use super::*;

fn post(version: Version, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build(Method::POST, b"/", None).unwrap();
    request.set_version(version);
    for (name, value) in headers {
        request.append_header(*name, *value).unwrap();
    }
    request
}

#[test]
fn a_content_length_is_found_in_the_raw_head_only_beside_transfer_encoding() {
    let chunked = post(Version::HTTP_11, &[("transfer-encoding", "chunked")]);
    let plain = post(Version::HTTP_11, &[]);
    let with = b"POST / HTTP/1.1\r\ncONTENT-lENGTH : 3\r\n\r\n";
    let without = b"POST /content-length HTTP/1.1\r\nx-content-length: 3\r\n\r\n";
    assert_eq!(check_framing(&chunked, with), Err(Refusal::AmbiguousLength));
    assert_eq!(check_framing(&chunked, without), Ok(()));
    assert_eq!(check_framing(&plain, with), Ok(()));
}

#[test]
fn a_body_has_one_length_or_is_chunked_and_nothing_else() {
    let repeated = Err(Refusal::RepeatedLength);
    let unknown = Err(Refusal::UnknownCoding);
    let cases: &[(&[(&str, &str)], _)] = &[
        (&[], Ok(())),
        (&[("content-length", "4")], Ok(())),
        (&[("content-length", "4, 4")], repeated),
        (
            &[("content-length", "4"), ("content-length", "4")],
            repeated,
        ),
        (&[("transfer-encoding", "chunked")], Ok(())),
        (&[("transfer-encoding", "Chunked")], Ok(())),
        (&[("transfer-encoding", "gzip, chunked")], unknown),
        (&[("transfer-encoding", "identity,chunked")], unknown),
        (&[("transfer-encoding", "chunked,chunked")], unknown),
        (
            &[
                ("transfer-encoding", "gzip"),
                ("transfer-encoding", "chunked"),
            ],
            unknown,
        ),
    ];
    for (headers, expected) in cases {
        let request = post(Version::HTTP_11, headers);
        assert_eq!(check(&request, Some(b"")), *expected, "{headers:?}");
    }
}

#[test]
fn an_asterisk_is_for_options() {
    let mut request = RequestHeader::build(Method::GET, b"*", None).unwrap();
    assert_eq!(check(&request, None), Err(Refusal::BadTarget));
    request.set_method(Method::OPTIONS);
    assert_eq!(check(&request, None), Ok(()));
}

#[test]
fn cookies_of_http2_become_one_and_others_stay() {
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2; c=3"), ("cookie", "d")];
    let all = ["a=1", "b=2; c=3", "d"];
    for (version, headers, expected) in [
        (Version::HTTP_2, &crumbs[..], &["a=1; b=2; c=3; d"][..]),
        (Version::HTTP_2, &crumbs[..1], &all[..1]),
        (Version::HTTP_2, &[], &[]),
        (Version::HTTP_11, &crumbs, &all),
    ] {
        let mut request = post(version, headers);
        join_cookies(&mut request);
        let got: Vec<_> = request.headers.get_all("cookie").iter().collect();
        assert_eq!(got, expected, "{version:?}");
    }
}
