//! What a user types: `curl` and `openssl s_client`.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::certificates::Pair;

/// A `curl` command.
pub(crate) struct Curl {
    command: Command,
}

/// What came of a `curl` command.
#[derive(Debug)]
pub(crate) struct Answer {
    /// curl's exit code; 0 when there was an answer, whatever its status.
    pub(crate) exit: i32,
    /// The status code; 0 without an answer.
    pub(crate) status: u16,
    /// `1.1` or `2`.
    pub(crate) version: String,
    /// Seconds from start to end.
    pub(crate) seconds: f64,
    pub(crate) body: String,
    /// What `curl -v` said.
    pub(crate) log: String,
}

impl Curl {
    /// Asks for `path` of `host` at `port` of this machine, as the documents do with `--resolve`.
    pub(crate) fn new(scheme: &str, host: &str, port: u16, path: &str) -> Self {
        let mut command = Command::new("curl");
        command
            .args([
                "--silent",
                "--show-error",
                "--verbose",
                "--max-time",
                "30",
                "--noproxy",
                "*",
            ])
            .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
            .args([
                "--write-out",
                "\n%{http_code} %{http_version} %{time_total}",
            ])
            .arg(format!("{scheme}://{host}:{port}{path}"));
        Self { command }
    }

    /// `--cacert`
    pub(crate) fn trusting(mut self, authority: &Path) -> Self {
        self.command.arg("--cacert").arg(authority);
        self
    }

    /// `--cert` and `--key`
    pub(crate) fn with_client(mut self, pair: &Pair) -> Self {
        self.command
            .arg("--cert")
            .arg(&pair.certificate)
            .arg("--key")
            .arg(&pair.key);
        self
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn run(mut self) -> Answer {
        let done = self
            .command
            .output()
            .expect("curl is installed (make deps)");
        let output = String::from_utf8_lossy(&done.stdout);
        let (body, facts) = output.rsplit_once('\n').unwrap_or(("", &output));
        let mut facts = facts.split(' ');
        Answer {
            exit: done.status.code().unwrap_or(-1),
            status: facts.next().unwrap_or("").parse().unwrap_or(0),
            version: facts.next().unwrap_or("").to_owned(),
            seconds: facts.next().unwrap_or("").parse().unwrap_or(0.0),
            body: body.to_owned(),
            log: String::from_utf8_lossy(&done.stderr).into_owned(),
        }
    }
}

/// What `openssl s_client` printed for a handshake with `arguments` besides address and name.
pub(crate) fn s_client(port: u16, server_name: Option<&str>, arguments: &[&str]) -> String {
    let mut words: Vec<OsString> = vec![
        "s_client".into(),
        "-connect".into(),
        format!("127.0.0.1:{port}").into(),
    ];
    match server_name {
        Some(name) => words.extend(["-servername".into(), name.into()]),
        None => words.push("-noservername".into()),
    }
    words.extend(arguments.iter().map(OsString::from));
    let done = Command::new("openssl")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed (make deps)");
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}
