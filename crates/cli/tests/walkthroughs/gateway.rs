//! The gateway under test: the real binary, serving samples from a folder of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::backends::Backends;
use crate::certificates::{Pair, openssl};

const BINARY: &str = env!("CARGO_BIN_EXE_portcullis");
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/samples");
/// The ports that the samples' listeners name.
const LISTENER_PORTS: [u16; 3] = [80, 443, 8443];
/// A wait longer than this is a failure; nothing is expected to take a noticeable part of it.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at what another process does.
const POLL: Duration = Duration::from_millis(5);

/// A folder of manifests in the making.
pub(crate) struct Setup {
    folder: TempDir,
    arguments: Vec<String>,
    backends: Backends,
}

/// A gateway that runs until dropped.
pub(crate) struct Running {
    folder: TempDir,
    ports: BTreeMap<u16, u16>,
    admin: String,
    child: Child,
    _backends: Backends,
}

/// One object with its status, as `portcullis status -o json` prints it.
pub(crate) struct Status(Value);

/// A condition's status and reason.
pub(crate) type Condition = (String, String);

/// A file below `manifests/samples/`.
pub(crate) fn sample_file(path: &str) -> String {
    fs::read_to_string(Path::new(SAMPLES).join(path)).unwrap()
}

impl Setup {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("manifests")).unwrap();
        let backends = Backends::start();
        let setup = Self {
            folder,
            arguments: Vec::new(),
            backends,
        };
        let here = setup.backends.located(&sample_file("base/backends.yaml"));
        setup.file("backends.yaml", &here)
    }

    /// All files of a sample.
    pub(crate) fn sample(self, name: &str) -> Self {
        self.sample_without(name, "")
    }

    /// All files of a sample but one.
    pub(crate) fn sample_without(mut self, name: &str, left_out: &str) -> Self {
        for entry in fs::read_dir(Path::new(SAMPLES).join(name)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            if file != left_out {
                let text = sample_file(&format!("{name}/{file}"));
                self = self.file(&file, &text);
            }
        }
        self
    }

    /// A file of manifests, instead of one of the same name.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join("manifests").join(name), text).unwrap();
        self
    }

    /// A Service `name` of `namespace`, on the sample that answers every path with its name.
    pub(crate) fn service(mut self, namespace: &str, name: &str) -> Self {
        let text = self.backends.service(namespace, name);
        self.file(&format!("service-{name}.yaml"), &text)
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Starts it and waits until every Gateway is programmed.
    pub(crate) fn start(self) -> Running {
        let running = self.start_unready();
        running.until("every Gateway is programmed", || {
            let objects = running.objects();
            let mut gateways = objects
                .iter()
                .filter(|object| object["kind"] == "Gateway")
                .peekable();
            gateways.peek().is_some()
                && gateways.all(|gateway| condition(&gateway["status"], "Programmed").0 == "True")
        });
        running
    }

    /// Starts it and waits until it has a status to show.
    pub(crate) fn start_unready(self) -> Running {
        let Self {
            folder,
            arguments,
            backends,
        } = self;
        let ports: BTreeMap<_, _> = LISTENER_PORTS.map(|port| (port, free_port())).into();
        let admin = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(BINARY);
        command
            .arg("standalone")
            .arg(folder.path().join("manifests"));
        command.args(["--bind", "127.0.0.1", "--admin", &admin]);
        for (port, real) in &ports {
            command.args(["--port-map", &format!("{port}={real}")]);
        }
        let log = File::create(folder.path().join("log")).unwrap();
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let running = Running {
            folder,
            ports,
            admin,
            child,
            _backends: backends,
        };
        running.until("there is a status", || !running.objects().is_empty());
        running
    }
}

/// A port that was free a moment ago. The gateway's ports must be known before it starts, and stay
/// the same when a listener goes and comes back.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

impl Running {
    /// Where a listener's port is really served.
    pub(crate) fn port(&self, port: u16) -> u16 {
        self.ports[&port]
    }

