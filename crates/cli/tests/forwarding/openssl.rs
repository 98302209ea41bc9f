//! `openssl` as client and as backend.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::harness::until;

/// A certificate that is its own authority, with its key.
pub(crate) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    name: String,
}

impl Identity {
    pub(crate) fn new(folder: &Path, name: &str, hosts: &[&str]) -> Self {
        let certificate = folder.join(format!("{name}.crt"));
        let key = folder.join(format!("{name}.key"));
        let names: Vec<_> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let done = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-newkey", "ec"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj"])
            .arg(format!("/CN={name}"))
            .arg("-addext")
            .arg(format!("subjectAltName={}", names.join(",")))
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{log}");
        Self {
            certificate,
            key,
            name: name.to_owned(),
        }
    }

    /// A Secret of its name.
    pub(crate) fn secret(&self) -> String {
        let [certificate, key] = [&self.certificate, &self.key].map(|file| {
            let encode = Command::new("openssl")
                .args(["base64", "-A", "-in"])
                .arg(file)
                .output();
            String::from_utf8(encode.unwrap().stdout).unwrap()
        });
        let name = &self.name;
        format!(
            "apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
type: kubernetes.io/tls
data:
  tls.crt: {certificate}
  tls.key: {key}
"
        )
    }
}

/// `openssl s_server -rev`: sends back each line with its letters in reverse order.
pub(crate) struct ReversingServer {
    child: Child,
    pub(crate) port: u16,
}

impl ReversingServer {
    pub(crate) fn start(identity: &Identity) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-rev", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        until("the TLS backend listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        server
    }
}

impl Drop for ReversingServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `openssl s_client`, which has checked the server's certificate and name.
pub(crate) struct Client {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn connect(at: SocketAddr, name: &str, trusted: &Identity) -> Self {
        let mut child = s_client(at, name)
            .args(["-quiet", "-verify_return_error", "-verify_hostname", name])
            .arg("-CAfile")
            .arg(&trusted.certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Sends a line and returns the next that comes.
    pub(crate) fn exchange(&mut self, line: &str) -> String {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim_end_matches('\n').to_owned()
    }

    /// What a client says that gets no handshake.
    pub(crate) fn refused(at: SocketAddr, name: &str) -> String {
        let done = s_client(at, name).stdin(Stdio::null()).output().unwrap();
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn s_client(at: SocketAddr, name: &str) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &at.to_string(), "-servername", name]);
    command
}
