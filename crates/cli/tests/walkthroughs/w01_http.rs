use crate::client::Curl;
use crate::gateway::Setup;

/// Host, path and the status expected.
struct Case(&'static str, &'static str, u16);

#[test]
fn w1_http_gateway_serves_its_host_and_prefixes_only() {
    let gateway = Setup::new().sample("http-gateway").start();
    for Case(host, path, status) in [
        Case("httpbin.example.com", "/status/200", 200),
        Case("httpbin.example.com", "/status", 404), // the backend's answer: matched, no code given
        Case("httpbin.example.com", "/statuses", 404),
        Case("httpbin.example.com", "/headers", 404),
        Case("other.example.com", "/status/200", 404),
    ] {
        let answer = Curl::new("http", host, gateway.port(80), path).run();
        assert_eq!(answer.status, status, "{host}{path}: {answer:?}");
    }
}

#[test]
fn w1_delay_answers_after_its_second() {
    let gateway = Setup::new().sample("http-gateway").start();
    let answer = Curl::new("http", "httpbin.example.com", gateway.port(80), "/delay/1").run();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.seconds >= 1.0, "{answer:?}");
}
