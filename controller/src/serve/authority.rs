//! The controller's own certificate authority.
//!
//! It is kept in a Secret, so that all replicas and later processes have the same. Data planes get
//! its certificates (the bundle) by their ConfigMap, and the server certificate is made in memory.
//!
//! [`plan`] decides, as a plain function of the time and what the Secret holds: a new authority
//! joins the bundle long before the old one ends, and signs only once every pod has had time to
//! see it. [`keep`] carries it out.

mod issue;
mod keep;
mod plan;
mod secret;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

pub use keep::{Keeper, Names};

/// How long an authority is valid.
const LIFE: Duration = Duration::from_hours(365 * 24);

/// How long a server certificate is valid; it is made anew at half of it.
const SERVER_LIFE: Duration = Duration::from_hours(24);

/// How long a certificate is in the bundle before anything is signed with it, and after: kubelets
/// bring a changed ConfigMap to their pods within about two minutes.
const OVERLAP: Duration = Duration::from_hours(1);

/// Certificates begin this much in the past, for clocks that are behind.
const BACKDATE: Duration = Duration::from_mins(5);

/// The certificates that data planes are to trust, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle(pub Arc<str>);

/// What the authority gives, now and after each change; cheap to clone.
#[derive(Clone)]
pub struct Authority {
    bundle: watch::Receiver<Option<Bundle>>,
    server: watch::Receiver<Option<Arc<CertifiedKey>>>,
}

impl Authority {
    /// What data planes are to trust; `None` until the Secret was read or made.
    pub fn bundle(&self) -> watch::Receiver<Option<Bundle>> {
        self.bundle.clone()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// The newest server certificate, at each handshake.
impl ResolvesServerCert for Authority {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.server.borrow().clone()
    }
}

/// A certificate of ours with its key.
#[derive(Clone, PartialEq, Eq)]
struct Ca {
    /// PEM.
    certificate: String,
    /// PEM; empty once nothing is signed with it any more.
    key: String,
    /// Seconds since the Unix epoch.
    not_before: i64,
    /// Seconds since the Unix epoch.
    not_after: i64,
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// What the Secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// Signs.
    current: Option<Ca>,
    /// Will sign.
    next: Option<Ca>,
    /// Has signed; without its key.
    previous: Option<Ca>,
}

impl Content {
    fn bundle(&self) -> Option<Bundle> {
        let current = self.current.as_ref()?;
        let all = [Some(current), self.next.as_ref(), self.previous.as_ref()];
        let pem = all.into_iter().flatten().map(|ca| ca.certificate.as_str());
        Some(Bundle(pem.collect::<String>().into()))
    }
}

/// Seconds of a constant above.
fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
