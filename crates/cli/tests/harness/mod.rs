//! The real binary under test: started on free ports, asked through its admin address, killed when
//! dropped.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_portcullis");
/// A wait longer than this is a failure; nothing is expected to take a noticeable part of it.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at what another process does.
const POLL: Duration = Duration::from_millis(5);

/// A folder of manifests.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir(folder.path()).unwrap();
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("conf")
    }

    /// The folder around it.
    pub(crate) fn above(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file in place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }
}

/// Polls until `condition` gives something.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(POLL);
    }
}

/// A process of the binary.
pub(crate) struct Process {
    child: Child,
    output: Arc<Mutex<String>>,
    pub(crate) admin: String,
}

impl Process {
    /// Runs `portcullis standalone FOLDER` with every port mapped to a free one, and waits until it
    /// has taken the folder in.
    pub(crate) fn standalone(folder: &Path, arguments: &[&str]) -> Self {
        Self::standalone_by(Command::new(BINARY), folder, arguments)
    }

    /// As [`Process::standalone`], by a command that runs the binary.
    pub(crate) fn standalone_by(mut command: Command, folder: &Path, arguments: &[&str]) -> Self {
        command
            .arg("standalone")
            .arg(folder)
            .args(["--bind", "127.0.0.1", "--port-map", "*=0"]);
        command
            .args(["--admin", "127.0.0.1:0", "--workers", "1"])
            .args(arguments);
        let mut process = Self::start(command);
        process.admin = until("the admin address is printed", || {
            let output = process.output();
            assert!(process.exit_status().is_none(), "it ended:\n{output}");
            output
                .lines()
                .find_map(|line| Some(line.strip_prefix("admin: http://")?.to_owned()))
        });
        process.until("the folder is read", || {
            !process.page("/readyz").contains("not read yet")
        });
        process
    }

    /// Runs a command of the binary.
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self {
            child,
            output,
            admin: String::new(),
        }
    }

    /// What it printed so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().clone()
    }

    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}:\n{}",
                self.output()
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for a line with all of `words`.
    pub(crate) fn until_said(&self, words: &[&str]) {
        self.until(&format!("{words:?} is said"), || {
            self.output()
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
        });
    }

    /// The body of an admin page, whatever its status.
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = get(self.admin.parse().unwrap(), "localhost", path).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// The object with its status.
    pub(crate) fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let mut list: Value = serde_json::from_str(&self.page("/status")).unwrap();
        let items = list["items"].as_array_mut().unwrap();
        let found = items
            .iter_mut()
            .find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
        found.map(Value::take)
    }

    /// Waits until a condition anywhere in the object's status has this status and a message with
    /// all of `words`.
    pub(crate) fn until_condition(
        &self,
        (kind, name): (&str, &str),
        (condition, status): (&str, &str),
        words: &[&str],
    ) {
        self.until(
            &format!("{kind} {name} says {condition} {status}, {words:?}"),
            || {
                let Some(object) = self.object(kind, name) else {
                    return false;
                };
                let mut found = Vec::new();
                find_conditions(&object["status"], &mut found);
                found.iter().any(|it| {
                    let message = it["message"].as_str().unwrap_or_default();
                    it["type"] == condition
                        && it["status"] == status
                        && words.iter().all(|word| message.contains(word))
                })
            },
        );
    }

    /// Where a listener port of a Gateway is really bound, once it is.
    pub(crate) fn port(&self, gateway: &str, port: u16) -> SocketAddr {
        until("the port is bound", || {
            let config: Value = serde_json::from_str(&self.page("/config")).unwrap();
            let gateways = config["gateways"].as_array().unwrap();
            let found = gateways.iter().find(|it| it["gateway"] == gateway)?;
            let ports = found["ports"].as_array().unwrap();
            let found = ports.iter().find(|it| it["port"] == port)?;
            found["addresses"][0].as_str()?.parse().ok()
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, as `kill -TERM` does.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn wait(&mut self) -> i32 {
        let status = until("it ends", || self.exit_status());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("output of the process:\n{}", self.output());
        }
    }
}

fn collect(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = output.lock();
            output.push_str(&line);
            output.push('\n');
        }
    });
}

fn find_conditions(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(
                fields
                    .get("conditions")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default(),
            );
            fields
                .values()
                .for_each(|value| find_conditions(value, found));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| find_conditions(value, found)),
        _ => {}
    }
}

/// The whole answer to a request; an error if there is none.
pub(crate) fn get(address: SocketAddr, host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The status code of an answer; 0 if there is none.
pub(crate) fn status(address: SocketAddr, host: &str, path: &str) -> u16 {
    let answer = get(address, host, path).unwrap_or_default();
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

/// A backend that answers everything 200, for as long as the tests run.
pub(crate) fn backend() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream));
        }
    });
    port
}

fn answer(stream: TcpStream) {
    let mut writer = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty()
            && writer
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
                .is_err()
        {
            return;
        }
    }
}

/// A client that asks for the same thing over and over.
pub(crate) struct Prober {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<(usize, Vec<u16>)>>,
}

impl Prober {
    pub(crate) fn start(address: SocketAddr, host: &'static str, path: &'static str) -> Self {
        assert_eq!(status(address, host, path), 200);
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut count = 0;
            let mut others = Vec::new();
            loop {
                count += 1;
                let found = status(address, host, path);
                if found != 200 {
                    others.push(found);
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(POLL);
            }
            (count, others)
        });
        Self {
            done,
            thread: Some(thread),
        }
    }

    /// Every answer must have been 200.
    pub(crate) fn finish(mut self) {
        self.done.store(true, Ordering::Relaxed);
        let (count, others) = self.thread.take().unwrap().join().unwrap();
        assert_eq!(others, [0; 0], "of {count} requests");
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}
