use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use portcullis_ir::{ListenerId, ObjectKey, RouteId};
use serde_json::{Value, json};

use super::output::Output;
use super::{AccessLog, Place, Protocol, Record, ResponseFlag, Target};
use crate::metrics::Metrics;

/// What was written, to be looked at by the test.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock();
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

fn log_to(sink: impl Write + Send + 'static, queue: usize) -> (AccessLog, Arc<Metrics>) {
    let metrics = Metrics::new();
    let output = Output::Stream(Box::new(sink));
    let log = AccessLog::with_output(output, &metrics, queue).unwrap();
    (log, metrics)
}

fn full_record(record: &mut Record) {
    record.time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_000_000_123_456);
    record.place = Some(Arc::new(Place {
        gateway: ObjectKey::new("default", "mygateway"),
        listener: Some(ListenerId::new("Gateway/default/mygateway/https")),
        route: Some(RouteId::new("HTTPRoute/default/httpbin")),
        rule: Some("0".into()),
    }));
    record.peer = Some("127.0.0.1:50000".parse().unwrap());
    record.method = Method::POST;
    record.authority.push_str("httpbin.example.com");
    record.path.push_str("/status/418?a=b");
    record.protocol = Protocol::Http(Version::HTTP_2);
    record.status = Some(StatusCode::SERVICE_UNAVAILABLE);
    record.bytes_in = 3;
    record.bytes_out = 135;
    record.duration = Duration::from_micros(1_234_567);
    record.upstream = Some("[::1]:8000".parse().unwrap());
    record.upstream_duration = Some(Duration::from_micros(1_200));
    record.flag = Some(ResponseFlag::ConnectFailed);
    record.detail = Some("connection refused".into());
    record.tls_version = Some("TLSv1.3");
    record.server_name = Some("httpbin.example.com".into());
    record.client_subject = Some("CN=client".into());
    record.request_id.push_str("r-1");
}

#[test]
fn a_record_becomes_a_line() {
    let sink = Sink::default();
    let (log, _) = log_to(sink.clone(), 16);
    let mut record = log.record().unwrap();
    full_record(&mut record);
    log.submit(record);
    log.submit(log.record().unwrap());
    log.flush();
    assert_eq!(
        sink.lines(),
        [
            json!({
                "time": "2026-11-18T11:06:40.123Z",
                "gateway": "default/mygateway",
                "listener": "Gateway/default/mygateway/https",
                "route": "HTTPRoute/default/httpbin",
                "rule": "0",
                "client": "127.0.0.1:50000",
                "method": "POST",
                "authority": "httpbin.example.com",
                "path": "/status/418?a=b",
                "protocol": "HTTP/2",
                "status": 503,
                "bytes_in": 3,
                "bytes_out": 135,
                "duration_ms": 1234.567,
                "upstream": "[::1]:8000",
                "upstream_duration_ms": 1.2,
                "response_flag": "connect_failed",
                "detail": "connection refused",
                "tls_version": "TLSv1.3",
                "sni": "httpbin.example.com",
                "client_certificate_subject": "CN=client",
                "request_id": "r-1",
            }),
            json!({
                "time": "1970-01-01T00:00:00.000Z",
                "method": "GET",
                "authority": "",
                "path": "",
                "protocol": "HTTP/1.1",
                "status": 0,
                "bytes_in": 0,
                "bytes_out": 0,
                "duration_ms": 0.0,
            }),
        ]
    );
}

#[test]
fn nothing_a_client_sends_breaks_the_line() {
    let sink = Sink::default();
    let (log, _) = log_to(sink.clone(), 16);
    let nasty = "a\r\n{\"status\":200}\u{0}\u{1b}[31m\u{2028}\"\\";
    let mut record = log.record().unwrap();
    record.path.push_str(nasty);
    record.authority.push_str(nasty);
    record.request_id.push_str(nasty);
    record.server_name = Some(nasty.into());
    log.submit(record);
    log.flush();
    let lines = sink.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["path"], nasty);
    let bytes = sink.0.lock();
    let control = bytes.iter().filter(|byte| byte.is_ascii_control()).count();
    assert_eq!(control, 1, "the line end only");
}

#[test]
fn recycled_records_are_blank_and_keep_small_buffers() {
    let sink = Sink::default();
    let (log, _) = log_to(sink, 16);
    let mut record = log.record().unwrap();
    full_record(&mut record);
    record.path.push_str(&"x".repeat(10_000));
    log.submit(record);
    log.flush();
    let recycled = log.record().unwrap();
    assert!(recycled.place.is_none() && recycled.path.is_empty() && recycled.flag.is_none());
    assert!(recycled.authority.capacity() > 0);
    assert!(recycled.path.capacity() <= 1024);
}

/// Blocks in `write` until the test lets it go on.
struct Gate {
    entered: mpsc::Sender<()>,
    open: mpsc::Receiver<()>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.entered.send(()).unwrap();
        // The test dropping its end opens the gate for good.
        let _ = self.open.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_writer_costs_records_not_time() {
    let (entered, has_entered) = mpsc::channel();
    let (opener, open) = mpsc::channel();
    let (log, metrics) = log_to(Gate { entered, open }, 4);
    log.submit(log.record().unwrap());
    has_entered.recv().unwrap();
    for _ in 0..10 {
        log.submit(log.record().unwrap());
    }
    assert_eq!(metrics.access_log_dropped.value(), 6);
    drop(opener);
    log.flush();
    log.submit(log.record().unwrap());
    log.flush();
    assert_eq!(metrics.access_log_dropped.value(), 6);
}

#[test]
fn failed_writes_are_counted() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (log, metrics) = log_to(Broken, 16);
    log.submit(log.record().unwrap());
    log.flush();
    assert_eq!(metrics.access_log_dropped.value(), 1);
}

#[test]
fn off_takes_nothing() {
    let log = AccessLog::start(&Target::Off, &Metrics::new()).unwrap();
    assert!(log.record().is_none());
    log.flush();
}

#[test]
fn a_file_is_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    std::fs::write(&path, "before\n").unwrap();
    let log = AccessLog::start(&Target::File(path.clone()), &Metrics::new()).unwrap();
    log.submit(log.record().unwrap());
    log.flush();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("before\n{\"time\":"), "{text}");
    assert!(AccessLog::start(&Target::File(dir.path().into()), &Metrics::new()).is_err());
}
