//! Which names a backend's certificate must have.

use portcullis_ir::HostPattern;
use portcullis_ir::tls::SubjectAltName;
use rustls::client::verify_server_name;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::failure::SetupFailure;

/// The names of which a certificate must have one.
#[derive(Debug)]
pub(super) struct Names {
    wanted: Vec<Wanted>,
    /// For errors.
    hostname: ServerName<'static>,
}

#[derive(Debug)]
enum Wanted {
    /// As RFC 9525 says: a certificate for `*.example.com` is one for `a.example.com`.
    Server(ServerName<'static>),
    /// Holds `example.com` for `*.example.com`.
    Below(String),
    Uri(String),
}

impl Names {
    /// "Hostname … MUST match the certificate served by the matching backend, unless
    /// SubjectAltNames is specified", and then it "MUST NOT be used for authentication"
    /// (`BackendTLSPolicyValidation`).
    pub(super) fn new(
        hostname: &ServerName<'static>,
        subject_alt_names: &[SubjectAltName],
    ) -> Result<Self, SetupFailure> {
        let mut wanted = subject_alt_names
            .iter()
            .map(Wanted::new)
            .collect::<Result<Vec<_>, _>>()?;
        if wanted.is_empty() {
            wanted.push(Wanted::Server(hostname.clone()));
        }
        Ok(Self {
            wanted,
            hostname: hostname.clone(),
        })
    }

    /// "The certificate served from the backend MUST have at least one Subject Alternate Name
    /// matching one of the specified SubjectAltNames."
    pub(super) fn check(
        &self,
        leaf: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
    ) -> Result<(), Error> {
        let has = |wanted: &Wanted| match wanted {
            Wanted::Server(name) => verify_server_name(parsed, name).is_ok(),
            Wanted::Below(suffix) => own_names(
                leaf,
                |own| matches!(own, Own::Dns(name) if is_one_below(name, suffix)),
            ),
            Wanted::Uri(uri) => own_names(leaf, |own| matches!(own, Own::Uri(own) if own == uri)),
        };
        if self.wanted.iter().any(has) {
            return Ok(());
        }
        let mut presented = Vec::new();
        own_names(leaf, |own| {
            presented.push(own.text().to_owned());
            false
        });
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForNameContext {
                expected: self.hostname.clone(),
                presented,
            },
        ))
    }
}

impl Wanted {
    fn new(name: &SubjectAltName) -> Result<Self, SetupFailure> {
        match name {
            SubjectAltName::Dns(HostPattern::Exact(name)) => ServerName::try_from(name.to_string())
                .map(Self::Server)
                .map_err(|_| SetupFailure::Hostname(name.to_string())),
            SubjectAltName::Dns(HostPattern::Wildcard(suffix)) => {
                Ok(Self::Below(suffix.to_string()))
            }
            SubjectAltName::Dns(HostPattern::Any) => Err(SetupFailure::Hostname("*".to_owned())),
            SubjectAltName::Uri(uri) => Ok(Self::Uri(uri.to_string())),
        }
    }
}

/// A name in a certificate.
enum Own<'a> {
    Dns(&'a str),
    Uri(&'a str),
}

impl<'a> Own<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Dns(text) | Self::Uri(text) => text,
        }
    }
}

/// Whether `is_it` is true of one of the DNS names and URIs of `leaf`.
fn own_names(leaf: &CertificateDer<'_>, mut is_it: impl FnMut(Own<'_>) -> bool) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
        return false;
    };
    let extensions = certificate.extensions().iter();
    let mut names = extensions
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        })
        .flatten();
    names.any(|name| match name {
        GeneralName::DNSName(name) => is_it(Own::Dns(name)),
        GeneralName::URI(uri) => is_it(Own::Uri(uri)),
        _ => false,
    })
}

/// Whether `name` is `<label>.suffix`, the label being a name or `*`.
///
/// Deviation: a `Hostname` with a wildcard covers names of any depth elsewhere in the Gateway API.
/// Where it decides who is trusted it covers what it would in a certificate: one label (RFC 9525
/// section 6.3).
fn is_one_below(name: &str, suffix: &str) -> bool {
    name.split_once('.')
        .is_some_and(|(label, parent)| !label.is_empty() && parent.eq_ignore_ascii_case(suffix))
}
