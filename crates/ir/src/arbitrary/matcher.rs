//! Matches.

use http::{HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::matcher::{
    CallMatcher, HeaderMatcher, HeaderValueMatcher, HttpMatch, NameMatcher, PathMatcher,
    QueryMatcher, QueryValueMatcher,
};

/// Matches, most of them with few conditions.
pub fn http_match() -> impl Strategy<Value = HttpMatch> {
    (
        path(),
        option::weighted(0.3, select(vec![Method::GET, Method::POST])),
        distinct(header(), |header| header.name.to_string()),
        distinct(query(), |param| param.name.clone()),
    )
        .prop_map(|(path, method, headers, query)| HttpMatch {
            path,
            method,
            headers,
            query,
        })
}

/// Matches of gRPC calls, most of them with few conditions.
pub fn grpc_match() -> impl Strategy<Value = HttpMatch> {
    let name = |exact: [&str; 3], regex: [&str; 3]| {
        let owned = |texts: [&str; 3]| select(texts.map(str::to_owned).to_vec());
        option::weighted(
            0.7,
            prop_oneof![
                2 => owned(exact).prop_map(NameMatcher::Exact),
                1 => owned(regex).prop_map(NameMatcher::Regex),
            ],
        )
    };
    (
        name(["a", "b", "a.b"], ["a.*", "[ab]", ".*/.*"]),
        name(["b", "B", "c"], ["[bc]", ".*", "(?i)B"]),
        distinct(header(), |header| header.name.to_string()),
    )
        .prop_map(|(service, method, headers)| HttpMatch {
            path: PathMatcher::Call(CallMatcher { service, method }),
            method: None,
            headers,
            query: Vec::new(),
        })
}

fn path() -> impl Strategy<Value = PathMatcher> {
    let text = |texts: &[&str]| select(texts.iter().map(ToString::to_string).collect::<Vec<_>>());
    prop_oneof![
        3 => text(&["/", "/a", "/a/", "/a/b", "/ab"]).prop_map(PathMatcher::Exact),
        4 => text(&["/", "/a", "/a/b", "/ab", "/a/b/c"]).prop_map(PathMatcher::Prefix),
        2 => text(&["/a.*", "/[ab]", ".*b", "/a/b|/ab", "(?i)/A"]).prop_map(PathMatcher::Regex),
    ]
}

fn header() -> impl Strategy<Value = HeaderMatcher> {
    let value = prop_oneof![
        select(vec!["1", "2", "1,2"])
            .prop_map(|text| HeaderValueMatcher::Exact(HeaderValue::from_static(text))),
        select(vec!["1|2", "1.*"]).prop_map(|text| HeaderValueMatcher::Regex(text.to_owned())),
    ];
    (select(vec!["x", "y"]), value).prop_map(|(name, value)| HeaderMatcher {
        name: HeaderName::from_static(name),
        value,
    })
}

fn query() -> impl Strategy<Value = QueryMatcher> {
    let value = prop_oneof![
        select(vec!["1", "a b"]).prop_map(|text| QueryValueMatcher::Exact(text.to_owned())),
        select(vec!["[12]", "a.*"]).prop_map(|text| QueryValueMatcher::Regex(text.to_owned())),
    ];
    (select(vec!["p", "q"]), value).prop_map(|(name, value)| QueryMatcher {
        name: name.to_owned(),
        value,
    })
}

/// Up to two conditions with distinct names, often none.
fn distinct<T: std::fmt::Debug>(
    condition: impl Strategy<Value = T> + 'static,
    name: impl Fn(&T) -> String,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(0_usize), 1 => Just(1), 1 => Just(2)]
        .prop_flat_map({
            let condition = condition.boxed();
            move |count| vec(condition.clone(), count)
        })
        .prop_map(move |mut conditions| {
            conditions.sort_by_key(&name);
            conditions.dedup_by_key(|condition| name(condition));
            conditions
        })
}
