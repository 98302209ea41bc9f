//! gRPC calls and the rules they find.

use http::{Method, Version};

use crate::request::Request;
use crate::scenarios::{found, table};

/// Each line of `calls` is `host/service/method [name=value]... -> route rule`.
fn check(config: &str, calls: &str) {
    let table = table(config);
    for line in calls.lines().map(str::trim) {
        let (call, expected) = line.split_once(" -> ").unwrap();
        let mut words = call.split(' ');
        let call = Request::call(words.next().unwrap());
        let headers = words.map(|word| word.split_once('=').unwrap());
        let call = headers.fold(call, |call, (name, value)| call.with_header(name, value));
        assert_eq!(found(&table, &call), expected, "{line}");
    }
}

#[test]
fn the_service_counts_before_the_method_and_the_method_before_headers() {
    check(
        "listener web 80 http
         route d/r on web
           rule call x=1
           rule call /=Get
           rule call =a.B
           rule call =a.B x=1
           rule call =a.B /=Get
           rule call =a.B /=Get x=1 y=1
           rule call =a.B /~Get.*",
        "h/c.D/Put -> 404
         h/c.D/Put x=1 -> d/r 0
         h/c.D/Get x=1 -> d/r 1
         h/a.B/Put -> d/r 2
         h/a.B/Put x=1 -> d/r 3
         h/a.B/Get x=1 -> d/r 4
         h/a.B/Get x=1 y=1 -> d/r 5
         h/a.B/GetAll x=1 -> d/r 6",
    );
}

#[test]
fn names_come_before_patterns_and_longer_patterns_before_shorter() {
    check(
        "listener web 80 http
         route d/r on web
           rule call ~a.*
           rule call ~a\\.[A-Z]
           rule call ~a.* /=Get
           rule call =a.B
           rule call /~Get|Put
           rule call /~Put",
        "h/a.b/Other -> d/r 0
         h/a.C/Get -> d/r 1
         h/a.b/Get -> d/r 2
         h/a.B/Get -> d/r 3
         h/c/Put -> d/r 4
         h/c/Get -> d/r 4",
    );
}

#[test]
fn names_compare_whole_and_by_case() {
    check(
        "listener web 80 http
         route d/r on web
           rule call =a.B
           rule call /=Get
           rule call ~x /~y",
        "h/a.b/Put -> 404
         h/a.BC/Put -> 404
         h/z.a.B/Put -> 404
         h/a.B/ -> d/r 0
         h/a.B -> 404
         h/a.B/x/Put -> 404
         h/x/Get -> d/r 1
         h/x/get -> 404
         h/xx/y -> 404
         h/x/y -> d/r 2",
    );
}

#[test]
fn ties_are_for_the_older_route_and_the_first_rule() {
    check(
        "listener web 80 http
         route d/new created=2 on web
           rule call =a /=b
         route d/old created=1 on web
           rule call =a /=b
           rule call =a /=b
         route e/wild created=0 on web for *.h.com
           rule call =a /=b
         route e/named created=3 on web for x.h.com
           rule call",
        "h/a/b -> d/old 0
         y.h.com/a/b -> e/wild 0
         x.h.com/a/b -> e/named 0",
    );
}

/// "Merging MUST not be done between GRPCRoutes and HTTPRoutes." (`GRPCRouteRule.Matches`)
#[test]
fn calls_go_to_grpc_routes_and_all_else_to_http_routes() {
    let table = table(
        "listener web 80 http
         route d/http created=1 on web
           rule exact /a/b
           rule prefix /c
         route d/grpc created=2 on web
           rule call =a",
    );
    let call = Request::call("h/a/b");
    assert_eq!(found(&table, &call), "d/grpc 0");
    assert_eq!(found(&table, &Request::call("h/c/d")), "d/http 1");
    assert_eq!(found(&table, &Request::call("h/e/f")), "404");
    let get = Request {
        method: Method::GET,
        ..call.clone()
    };
    let http1 = Request {
        version: Version::HTTP_11,
        ..call
    };
    let web = Request::parse("POST h/a/b").with_header("content-type", "application/grpc-web");
    for no_call in [get, http1, web, Request::parse("POST h/a/b")] {
        assert_eq!(found(&table, &no_call), "d/http 0", "{no_call:?}");
    }
}

#[test]
fn the_most_specific_hostname_decides_before_the_kind_of_route() {
    check(
        "listener web 80 http
         route d/http on web for a.com
           rule prefix /
         route d/grpc on web
           rule call",
        "a.com/a/b -> d/http 0
         b.com/a/b -> d/grpc 0",
    );
}
