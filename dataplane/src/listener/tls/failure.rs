//! Why a handshake failed, in words.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::{TerminationFailure, Terminator};
use crate::listener::sni::HelloError;
use crate::metrics::HandshakeFailure as Label;

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeFailure {
    /// It took longer than [`crate::limits::HANDSHAKE_TIMEOUT`].
    #[error("handshake took too long")]
    Timeout,
    /// There was no ClientHello.
    #[error("{0}")]
    Hello(#[from] HelloError),
    /// No listener is for the name.
    #[error("unknown server name {0}")]
    UnknownName(String),
    /// No name was given, and every listener has one.
    #[error("no server name was sent, and no listener serves every name")]
    NoName,
    /// The listener cannot end TLS.
    #[error("{0}")]
    Termination(TerminationFailure),
    /// A client certificate is required, but none came.
    #[error("client certificate required but none was sent")]
    NoClientCertificate,
    /// The client certificate leads to no CA of the listener.
    #[error("client certificate not issued by any of: {0}")]
    UnknownIssuer(String),
    /// The client certificate is bad in another way.
    #[error("client certificate refused: {0}")]
    ClientCertificate(String),
    /// Client and listener have nothing in common.
    #[error("nothing in common with the client: {0}")]
    Incompatible(String),
    /// The client ended the handshake.
    #[error("the client refused: {0:?}")]
    Alert(AlertDescription),
    /// The client went away.
    #[error("the client closed the connection during the handshake")]
    Closed,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl HandshakeFailure {
    /// Reads rustls' error out of what tokio-rustls returns.
    pub(crate) fn of(error: &io::Error, terminator: &Terminator) -> Self {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        match tls {
            Some(Error::NoCertificatesPresented) => Self::NoClientCertificate,
            Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                Self::UnknownIssuer(Self::names(&terminator.trusted))
            }
            Some(Error::InvalidCertificate(error)) => Self::ClientCertificate(in_words(error)),
            Some(Error::PeerIncompatible(
                PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            )) => Self::ClientCertificate("no signature scheme in common".to_owned()),
            Some(Error::PeerIncompatible(error)) => Self::Incompatible(format!("{error:?}")),
            Some(Error::NoApplicationProtocol) => Self::Incompatible("no ALPN protocol".to_owned()),
            Some(Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(error) => Self::Other(error.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Other(error.to_string()),
        }
    }

    fn names(trusted: &[String]) -> String {
        if trusted.is_empty() {
            "(no usable CA)".to_owned()
        } else {
            trusted.join("; ")
        }
    }

    /// What it is counted as.
    pub(crate) fn label(&self) -> Label {
        match self {
            Self::Timeout => Label::Timeout,
            Self::Hello(HelloError::Closed { .. } | HelloError::Io(_)) | Self::Closed => {
                Label::ClientClosed
            }
            Self::Hello(HelloError::TooLong | HelloError::Malformed { .. }) => Label::NotTls,
            Self::UnknownName(_) | Self::NoName => Label::UnrecognizedName,
            Self::Termination(_) => Label::NoServerCertificate,
            Self::NoClientCertificate => Label::ClientCertificateMissing,
            Self::UnknownIssuer(_) | Self::ClientCertificate(_) => Label::ClientCertificateInvalid,
            Self::Incompatible(_) => Label::Incompatible,
            Self::Alert(_) => Label::AlertReceived,
            Self::Other(_) => Label::Other,
        }
    }
}

/// What is wrong with a client's certificate.
fn in_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not meant for TLS clients"
        }
        CertificateError::BadSignature => "its key did not sign the handshake",
        CertificateError::BadEncoding => "it cannot be read",
        other => return format!("{other:?}"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::tls::{Inputs, Inside};

    fn terminator(trusted: &[&str]) -> Terminator {
        let inputs = Inputs {
            inside: Inside::Http,
            certificates: Vec::new(),
            missing: Vec::new(),
            clients: None,
        };
        Terminator {
            inputs,
            config: Err(TerminationFailure::NoCertificate(String::new())),
            trusted: trusted.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn failures_are_told_in_words() {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let two = ["CN=one", "CN=two, O=x"];
        let cases: [(Error, &[&str], &str, Label); 6] = [
            (
                Error::NoCertificatesPresented,
                &[],
                "client certificate required but none was sent",
                Label::ClientCertificateMissing,
            ),
            (
                unknown(),
                &two,
                "client certificate not issued by any of: CN=one; CN=two, O=x",
                Label::ClientCertificateInvalid,
            ),
            (
                unknown(),
                &[],
                "client certificate not issued by any of: (no usable CA)",
                Label::ClientCertificateInvalid,
            ),
            (
                Error::InvalidCertificate(CertificateError::Expired),
                &two,
                "client certificate refused: it has expired",
                Label::ClientCertificateInvalid,
            ),
            (
                Error::NoApplicationProtocol,
                &[],
                "nothing in common with the client: no ALPN protocol",
                Label::Incompatible,
            ),
            (
                Error::AlertReceived(AlertDescription::UnknownCA),
                &[],
                "the client refused: UnknownCA",
                Label::AlertReceived,
            ),
        ];
        for (error, trusted, text, label) in cases {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            let failure = HandshakeFailure::of(&error, &terminator(trusted));
            assert_eq!(failure.to_string(), text);
            assert_eq!(failure.label(), label);
        }
    }

    #[test]
    fn names_that_nobody_serves_are_named() {
        let failure = HandshakeFailure::UnknownName("x.example".to_owned());
        assert_eq!(failure.to_string(), "unknown server name x.example");
        assert_eq!(failure.label(), Label::UnrecognizedName);
    }
}
