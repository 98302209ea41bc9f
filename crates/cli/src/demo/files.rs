//! The demo's files.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::certificates::{Authority, Pair, Role};

/// Where the sample backends listen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backends {
    pub(super) httpbin: u16,
    pub(super) helloworld: u16,
}

/// Why the files cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    #[error("cannot make certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
}

/// Writes everything into `folder`: `conf/` is what is served, `variants/` what to copy there, and
/// beside them what curl needs.
pub(super) fn write(folder: &Path, backends: Backends) -> Result<(), FilesError> {
    let Backends {
        httpbin,
        helloworld,
    } = backends;
    let write = |name: &str, text: &str| write_file(folder, name, text);
    let ca = Authority::new("Demo CA")?;
    let new_ca = Authority::new("Demo CA 2")?;
    let client_ca = Authority::new("Demo client CA")?;
    let server = |authority: &Authority, host: &str| authority.issue(host, Role::Server);

    let helloworld_text = with_port(include_str!("conf/helloworld.yaml"), helloworld);
    write("conf/gateway.yaml", include_str!("conf/gateway.yaml"))?;
    write(
        "conf/httpbin.yaml",
        &with_port(include_str!("conf/httpbin.yaml"), httpbin),
    )?;
    write("conf/helloworld.yaml", &helloworld_text)?;
    let credential = |name: &str, pair: &Pair| secret(name, pair, None);
    let pair = server(&ca, "httpbin.example.com")?;
    write(
        "conf/httpbin-credential.yaml",
        &credential("httpbin-credential", &pair),
    )?;
    let pair = server(&ca, "helloworld.example.com")?;
    write(
        "conf/helloworld-credential.yaml",
        &credential("helloworld-credential", &pair),
    )?;
    let pair = server(&ca, "partner.example.com")?;
    let client_root = client_ca.certificate();
    write(
        "conf/partner-credential.yaml",
        &secret("partner-credential", &pair, Some(&client_root)),
    )?;
    write("conf/client-ca.yaml", &ca_config_map(&client_root))?;

    let pair = server(&new_ca, "httpbin.example.com")?;
    write(
        "variants/httpbin-credential.yaml",
        &credential("httpbin-credential", &pair),
    )?;
    write(
        "variants/mistake.yaml",
        &helloworld_text.replace("backendRefs:", "backendRef:"),
    )?;
    write("variants/helloworld.yaml", &helloworld_text)?;

    write("ca.crt", &ca.certificate())?;
    write("new-ca.crt", &new_ca.certificate())?;
    let Pair { certificate, key } = client_ca.issue("demo client", Role::Client)?;
    write("client.crt", &certificate)?;
    write("client.key", &key)
}

fn with_port(text: &str, port: u16) -> String {
    text.replace("BACKEND_PORT", &port.to_string())
}

/// A Secret of the Gateway's namespace.
fn secret(name: &str, pair: &Pair, ca: Option<&str>) -> String {
    let Pair { certificate, key } = pair;
    let mut text = format!(
        "apiVersion: v1
kind: Secret
metadata:
  name: {name}
  namespace: gateways
type: kubernetes.io/tls
stringData:
"
    );
    text.push_str(&block("tls.crt", certificate));
    text.push_str(&block("tls.key", key));
    if let Some(ca) = ca {
        text.push_str(&block("ca.crt", ca));
    }
    text
}

fn ca_config_map(certificate: &str) -> String {
    let head = "apiVersion: v1
kind: ConfigMap
metadata:
  name: client-ca
  namespace: gateways
data:
";
    head.to_owned() + &block("ca.crt", certificate)
}

/// A text of several lines as a value of YAML.
fn block(key: &str, text: &str) -> String {
    let lines = text.lines().flat_map(|line| ["    ", line, "\n"]);
    let lines: String = lines.collect();
    format!("  {key}: |\n{lines}")
}

/// Some files hold keys: nobody else may read them.
fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), FilesError> {
    let path = folder.join(name);
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        io::Write::write_all(&mut file, text.as_bytes())
    };
    write().map_err(|source| FilesError::File {
        path: path.display().to_string(),
        source,
    })
}
