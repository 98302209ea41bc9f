//! The gateway under test: the real binary, serving samples from a folder of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::backends::Backends;
use crate::certificates::{Pair, openssl};
use crate::harness::{BINARY, Process};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/samples");
/// The ports that the samples' listeners name.
const LISTENER_PORTS: [u16; 3] = [80, 443, 8443];

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
    process: Process,
    _backends: Backends,
}

/// The status of one object.
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

    /// Starts it and waits until its Gateway is programmed.
    pub(crate) fn start(self) -> Running {
        let running = self.start_unready();
        running.until("the Gateway is programmed", || {
            let gateway = running.gateway();
            gateway.is_some_and(|gateway| condition(&gateway["status"], "Programmed").0 == "True")
        });
        running
    }

    /// Starts it and waits until it has read its folder.
    pub(crate) fn start_unready(self) -> Running {
        let Self {
            folder,
            arguments,
            backends,
        } = self;
        let ports: BTreeMap<_, _> = LISTENER_PORTS.map(|port| (port, free_port())).into();
        let map = ports
            .iter()
            .flat_map(|(port, real)| ["--port-map".to_owned(), format!("{port}={real}")]);
        let arguments: Vec<_> = map.chain(arguments).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let process = Process::standalone(&folder.path().join("manifests"), &arguments);
        Running {
            folder,
            ports,
            process,
            _backends: backends,
        }
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
    pub(crate) fn until(&self, what: &str, condition: impl FnMut() -> bool) {
        self.process.until(what, condition);
    }

    /// Waits for a line of the log with all of `words`.
    pub(crate) fn until_logged(&self, words: &[&str]) {
        self.process.until_said(words);
    }

    /// The output of `portcullis <words> --admin ...`.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        let mut command = Command::new(BINARY);
        let done = command
            .args(words)
            .args(["--admin", &self.process.admin])
            .output()
            .unwrap();
        assert!(done.status.success(), "{words:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn gateway(&self) -> Option<Value> {
        let list: Value = serde_json::from_str(&self.process.page("/status")).unwrap();
        let items = list["items"].as_array()?;
        items
            .iter()
            .find(|object| object["kind"] == "Gateway")
            .cloned()
    }

    /// The status of the object, once it has one.
    pub(crate) fn status_of(&self, kind: &str, name: &str) -> Status {
        let mut status = Value::Null;
        self.until(&format!("{kind} {name} has a status"), || {
            let object = self.process.object(kind, name);
            status = object
                .map(|mut object| object["status"].take())
                .unwrap_or_default();
            status.is_object()
        });
        Status(status)
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
        let config = serde_json::from_str(&self.process.page("/config")).unwrap();
        has_serial(&config, &serial)
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
