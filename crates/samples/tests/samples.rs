//! The samples as their clients see them: raw HTTP over TCP.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use portcullis_samples::{App, Helloworld, Server, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn start(app: App) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    serve(listener, app).unwrap()
}

/// A parsed answer.
struct Answer {
    status: u16,
    /// Lower case.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: answer[end..].to_vec(),
    }
}

async fn send(server: &Server, method: &str, path: &str, rest: &str) -> Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: httpbin.example.com\r\nConnection: close\r\n{rest}"
    );
    exchange(server.local_addr(), request.as_bytes()).await
}

async fn get(server: &Server, path: &str) -> Answer {
    send(server, "GET", path, "\r\n").await
}

#[tokio::test]
async fn statuses_are_given_as_asked() {
    let server = start(App::Httpbin).await;
    let cases = [
        ("/status/200", 200),
        ("/status/204", 204),
        ("/status/503", 503),
        ("/status/999", 400),
        ("/status/101", 400),
        ("/status/abc", 400),
        ("/status", 404),
        ("/statuses", 404),
        ("/hello", 404),
        ("/headers/more", 404),
        ("/post", 405),
        ("/", 200),
    ];
    for (path, status) in cases {
        assert_eq!(get(&server, path).await.status, status, "{path}");
    }
    assert_eq!(
        send(&server, "DELETE", "/status/202", "\r\n").await.status,
        202
    );
    assert_eq!(send(&server, "POST", "/get", "\r\n").await.status, 405);
}

#[tokio::test]
async fn the_teapot_says_what_it_is() {
    let server = start(App::Httpbin).await;
    let answer = get(&server, "/status/418").await;
    assert_eq!(answer.status, 418);
    assert!(answer.text().contains("I'm a teapot!"));
}

#[tokio::test]
async fn requests_are_told_back() {
    let server = start(App::Httpbin).await;
    let rest = "X-A: 1\r\nX-A: 2\r\nX-Forwarded-Proto: https\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    let told = send(&server, "PUT", "/anything/below?q=a%20b", rest)
        .await
        .json();
    assert_eq!(told["method"], "PUT");
    assert_eq!(
        told["url"],
        "https://httpbin.example.com/anything/below?q=a%20b"
    );
    assert_eq!(told["args"], json!({"q": "a b"}));
    assert_eq!(told["headers"]["X-A"], "1,2");
    assert_eq!(told["headers"]["Host"], "httpbin.example.com");
    assert_eq!(told["data"], "{\"a\":1}");
    assert_eq!(told["json"], json!({"a": 1}));
    assert_eq!(told["origin"], "127.0.0.1");

    let post = send(&server, "POST", "/post", "Content-Length: 2\r\n\r\nhi").await;
    assert_eq!(post.json()["data"], "hi");
    let agent = "User-Agent: test/1\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n\r\n";
    let told = send(&server, "GET", "/user-agent", agent).await.json();
    assert_eq!(told, json!({"user-agent": "test/1"}));
    let told = send(&server, "GET", "/ip", agent).await.json();
    assert_eq!(told, json!({"origin": "192.0.2.1, 10.0.0.1"}));
    let told = send(&server, "GET", "/headers", agent).await.json();
    assert_eq!(told["headers"]["User-Agent"], "test/1");
    assert!(get(&server, "/get").await.json().get("method").is_none());
}

#[tokio::test]
async fn bodies_too_large_to_tell_back_are_refused() {
    let server = start(App::Httpbin).await;
    let rest = "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n";
    let answer = send(&server, "POST", "/anything", rest).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn bytes_are_seeded_and_of_the_length_asked_for() {
    let server = start(App::Httpbin).await;
    let first = get(&server, "/bytes/40000?seed=7").await;
    assert!(
        first.head.contains("content-length: 40000"),
        "{}",
        first.head
    );
    assert_eq!(first.body.len(), 40_000);
    assert_eq!(first.body, get(&server, "/bytes/40000?seed=7").await.body);
    assert_ne!(first.body, get(&server, "/bytes/40000?seed=8").await.body);
    let open = get(&server, "/stream-bytes/20?chunk_size=8").await;
    assert!(
        open.head.contains("transfer-encoding: chunked"),
        "{}",
        open.head
    );
    assert!(open.body.starts_with(b"8\r\n") && open.body.ends_with(b"\r\n0\r\n\r\n"));
    assert_eq!(get(&server, "/bytes/minus").await.status, 404);
    assert_eq!(get(&server, "/bytes/0").await.body, b"");
}

#[tokio::test]
async fn streams_are_lines_of_json() {
    let server = start(App::Httpbin).await;
    let answer = get(&server, "/stream/3").await;
    assert!(answer.head.contains("transfer-encoding: chunked"));
    let lines = answer
        .text()
        .split("\r\n")
        .filter(|line| line.starts_with('{'));
    let ids: Vec<Value> = lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids, [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn delays_are_capped() {
    let server = start(App::Httpbin).await;
    for (path, seconds) in [("/delay/0.5", 0.5), ("/delay/3600", 10.0)] {
        let started = tokio::time::Instant::now();
        assert_eq!(get(&server, path).await.status, 200);
        // Paused time advances by what is slept, not by what the test takes.
        let slept = started.elapsed().as_secs_f64();
        assert!((seconds..seconds + 1.0).contains(&slept), "{path}: {slept}");
    }
    for path in ["/delay/-1", "/delay/x", "/delay/NaN"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn pages_are_html() {
    let server = start(App::Httpbin).await;
    let answer = get(&server, "/html").await;
    assert!(answer.head.contains("content-type: text/html"));
    assert!(answer.text().contains("<h1>httpbin</h1>"));
    let head = send(&server, "HEAD", "/html", "\r\n").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn helloworld_greets() {
    let app = App::Helloworld(Helloworld {
        version: "v1".to_owned(),
        instance: "helloworld-1".to_owned(),
    });
    let server = start(app).await;
    let answer = get(&server, "/hello").await;
    assert_eq!(answer.text(), "Hello version: v1, instance: helloworld-1\n");
    assert_eq!(get(&server, "/status/418").await.status, 404);
}

#[tokio::test]
async fn a_text_is_always_the_same() {
    let server = start(App::Text("frontend\n".to_owned())).await;
    for path in ["/", "/any?where"] {
        assert_eq!(get(&server, path).await.text(), "frontend\n");
    }
}

#[tokio::test]
async fn websockets_send_back_what_they_get() {
    let server = start(App::Httpbin).await;
    assert_eq!(get(&server, "/ws").await.status, 426);
    let request = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\
        \x81\x82\x00\x00\x00\x00hi\x88\x80\x00\x00\x00\x00";
    let answer = exchange(server.local_addr(), request).await;
    assert_eq!(answer.status, 101);
    // The lower case of s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, the RFC's example.
    assert!(
        answer
            .head
            .contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n")
    );
    assert_eq!(answer.body, b"\x81\x02hi\x88\x00");
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = start(App::Httpbin).await;
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    // The preface and an empty SETTINGS frame; the server answers with its own SETTINGS.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 0x04);
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_end() {
    let server = start(App::Httpbin).await;
    let address = server.local_addr();
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The head is read and answered with 100, so the request is in flight.
    let request =
        b"POST /post HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    let stopping = tokio::spawn(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(b"hi").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    stopping.await.unwrap();
}
