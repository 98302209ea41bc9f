//! Requests that are sent to a backend again, and those that are not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_dataplane::Config;
use portcullis_dataplane::access_log::{AccessLog, Target};
use portcullis_dataplane::metrics::Metrics;
use portcullis_ir::BackendProtocol;
use portcullis_ir::route::{Retry, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::backend::{TestBackend, custom, read_head, refusing};
use crate::client::{Connection, get};
use crate::failing::{Client, PAIRS, failing, retry, retrying, serving};
use crate::snapshot::{Plane, config, to};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn an_answer_with_a_listed_code_is_asked_for_again() {
    for (client, protocol) in PAIRS {
        for (method, body) in [("GET", ""), ("POST", "the body"), ("DELETE", "")] {
            let (backend, asked) = failing(|number| if number < 2 { 503 } else { 200 }).await;
            let rule = retrying(retry(&[500, 503], 3));
            let plane = Plane::serving(&serving(protocol, &[backend.at], rule)).await;
            let answer = client.send(plane.at(80), method, body).await;
            let of = format!("{client:?} {protocol:?} {method}");
            assert_eq!(answer, (200, "answer 2".to_owned()), "{of}");
            let each = format!("{method} {body}");
            assert_eq!(asked.all(), [each.as_str(); 3], "{of}");
        }
    }
}

#[tokio::test]
async fn the_last_failure_is_the_answer() {
    struct Case {
        name: &'static str,
        retry: Option<Retry>,
        asked: usize,
    }
    let cases = [
        Case {
            name: "no retry",
            retry: None,
            asked: 1,
        },
        Case {
            name: "zero attempts",
            retry: Some(retry(&[503], 0)),
            asked: 1,
        },
        Case {
            name: "another code",
            retry: Some(retry(&[500, 502, 504], 3)),
            asked: 1,
        },
        Case {
            name: "no code",
            retry: Some(retry(&[], 3)),
            asked: 1,
        },
        Case {
            name: "two attempts",
            retry: Some(retry(&[503], 2)),
            asked: 3,
        },
    ];
    for case in cases {
        for (client, protocol) in PAIRS {
            let (backend, asked) = failing(|_| 503).await;
            let rule = portcullis_ir::HttpRule {
                retry: case.retry.clone(),
                ..to("a")
            };
            let plane = Plane::serving(&serving(protocol, &[backend.at], rule)).await;
            let (status, body) = client.send(plane.at(80), "GET", "").await;
            assert_eq!(status, 503, "{}", case.name);
            assert_eq!(body, format!("answer {}", case.asked - 1), "{}", case.name);
            assert_eq!(asked.all().len(), case.asked, "{}", case.name);
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_to_keep_is_sent_once() {
    let large = "x".repeat(100_000);
    for (client, protocol) in PAIRS {
        let (backend, asked) = failing(|_| 503).await;
        let rule = retrying(retry(&[503], 3));
        let plane = Plane::serving(&serving(protocol, &[backend.at], rule)).await;
        let answer = client.send(plane.at(80), "PUT", &large).await;
        assert_eq!(
            answer,
            (503, "answer 0".to_owned()),
            "{client:?} {protocol:?}"
        );
        assert_eq!(asked.all(), [format!("PUT {large}")]);
    }
}

#[tokio::test]
async fn bodies_in_chunks_arrive_whole_at_every_attempt() {
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        for (chunks, body) in [
            ("0\r\n\r\n", ""),
            ("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", "onetwo"),
        ] {
            let (backend, asked) = failing(|number| if number < 1 { 500 } else { 200 }).await;
            let rule = retrying(retry(&[500], 1));
            let plane = Plane::serving(&serving(protocol, &[backend.at], rule)).await;
            let request = format!(
                "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
            );
            let reply = Connection::open(plane.at(80)).await.exchange(request).await;
            assert_eq!(reply.status, 200, "{protocol:?} {body:?}");
            assert_eq!(
                asked.all(),
                [format!("POST {body}"), format!("POST {body}")]
            );
        }
    }
}

/// Answers the first connection 503 as soon as it has the head, and the others when they have sent
/// a body of eight bytes, which is the answer.
async fn hasty() -> TestBackend {
    custom(|mut stream, number| async move {
        read_head(&mut stream).await;
        if number == 0 {
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        }
        let mut body = [0; 8];
        stream.read_exact(&mut body).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n";
        stream
            .write_all(&[&head[..], &body].concat())
            .await
            .unwrap();
    })
    .await
}

#[tokio::test]
async fn a_body_that_is_still_on_its_way_goes_on_to_the_next_attempt() {
    let backend = hasty().await;
    let rule = retrying(retry(&[503], 1));
    let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
    let mut client = Connection::open(plane.at(80)).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhalf")
        .await;
    while backend.connections() < 2 {
        tokio::task::yield_now().await;
    }
    let reply = client.exchange("rest").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "halfrest"));
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_by_the_attempt_that_wants_the_body() {
    let backend = custom(|mut stream, number| async move {
        let head = read_head(&mut stream).await.to_lowercase();
        assert!(head.contains("expect: 100-continue"), "{head}");
        if number == 0 {
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            return;
        }
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let rule = retrying(retry(&[503], 1));
    let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
    let mut client = Connection::open(plane.at(80)).await;
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\n\
                Content-Length: 4\r\n\r\n";
    assert_eq!(client.exchange(head).await.status, 100);
    assert_eq!(client.exchange("body").await.status, 200);
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_once() {
    let (backend, asked) = failing(|number| if number < 1 { 503 } else { 200 }).await;
    let rule = retrying(retry(&[503], 1));
    let plane = Plane::serving(&serving(BackendProtocol::H2c, &[backend.at], rule)).await;
    let mut client = Connection::open(plane.at(80)).await;
    let head = "POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\n\
                Content-Length: 4\r\n\r\n";
    assert_eq!(client.exchange(head).await.status, 100);
    assert_eq!(client.exchange("body").await.status, 200);
    assert_eq!(asked.all(), ["POST body", "POST body"]);
}

#[tokio::test]
async fn interim_answers_do_not_count_as_answers() {
    let backend = custom(|mut stream, number| async move {
        read_head(&mut stream).await;
        let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        stream.write_all(hints).await.unwrap();
        stream.flush().await.unwrap();
        if number == 0 {
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        } else {
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let rule = retrying(retry(&[503], 1));
    let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
    let mut client = Connection::open(plane.at(80)).await;
    let mut reply = client
        .exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await;
    while reply.status == 103 {
        reply = client.receive().await.unwrap();
    }
    assert_eq!((reply.status, reply.body.as_str()), (200, "ok"));
}

#[tokio::test]
async fn what_breaks_within_its_answer_is_not_tried_again() {
    let seen = Arc::new(Notify::new());
    let client_saw = Arc::clone(&seen);
    let backend = custom(move |mut stream, _| {
        let client_saw = Arc::clone(&client_saw);
        async move {
            read_head(&mut stream).await;
            let half = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
            stream.write_all(half).await.unwrap();
            client_saw.notified().await;
        }
    })
    .await;
    let rule = retrying(retry(&[500, 502, 503, 504], 5));
    let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
    let mut client = Connection::open(plane.at(80)).await;
    client
        .send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        .await;
    assert!(client.head().await.unwrap().starts_with("http/1.1 200 "));
    seen.notify_one();
    let mut rest = Vec::new();
    let _ = client.0.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn another_endpoint_is_asked_if_there_is_one() {
    let (bad, asked_bad) = failing(|_| 500).await;
    let (good, asked_good) = failing(|_| 200).await;
    let rule = retrying(retry(&[500], 1));
    let scene = serving(BackendProtocol::Http1, &[bad.at, good.at], rule);
    let plane = Plane::serving(&scene).await;
    for _ in 0..10 {
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
    }
    assert_eq!(asked_good.all().len(), 10);
    assert_eq!(asked_bad.all().len(), 5);
}

#[tokio::test]
async fn connections_that_fail_are_tried_as_often_as_the_route_says() {
    let (good, _) = failing(|_| 200).await;
    let mut endpoints = vec![good.at];
    for _ in 0..4 {
        endpoints.push(refusing().await);
    }
    for (attempts, all) in [(4, true), (0, false)] {
        let rule = retrying(retry(&[], attempts));
        let plane = Plane::serving(&serving(BackendProtocol::Http1, &endpoints, rule)).await;
        let mut served = 0;
        for _ in 0..10 {
            // Whatever the method: nothing has been sent.
            let (status, _) = Client::Http1.send(plane.at(80), "POST", "body").await;
            assert!(status == 200 || status == 502, "{status}");
            served += usize::from(status == 200);
        }
        if all {
            assert_eq!(served, 10, "{attempts} attempts");
        } else {
            // One finds out of each that it refuses.
            assert!(served <= 6, "{attempts} attempts: {served}");
        }
    }
}

/// Closes connections number 0 to `broken`, once it has a request's head, and answers on the others.
async fn breaking(broken: usize) -> TestBackend {
    custom(move |mut stream, number| async move {
        read_head(&mut stream).await;
        if number >= broken {
            let _ = stream.write_all(OK).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_if_that_is_safe_and_asked_for() {
    for (method, codes, status) in [
        ("GET", &[502][..], 200),
        ("GET", &[503], 502),
        ("POST", &[502], 502),
    ] {
        let backend = breaking(1).await;
        let rule = retrying(retry(codes, 3));
        let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
        let answer = Client::Http1.send(plane.at(80), method, "").await;
        assert_eq!(answer.0, status, "{method} {codes:?}");
    }
}

/// Answers nothing on connections number 0 to `silent`.
async fn silent(silent: usize) -> TestBackend {
    custom(move |mut stream, number| async move {
        read_head(&mut stream).await;
        if number >= silent {
            let _ = stream.write_all(OK).await;
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

fn timed(
    retry: Retry,
    request: Option<u64>,
    backend_request: Option<u64>,
) -> portcullis_ir::HttpRule {
    let timeouts = Timeouts {
        request: request.map(Duration::from_millis),
        backend_request: backend_request.map(Duration::from_millis),
    };
    portcullis_ir::HttpRule {
        timeouts,
        ..retrying(retry)
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_followed_by_another_if_that_is_safe() {
    for client in [Client::Http1, Client::Http2] {
        for (method, status) in [("GET", 200), ("PUT", 200), ("POST", 504)] {
            let backend = silent(1).await;
            let rule = timed(retry(&[504], 2), None, Some(300));
            let scene = serving(BackendProtocol::Http1, &[backend.at], rule);
            let plane = Plane::serving(&scene).await;
            let answer = client.send(plane.at(80), method, "").await;
            assert_eq!(answer.0, status, "{client:?} {method}");
        }
    }
}

#[tokio::test]
async fn the_time_for_the_whole_request_ends_all_attempts() {
    for client in [Client::Http1, Client::Http2] {
        let backend = silent(usize::MAX).await;
        let rule = timed(retry(&[504], 100), Some(300), Some(50));
        let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
        let answer = client.send(plane.at(80), "GET", "").await;
        assert_eq!(
            answer,
            (504, "backend took too long\n".to_owned()),
            "{client:?}"
        );
        // Six of 50 ms, and one or the other that began before the first had come to its end.
        assert!(backend.connections() <= 8, "{}", backend.connections());
    }
}

#[tokio::test]
async fn no_retry_is_waited_for_that_could_not_begin_in_time() {
    let (backend, asked) = failing(|_| 503).await;
    let patient = Retry {
        backoff: Some(Duration::from_mins(5)),
        ..retry(&[503], 3)
    };
    let rule = timed(patient, Some(60_000), None);
    let plane = Plane::serving(&serving(BackendProtocol::Http1, &[backend.at], rule)).await;
    assert_eq!(get(plane.at(80), "a.example", "/").await.status, 503);
    assert_eq!(asked.all().len(), 1);
}

/// Speaks just enough HTTP/2 to say of the first stream that it was not looked at.
async fn refuses_streams() -> TestBackend {
    custom(|mut stream, number| async move {
        const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        const SETTINGS_ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
        // RST_STREAM of stream 1 with REFUSED_STREAM, then GOAWAY so that a new connection comes.
        const REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
        const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // HEADERS of stream 1 with END_STREAM and END_HEADERS: `:status: 200`.
        const ANSWER: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
        stream.read_exact(&mut [0; 24]).await.unwrap();
        stream.write_all(SETTINGS).await.unwrap();
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            let answer = match (head[3], head[4], number) {
                (4, 0, _) => SETTINGS_ACK.to_vec(),
                (1, _, 0) => REFUSED.to_vec(),
                (1, _, 1) => GOAWAY.to_vec(),
                (1, ..) => ANSWER.to_vec(),
                _ => continue,
            };
            stream.write_all(&answer).await.unwrap();
            if number == 0 && head[3] == 1 {
                stream.write_all(GOAWAY).await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_that_the_backend_refused_is_tried_again_whatever_its_method() {
    let backend = refuses_streams().await;
    let plane = Plane::serving(&serving(BackendProtocol::H2c, &[backend.at], to("a"))).await;
    let (status, _) = Client::Http2.send(plane.at(80), "POST", "body").await;
    assert_eq!(status, 200);
    assert_eq!(backend.connections(), 3);
}

#[tokio::test]
async fn a_backend_that_always_fails_gets_few_retries() {
    const REQUESTS: usize = 200;
    let (backend, asked) = failing(|_| 503).await;
    let metrics = Metrics::new();
    let config = Config {
        metrics: metrics.clone(),
        ..config()
    };
    let scene = serving(
        BackendProtocol::Http1,
        &[backend.at],
        retrying(retry(&[503], 3)),
    );
    let plane = Plane::start(&scene, config).await;
    let started = Instant::now();
    let at = plane.at(80);
    let client = || async {
        for _ in 0..REQUESTS / 8 {
            assert_eq!(get(at, "a.example", "/").await.status, 503);
        }
    };
    futures_util::future::join_all((0..8).map(|_| client())).await;
    // A hundred in ten seconds, however long the machine takes; each thread may be one too many.
    let windows = 1 + usize::try_from(started.elapsed().as_secs() / 10).unwrap() + 1;
    let retries = asked.all().len() - REQUESTS;
    assert!((100..=100 * windows + 8).contains(&retries), "{retries}");
    let exposition = metrics.exposition();
    let exhausted = "portcullis_upstream_retry_budget_exhausted_total{";
    assert!(exposition.contains(exhausted), "{exposition}");
    assert!(exposition.contains("reason=\"status\""), "{exposition}");
}

#[tokio::test]
async fn retries_are_counted_and_logged() {
    let (backend, _) = failing(|number| if number == 0 { 500 } else { 200 }).await;
    let metrics = Metrics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog::start(&Target::File(file.clone()), &metrics).unwrap();
    let config = Config {
        metrics: metrics.clone(),
        access_log: access_log.clone(),
        ..config()
    };
    let rule = retrying(retry(&[500], 2));
    let scene = serving(BackendProtocol::Http1, &[backend.at], rule);
    let plane = Plane::start(&scene, config).await;
    for _ in 0..2 {
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
    }
    plane.plane.drain().await;
    access_log.flush();
    let log = std::fs::read_to_string(file).unwrap();
    let records = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let attempts: Vec<_> = records
        .map(|record| record.get("attempts").cloned())
        .collect();
    assert_eq!(attempts.iter().flatten().count(), 1, "{log}");
    assert!(log.contains("\"attempts\":2,"), "{log}");
    let exposition = metrics.exposition();
    let line = exposition
        .lines()
        .find(|line| line.starts_with("portcullis_upstream_retries_total{"))
        .unwrap();
    assert!(
        line.contains("reason=\"status\"") && line.ends_with(" 1"),
        "{line}"
    );
}

#[tokio::test]
async fn nothing_is_kept_of_a_client_that_leaves_while_a_retry_is_waited_for() {
    let (backend, asked) = failing(|_| 503).await;
    let slow = Retry {
        backoff: Some(Duration::from_millis(100)),
        ..retry(&[503], 100)
    };
    let plane = Plane::serving(&serving(
        BackendProtocol::Http1,
        &[backend.at],
        retrying(slow),
    ))
    .await;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    leave_after_sending(plane.at(80), request).await;
    while asked.all().is_empty() {
        tokio::task::yield_now().await;
    }
    plane.plane.drain().await;
    // A second attempt finds that there is nobody to answer.
    assert!(asked.all().len() <= 3, "{:?}", asked.all());
}

async fn leave_after_sending(at: SocketAddr, request: &str) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}
