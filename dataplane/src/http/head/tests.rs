use http::{HeaderName, HeaderValue, Version};

use super::*;
use crate::http::message::testing::request;

#[test]
fn an_asterisk_is_for_options() {
    let mut request = request("GET", "*", &[]);
    assert_eq!(check(&request), Err(Refusal::BadTarget));
    request.method = Method::OPTIONS;
    assert_eq!(check(&request), Ok(()));
}

#[test]
fn what_is_too_big_is_refused_by_its_kind() {
    let long = format!("/{}", "x".repeat(limits::MAX_URI));
    assert_eq!(
        check(&request("GET", &long, &[])),
        Err(Refusal::TargetTooLong)
    );
    let mut many = request("GET", "/", &[]);
    for number in 0..=limits::MAX_HEADERS {
        let name = HeaderName::try_from(format!("x-{number}")).unwrap();
        many.headers.insert(name, HeaderValue::from_static("1"));
    }
    assert_eq!(check(&many), Err(Refusal::HeadersTooLarge));
}

#[test]
fn a_tunnel_through_us_is_refused_over_every_version() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = request("CONNECT", "/", &[]);
        request.version = version;
        assert_eq!(check(&request), Err(Refusal::Connect));
    }
}
