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
    /// The listener speaks what this data plane does not.
    #[error("the listener's protocol is not supported yet")]
    Unsupported,
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
            Some(Error::InvalidCertificate(error)) => Self::ClientCertificate(error.to_string()),
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
            Self::Unsupported | Self::Other(_) => Label::Other,
        }
    }
}