    /// Writes a manifest file as a careful editor does: whole, by rename.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let hidden = self.folder.path().join("new");
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.manifest(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.manifest(name)).unwrap();
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.folder.path().join("manifests").join(name)
    }

    /// Waits for a condition that another process makes true, and fails with the log if it does not.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}; log:\n{}",
                self.log()
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for a line of the log with all of `words`.
    pub(crate) fn until_logged(&self, words: &[&str]) {
        self.until(&format!("{words:?} is logged"), || {
            self.log()
                .lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
        });
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The output of `portcullis <words> --admin ...`; empty if it fails.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let done = Command::new(BINARY)
            .args(words)
            .args(["--admin", &self.admin])
            .output()
            .unwrap();
        if done.status.success() {
            String::from_utf8(done.stdout).unwrap()
        } else {
            String::new()
        }
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.command(words)).unwrap_or_default()
    }

    fn objects(&self) -> Vec<Value> {
        match self.json(&["status", "--output", "json"]) {
            Value::Object(mut list) => list
                .remove("items")
                .and_then(|items| items.as_array().cloned())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The status of the object, once it has one.
    pub(crate) fn status_of(&self, kind: &str, name: &str) -> Status {
        let mut found = None;
        self.until(&format!("{kind} {name} has a status"), || {
            found = self.objects().into_iter().find(|object| {
                object["kind"] == kind
                    && object["metadata"]["name"] == name
                    && object["status"].is_object()
            });
            found.is_some()
        });
        Status(found.unwrap()["status"].take())
    }

    /// Whether the certificate is in force, as the gateway reports it.
    pub(crate) fn has_loaded(&self, pair: &Pair) -> bool {
        let line = openssl([
            "x509".as_ref(),
            "-noout".as_ref(),
            "-serial".as_ref(),
            "-in".as_ref(),
            pair.certificate.as_os_str(),
        ]);
        let line = String::from_utf8(line).unwrap();
        let serial = line.trim().trim_start_matches("serial=").to_lowercase();
        has_serial(&self.json(&["config", "--output", "json"]), &serial)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("log of the gateway:\n{}", self.log());
        }
    }
}

fn has_serial(value: &Value, serial: &str) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let own = name == "serial"
                && value
                    .as_str()
                    .is_some_and(|own| plain(own) == plain(serial));
            own || has_serial(value, serial)
        }),
        Value::Array(values) => values.iter().any(|value| has_serial(value, serial)),
        _ => false,
    }
}

/// A hexadecimal number without colons and leading zeros.
fn plain(serial: &str) -> String {
    serial
        .replace(':', "")
        .trim_start_matches('0')
        .to_lowercase()
}

impl Status {
    pub(crate) fn condition(&self, kind: &str) -> Condition {
        condition(&self.0, kind)
    }

    /// A condition under the route's first parent.
    pub(crate) fn parent_condition(&self, kind: &str) -> Condition {
        condition(&self.0["parents"][0], kind)
    }

    pub(crate) fn listener_condition(&self, listener: &str, kind: &str) -> Condition {
        condition(self.listener(listener), kind)
    }

    pub(crate) fn listener_message(&self, listener: &str, kind: &str) -> String {
        let found = find(self.listener(listener), kind);
        found
            .map(|condition| text(&condition["message"]))
            .unwrap_or_default()
    }

    fn listener(&self, name: &str) -> &Value {
        let listeners = self.0["listeners"].as_array();
        let found = listeners.and_then(|all| all.iter().find(|listener| listener["name"] == name));
        found.unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> String {
        self.0.pointer(pointer).map(text).unwrap_or_default()
    }
}

fn condition(holder: &Value, kind: &str) -> Condition {
    let found = find(holder, kind);
    found
        .map(|condition| (text(&condition["status"]), text(&condition["reason"])))
        .unwrap_or_default()
}

fn find<'a>(holder: &'a Value, kind: &str) -> Option<&'a Value> {
    holder["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == kind)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}
