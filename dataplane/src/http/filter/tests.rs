use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_ir::filter::{self, Filter, Header, PathRewrite};

use super::Filters;

fn set(name: &'static str, value: &'static str) -> filter::HeaderEdits {
    filter::HeaderEdits {
        set: vec![Header {
            name: HeaderName::from_static(name),
            value: HeaderValue::from_static(value),
        }],
        ..filter::HeaderEdits::default()
    }
}

fn redirect(status: u16) -> Filter {
    Filter::Redirect(filter::Redirect {
        scheme: None,
        hostname: None,
        port: None,
        path: None,
        status,
    })
}

#[test]
fn no_filters_do_nothing() {
    let filters = Filters::compile(&[], &[]);
    assert!(filters.redirect().is_none());
    assert!(filters.rewrite().is_none());
    assert!(filters.request_headers().is_empty());
    assert!(filters.response_headers().is_empty());
}

#[test]
fn a_backends_header_edits_come_after_the_rules() {
    let filters = Filters::compile(
        &[
            Filter::RequestHeaders(set("x-who", "rule")),
            Filter::ResponseHeaders(set("x-answer", "rule")),
        ],
        &[Filter::RequestHeaders(set("x-who", "backend"))],
    );
    let mut request = HeaderMap::new();
    filters.request_headers().apply(&mut request);
    assert_eq!(request["x-who"], "backend");
    let mut response = HeaderMap::new();
    filters.response_headers().apply(&mut response);
    assert_eq!(response["x-answer"], "rule");
    assert_eq!(response.len(), 1);
}

#[test]
fn the_first_redirect_counts() {
    let filters = Filters::compile(&[redirect(301), redirect(302)], &[redirect(307)]);
    assert_eq!(filters.redirect().unwrap().status(), 301);
}

#[test]
fn a_backends_rewrite_wins_field_by_field() {
    let rewrite = |hostname: Option<&'static str>, path: Option<&str>| {
        Filter::Rewrite(filter::Rewrite {
            hostname: hostname.map(HeaderValue::from_static),
            path: path.map(|path| PathRewrite::Full(path.to_owned())),
        })
    };
    let filters = Filters::compile(
        &[rewrite(Some("rule.example"), Some("/rule"))],
        &[rewrite(None, Some("/backend"))],
    );
    let rewrite = filters.rewrite().unwrap();
    assert_eq!(rewrite.hostname().unwrap(), "rule.example");
    let uri = "/a?b=c".parse().unwrap();
    assert_eq!(
        rewrite.path_and_query(&uri, None).unwrap().unwrap(),
        "/backend?b=c"
    );
}
