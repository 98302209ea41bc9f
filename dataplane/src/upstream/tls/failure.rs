//! Why TLS with a backend did not come about.

use std::io;
use std::sync::Arc;

use portcullis_ir::tls::{BackendTls, SubjectAltName};
use rustls::{AlertDescription, CertificateError, Error};

use crate::metrics::BackendTlsFailure as Label;

/// Why no handshake with a backend may succeed. Trying again helps after the next apply only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetupFailure {
    /// None of the CA bundles is there, or holds anything usable.
    #[error("no usable CA certificate")]
    NoTrust,
    /// `System`, but the host has none.
    #[error("the system has no CA certificates (set SSL_CERT_FILE or SSL_CERT_DIR): {0}")]
    NoSystemTrust(String),
    /// rustls does not take the client certificate's key.
    #[error("the client certificate's key cannot be used: {0}")]
    ClientKey(String),
    /// Not a name that a certificate can have.
    #[error("{0:?} is no server name")]
    Hostname(String),
    /// The crypto provider refused.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Why a handshake with a backend failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TlsFailure {
    /// None was tried.
    #[error("{0}")]
    Setup(#[from] SetupFailure),
    /// It took longer than [`crate::limits::BACKEND_HANDSHAKE_TIMEOUT`].
    #[error("TLS handshake took too long")]
    Timeout,
    /// The chain leads to none of the CAs.
    #[error("certificate not issued by a trusted CA")]
    UnknownIssuer,
    /// The certificate is for others.
    #[error("certificate is for {presented}, not for {wanted}")]
    Name { wanted: String, presented: String },
    /// It was valid once.
    #[error("certificate has expired")]
    Expired,
    /// It will be valid.
    #[error("certificate is not valid yet")]
    NotYetValid,
    /// It is bad in another way.
    #[error("certificate refused: {0}")]
    Certificate(String),
    /// The backend wants a client certificate, and a Gateway that has none was refused.
    #[error("the backend requires a client certificate")]
    ClientCertificateRequired,
    /// The backend ended the handshake.
    #[error("the backend refused: {0:?}")]
    Alert(AlertDescription),
    /// What it sent is not TLS.
    #[error("the backend does not speak TLS")]
    NotTls,
    /// Nothing in common.
    #[error("nothing in common with the backend: {0}")]
    Incompatible(String),
    /// The backend went away.
    #[error("the backend closed the connection during the TLS handshake")]
    Closed,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl TlsFailure {
    /// Reads rustls' error out of what tokio-rustls returns.
    pub(super) fn of(error: &io::Error, policy: &Arc<BackendTls>) -> Self {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        match tls {
            Some(Error::InvalidCertificate(error)) => Self::of_certificate(error, policy),
            Some(Error::AlertReceived(AlertDescription::CertificateRequired)) => {
                Self::ClientCertificateRequired
            }
            Some(Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(Error::PeerIncompatible(error)) => Self::Incompatible(format!("{error:?}")),
            Some(Error::NoApplicationProtocol) => Self::Incompatible("no ALPN protocol".to_owned()),
            Some(error) => Self::Other(error.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof
                || error.kind() == io::ErrorKind::ConnectionReset =>
            {
                Self::Closed
            }
            None => Self::Other(error.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError, policy: &BackendTls) -> Self {
        use CertificateError as E;
        match error {
            E::UnknownIssuer | E::BadSignature => Self::UnknownIssuer,
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
            E::NotValidForNameContext { presented, .. } => Self::Name {
                wanted: wanted(policy),
                presented: listed(presented),
            },
            other => Self::Certificate(format!("{other:?}")),
        }
    }

    /// What it is counted as.
    pub(crate) fn label(&self) -> Label {
        match self {
            Self::Setup(_) => Label::NotSetUp,
            Self::Timeout => Label::Timeout,
            Self::UnknownIssuer => Label::UnknownIssuer,
            Self::Name { .. } => Label::NameMismatch,
            Self::Expired | Self::NotYetValid => Label::NotValidNow,
            Self::Certificate(_) => Label::CertificateInvalid,
            Self::ClientCertificateRequired => Label::ClientCertificateRequired,
            Self::Alert(_) => Label::AlertReceived,
            Self::NotTls => Label::NotTls,
            Self::Incompatible(_) => Label::Incompatible,
            Self::Closed => Label::BackendClosed,
            Self::Other(_) => Label::Other,
        }
    }
}

fn wanted(policy: &BackendTls) -> String {
    if policy.subject_alt_names.is_empty() {
        return policy.hostname.to_string();
    }
    let names = policy.subject_alt_names.iter().map(|name| match name {
        SubjectAltName::Dns(name) => name.to_string(),
        SubjectAltName::Uri(uri) => uri.to_string(),
    });
    names.collect::<Vec<_>>().join(" or ")
}

fn listed(names: &[String]) -> String {
    /// A backend's certificate may have thousands; a log line may not.
    const SHOWN: usize = 5;
    if names.is_empty() {
        return "no name".to_owned();
    }
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    let more = if names.len() > SHOWN {
        " and others"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}
