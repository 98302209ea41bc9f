//! What is counted of TLS to backends.

use rustls::HandshakeKind;

use super::{Counter, PerVariant, labels};

/// What one Gateway's data plane counts of TLS to its backends.
#[derive(Debug, Default)]
pub struct BackendTlsMetrics {
    /// Handshakes in which the backend's certificate was checked.
    pub full: Counter,
    /// Handshakes that went on with an earlier session.
    pub resumed: Counter,
    /// Handshakes that failed or could not be tried, by reason.
    pub failures: PerVariant<BackendTlsFailure, Counter>,
}

impl BackendTlsMetrics {
    /// Counts a handshake that was completed.
    pub fn succeeded(&self, kind: Option<HandshakeKind>) {
        match kind {
            Some(HandshakeKind::Resumed) => self.resumed.increment(),
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) | None => {
                self.full.increment();
            }
        }
    }
}

labels! {
    /// Why a TLS handshake with a backend failed.
    pub enum BackendTlsFailure {
        /// No CA certificate, or no client certificate, to connect with.
        NotSetUp = "not_set_up",
        /// The backend's chain leads to none of the CAs.
        UnknownIssuer = "unknown_issuer",
        /// The backend's certificate is for other names.
        NameMismatch = "name_mismatch",
        /// The backend's certificate has expired, or is not valid yet.
        NotValidNow = "not_valid_now",
        /// The backend's certificate is bad in another way.
        CertificateInvalid = "certificate_invalid",
        /// The backend wants a client certificate and got none.
        ClientCertificateRequired = "client_certificate_required",
        /// The backend ended the handshake with another alert.
        AlertReceived = "alert_received",
        /// The backend does not speak TLS.
        NotTls = "not_tls",
        /// No version, cipher suite, key exchange or protocol in common.
        Incompatible = "incompatible",
        /// The backend took too long.
        Timeout = "timeout",
        /// The backend went away.
        BackendClosed = "backend_closed",
        /// Anything else.
        Other = "other",
    }
}
