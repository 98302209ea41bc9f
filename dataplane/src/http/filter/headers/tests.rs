use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_ir::filter::{self, Header};

use super::{HeaderEdits, add};

type Pairs = &'static [(&'static str, &'static str)];

struct Case {
    name: &'static str,
    input: Pairs,
    set: Pairs,
    add: Pairs,
    remove: &'static [&'static str],
    output: Pairs,
}

const NOTHING: Case = Case {
    name: "",
    input: &[],
    set: &[],
    add: &[],
    remove: &[],
    output: &[],
};

/// The examples of `HTTPHeaderFilter` and of the upstream tests HTTPRouteRequestHeaderModifier
/// and HTTPRouteResponseHeaderModifier.
const CASES: &[Case] = &[
    Case {
        name: "set overwrites",
        input: &[("my-header", "foo")],
        set: &[("my-header", "bar")],
        output: &[("my-header", "bar")],
        ..NOTHING
    },
    Case {
        name: "set overwrites every value",
        input: &[("my-header", "foo"), ("my-header", "foo2")],
        set: &[("my-header", "bar")],
        output: &[("my-header", "bar")],
        ..NOTHING
    },
    Case {
        name: "set where there is none",
        input: &[("some-other-header", "val")],
        set: &[("x-header-set", "set-overwrites-values")],
        output: &[
            ("some-other-header", "val"),
            ("x-header-set", "set-overwrites-values"),
        ],
        ..NOTHING
    },
    Case {
        name: "add appends",
        input: &[("my-header", "foo")],
        add: &[("my-header", "bar,baz")],
        output: &[("my-header", "foo,bar,baz")],
        ..NOTHING
    },
    Case {
        name: "remove",
        input: &[
            ("my-header1", "foo"),
            ("my-header2", "bar"),
            ("my-header3", "baz"),
        ],
        remove: &["my-header1", "my-header3"],
        output: &[("my-header2", "bar")],
        ..NOTHING
    },
    Case {
        name: "multiple",
        input: &[
            ("x-header-set-2", "set-val-2"),
            ("x-header-add-2", "add-val-2"),
            ("x-header-remove-2", "remove-val-2"),
            ("another-header", "another-header-val"),
        ],
        set: &[
            ("x-header-set-1", "header-set-1"),
            ("x-header-set-2", "header-set-2"),
        ],
        add: &[
            ("x-header-add-1", "header-add-1"),
            ("x-header-add-2", "header-add-2"),
            ("x-header-add-3", "header-add-3"),
        ],
        remove: &["x-header-remove-1", "x-header-remove-2"],
        output: &[
            ("another-header", "another-header-val"),
            ("x-header-add-1", "header-add-1"),
            ("x-header-add-2", "add-val-2,header-add-2"),
            ("x-header-add-3", "header-add-3"),
            ("x-header-set-1", "header-set-1"),
            ("x-header-set-2", "header-set-2"),
        ],
    },
    Case {
        name: "what delimits messages stays",
        input: &[("content-length", "5"), ("host", "a.example")],
        set: &[("content-length", "0"), ("host", "b.example")],
        add: &[
            ("transfer-encoding", "chunked"),
            ("connection", "x-forwarded-for"),
        ],
        remove: &["content-length", "host", "keep-alive"],
        output: &[("content-length", "5"), ("host", "a.example")],
    },
];

fn headers(pairs: Pairs) -> Vec<Header> {
    pairs
        .iter()
        .map(|(name, value)| Header {
            name: HeaderName::from_static(name),
            value: HeaderValue::from_static(value),
        })
        .collect()
}

fn compile(case: &Case) -> HeaderEdits {
    let mut edits = HeaderEdits::default();
    edits.push(&filter::HeaderEdits {
        set: headers(case.set),
        add: headers(case.add),
        remove: case
            .remove
            .iter()
            .map(|name| HeaderName::from_static(name))
            .collect(),
    });
    edits
}

/// Sorted, with the values of one name joined as RFC 9110 section 5.3 has it.
fn joined(map: &HeaderMap) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = map
        .keys()
        .map(|name| {
            let values: Vec<_> = map
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap())
                .collect();
            (name.to_string(), values.join(","))
        })
        .collect();
    pairs.sort();
    pairs
}

fn run(case: &Case, fields: &mut HeaderMap) {
    for Header { name, value } in headers(case.input) {
        add(fields, &name, &value);
    }
    compile(case).apply(fields);
}

#[test]
fn edits_give_what_the_spec_shows() {
    for case in CASES {
        let mut expected: Vec<(String, String)> = case
            .output
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        expected.sort();

        let mut map = HeaderMap::new();
        run(case, &mut map);
        assert_eq!(joined(&map), expected, "{}", case.name);
    }
}
