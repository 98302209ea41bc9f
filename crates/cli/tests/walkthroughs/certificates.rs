//! Certificates, made with `openssl` by the commands of the documents.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root certificate with its key, `<domain>.crt` and `<domain>.key` in a folder of its own.
pub(crate) struct Authority {
    folder: PathBuf,
    domain: String,
}

/// A certificate with its key, in PEM files.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What differs from the documents' certificates.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    /// The common name.
    pub(crate) host: &'a str,
    /// `openssl req`'s options for the key.
    pub(crate) key: &'a [&'a str],
    /// Lines of an extension file. The documents use none, which makes an X.509 v1 certificate
    /// that names its host in the CN alone.
    pub(crate) extensions: &'a str,
    /// The serial number.
    pub(crate) serial: &'a str,
    /// `openssl x509`'s options for the time of validity.
    pub(crate) validity: &'a [&'a str],
}

impl<'a> Request<'a> {
    /// As the documents make them: RSA 2048, CN only, 365 days.
    pub(crate) fn as_documented(host: &'a str) -> Self {
        Self {
            host,
            key: &["-newkey", "rsa:2048"],
            extensions: "",
            serial: "0",
            validity: &["-days", "365"],
        }
    }
}

impl Authority {
    /// `openssl req -x509 -sha256 -nodes -days 365 -newkey rsa:2048 -subj '/O=example Inc./CN=example.com' ...`
    pub(crate) fn new(folder: &Path, domain: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let authority = Self {
            folder: folder.to_owned(),
            domain: domain.to_owned(),
        };
        let subject = format!("/O={domain} Inc./CN={domain}");
        openssl(
            ["req", "-x509", "-sha256", "-nodes", "-days", "365"]
                .map(OsStr::new)
                .into_iter()
                .chain([
                    "-newkey".as_ref(),
                    "rsa:2048".as_ref(),
                    "-subj".as_ref(),
                    subject.as_ref(),
                    "-keyout".as_ref(),
                    authority.key().as_os_str(),
                    "-out".as_ref(),
                    authority.certificate().as_os_str(),
                ]),
        );
        authority
    }

    /// The root certificate, what `curl --cacert` takes.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.domain))
    }

    fn key(&self) -> PathBuf {
        self.folder.join(format!("{}.key", self.domain))
    }

    /// A certificate for `host` by the documents' two commands.
    pub(crate) fn issue(&self, host: &str) -> Pair {
        self.issue_as(host, &Request::as_documented(host))
    }

    /// A certificate that also names its host in the subjectAltName, as all CAs do today.
    pub(crate) fn issue_with_san(&self, host: &str) -> Pair {
        let extensions = format!("subjectAltName=DNS:{host}\n");
        self.issue_as(
            host,
            &Request {
                extensions: &extensions,
                ..Request::as_documented(host)
            },
        )
    }

    /// The certificate of `request`, in files called `name`.
    pub(crate) fn issue_as(&self, name: &str, request: &Request<'_>) -> Pair {
        let Request {
            host,
            key,
            extensions,
            serial,
            validity,
        } = request;
        let file = |extension: &str| self.folder.join(format!("{name}.{extension}"));
        let subject = format!("/CN={host}/O={host} organization");
        openssl(
            ["req", "-nodes", "-subj", &subject]
                .map(OsStr::new)
                .into_iter()
                .chain(key.iter().map(OsStr::new))
                .chain([
                    "-out".as_ref(),
                    file("csr").as_os_str(),
                    "-keyout".as_ref(),
                    file("key").as_os_str(),
                ]),
        );
        let extension_file = file("ext");
        let mut sign: Vec<&OsStr> = ["x509", "-req", "-sha256", "-set_serial", serial]
            .map(OsStr::new)
            .to_vec();
        sign.extend(validity.iter().map(OsStr::new));
        if !extensions.is_empty() {
            fs::write(&extension_file, extensions).unwrap();
            sign.extend(["-extfile".as_ref(), extension_file.as_os_str()]);
        }
        let (ca, ca_key) = (self.certificate(), self.key());
        let (csr, crt) = (file("csr"), file("crt"));
        sign.extend([
            "-CA".as_ref(),
            ca.as_os_str(),
            "-CAkey".as_ref(),
            ca_key.as_os_str(),
        ]);
        sign.extend([
            "-in".as_ref(),
            csr.as_os_str(),
            "-out".as_ref(),
            crt.as_os_str(),
        ]);
        openssl(sign);
        Pair {
            certificate: crt,
            key: file("key"),
        }
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let request = Request {
            extensions: "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign\n",
            serial: "100",
            ..Request::as_documented(name)
        };
        self.issue_as(name, &request);
        Self {
            folder: self.folder.clone(),
            domain: name.to_owned(),
        }
    }
}

/// Runs `openssl`, which must succeed.
pub(crate) fn openssl<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Vec<u8> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let done = Command::new("openssl")
        .args(&arguments)
        .output()
        .expect("openssl is installed (make deps)");
    let shown: Vec<_> = arguments
        .iter()
        .map(|a| a.as_ref().to_string_lossy())
        .collect();
    assert!(
        done.status.success(),
        "openssl {}: {}",
        shown.join(" "),
        String::from_utf8_lossy(&done.stderr)
    );
    done.stdout
}
