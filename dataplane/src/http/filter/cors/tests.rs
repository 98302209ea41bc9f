use super::*;

fn these<T: std::str::FromStr>(texts: &[&str]) -> Allowed<T> {
    match texts {
        ["*"] => Allowed::All,
        _ => Allowed::These(
            texts
                .iter()
                .map(|text| text.parse().ok().unwrap())
                .collect(),
        ),
    }
}

struct Settings {
    origins: &'static [&'static str],
    credentials: bool,
    methods: &'static [&'static str],
    request_headers: &'static [&'static str],
    exposed_headers: &'static [&'static str],
}

const NONE: Settings = Settings {
    origins: &[],
    credentials: false,
    methods: &[],
    request_headers: &[],
    exposed_headers: &[],
};

const ALL: Settings = Settings {
    origins: &["*"],
    credentials: false,
    methods: &["*"],
    request_headers: &["*"],
    exposed_headers: &["*"],
};

/// The lists of the first route of the upstream test.
const UPSTREAM: Settings = Settings {
    origins: &["https://www.foo.com", "https://*.bar.com"],
    credentials: true,
    methods: &["GET", "OPTIONS"],
    request_headers: &["x-header-1", "x-header-2"],
    exposed_headers: &["x-header-3", "x-header-4"],
};

fn compiled(settings: &Settings) -> Cors {
    Cors::compile(&filter::Cors {
        origins: these(settings.origins),
        credentials: settings.credentials,
        methods: these(settings.methods),
        request_headers: these(settings.request_headers),
        exposed_headers: these(settings.exposed_headers),
        max_age: 3600,
    })
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    fields.collect()
}

/// `name: value` of each, sorted, without the prefix that all of them have.
fn text(answer: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = answer
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .map(|line| line.replace("access-control-", ""))
        .collect();
    lines.sort();
    lines
}

fn preflight(settings: &Settings, fields: &[(&'static str, &'static str)]) -> Vec<String> {
    let mut answer = HeaderMap::new();
    compiled(settings).answer_preflight(&headers(fields), &mut answer);
    text(&answer)
}

fn decorated(
    settings: &Settings,
    origin: &'static str,
    answer: &[(&'static str, &'static str)],
) -> Vec<String> {
    let request = headers(
        if origin.is_empty() {
            vec![]
        } else {
            vec![("origin", origin)]
        }
        .as_slice(),
    );
    let mut answer = headers(answer);
    compiled(settings).decorate(&request, &mut answer);
    text(&answer)
}

const ASKED: [(&str, &str); 2] = [
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "authorization, x-a"),
];

fn asked_from(origin: &'static str) -> Vec<(&'static str, &'static str)> {
    [&[("origin", origin)], &ASKED[..]].concat()
}

#[test]
fn a_preflight_of_an_allowed_origin_gets_the_lists() {
    for origin in [
        "https://www.foo.com",
        "https://www.bar.com",
        "https://xpto.www.bar.com",
    ] {
        assert_eq!(
            preflight(&UPSTREAM, &asked_from(origin)),
            [
                "allow-credentials: true".to_owned(),
                "allow-headers: x-header-1, x-header-2".to_owned(),
                "allow-methods: GET, OPTIONS".to_owned(),
                format!("allow-origin: {origin}"),
                "expose-headers: x-header-3, x-header-4".to_owned(),
                "max-age: 3600".to_owned(),
                "vary: origin".to_owned(),
            ]
        );
    }
}

#[test]
fn a_preflight_of_another_origin_gets_no_leave() {
    for origin in ["https://foobar.com", "null", "http://www.foo.com"] {
        assert_eq!(
            preflight(&UPSTREAM, &asked_from(origin)),
            ["vary: origin"],
            "{origin}"
        );
    }
    assert_eq!(
        preflight(&NONE, &asked_from("https://a.com")),
        ["vary: origin"]
    );
}

#[test]
fn all_methods_and_headers_are_those_asked_for() {
    let asked = asked_from("https://a.com:12345");
    assert_eq!(
        preflight(&ALL, &asked),
        [
            "allow-headers: authorization, x-a",
            "allow-methods: PUT",
            "allow-origin: *",
            "expose-headers: *",
            "max-age: 3600",
        ]
    );
    let with_credentials = Settings {
        credentials: true,
        ..ALL
    };
    assert_eq!(
        preflight(&with_credentials, &asked),
        [
            "allow-credentials: true",
            "allow-headers: authorization, x-a",
            "allow-methods: PUT",
            "allow-origin: https://a.com:12345",
            "max-age: 3600",
            "vary: origin",
        ]
    );
    assert_eq!(
        preflight(&ALL, &[("origin", "https://a.com")]),
        ["allow-origin: *", "expose-headers: *", "max-age: 3600"]
    );
}

#[test]
fn what_is_not_given_is_not_said() {
    let settings = Settings {
        origins: &["https://a.com"],
        ..NONE
    };
    assert_eq!(
        preflight(&settings, &asked_from("https://a.com")),
        [
            "allow-origin: https://a.com",
            "max-age: 3600",
            "vary: origin"
        ]
    );
}

#[test]
fn an_answer_says_whether_it_may_be_read() {
    assert_eq!(
        decorated(&UPSTREAM, "https://www.bar.com", &[]),
        [
            "allow-credentials: true",
            "allow-origin: https://www.bar.com",
            "expose-headers: x-header-3, x-header-4",
            "vary: origin",
        ]
    );
    for origin in ["https://foobar.com", ""] {
        assert_eq!(
            decorated(&UPSTREAM, origin, &[]),
            ["vary: origin"],
            "{origin:?}"
        );
    }
    for origin in ["https://foobar.com", "null", ""] {
        let expected = ["allow-origin: *", "expose-headers: *"];
        assert_eq!(decorated(&ALL, origin, &[]), expected, "{origin:?}");
    }
}

#[test]
fn with_credentials_every_exposed_header_is_named() {
    let settings = Settings {
        credentials: true,
        ..ALL
    };
    assert_eq!(
        decorated(
            &settings,
            "https://a.com",
            &[("x-a", "1"), ("content-type", "a/b")]
        ),
        [
            "allow-credentials: true",
            "allow-origin: https://a.com",
            "content-type: a/b",
            "expose-headers: x-a, content-type, vary, allow-origin, allow-credentials",
            "vary: origin",
            "x-a: 1",
        ]
    );
}

#[test]
fn what_a_backend_says_is_replaced() {
    let answer = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "x-secret"),
        ("vary", "accept"),
    ];
    let settings = Settings {
        origins: &["https://a.com"],
        ..NONE
    };
    assert_eq!(
        decorated(&settings, "https://a.com", &answer),
        [
            "allow-origin: https://a.com",
            "vary: accept",
            "vary: origin"
        ]
    );
    assert_eq!(
        decorated(&settings, "https://b.com", &answer),
        ["vary: accept", "vary: origin"]
    );
}

#[test]
fn a_preflight_is_told_from_other_requests() {
    let origin = [("origin", "https://a.com")];
    let asked = asked_from("https://a.com");
    let cases = [
        ("OPTIONS", &asked[..], true),
        ("OPTIONS", &origin[..], false),
        ("OPTIONS", &ASKED[..], false),
        ("GET", &asked[..], false),
    ];
    for (method, fields, expected) in cases {
        let method = method.parse().unwrap();
        assert_eq!(
            is_preflight(&method, &headers(fields)),
            expected,
            "{method} {fields:?}"
        );
    }
}
