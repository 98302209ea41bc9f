//! The TLS clients of all backends, from one snapshot to the next.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use portcullis_ir::tls::{BackendTls, BackendTrust};
use portcullis_ir::{Backend, TrustBundleId};

use super::failure::SetupFailure;
use super::roots::Roots;
use super::{Inputs, TlsClient, TrustInputs};
use crate::listener::tls::Credentials;
use crate::metrics::GatewayMetrics;

/// What clients are made from when a snapshot is applied.
pub(crate) struct Setup<'a> {
    /// The certificates and bundles in force.
    pub(crate) credentials: &'a Credentials,
    /// Where handshakes are counted.
    pub(crate) metrics: &'a GatewayMetrics,
}

/// The CAs in use, so that backends which trust the same share them. `None` is the system's.
#[derive(Debug, Default)]
pub(crate) struct TrustStores(Mutex<BTreeMap<Option<Vec<TrustBundleId>>, Weak<Roots>>>);

impl TrustStores {
    /// The client for `backend`; `before` if nothing has changed for it. `None` for a backend in
    /// clear text.
    pub(crate) fn client(
        &self,
        backend: &Backend,
        setup: &Setup<'_>,
        before: Option<&Arc<TlsClient>>,
    ) -> Option<Arc<TlsClient>> {
        let inputs = setup.inputs(backend)?;
        if let Some(same) = before.filter(|client| client.inputs == inputs) {
            return Some(Arc::clone(same));
        }
        let roots = self.roots(&inputs);
        let metrics = Arc::clone(&setup.metrics.backend_tls);
        let client = TlsClient::new(inputs, roots, metrics);
        if let Some(failure) = client.unusable() {
            tracing::warn!(hostname = %client.inputs.policy.hostname, %failure, "no TLS to a backend");
        }
        Some(Arc::new(client))
    }

    fn roots(&self, inputs: &Inputs) -> Result<Arc<Roots>, SetupFailure> {
        let mut known = self.0.lock();
        known.retain(|_, roots| roots.strong_count() > 0);
        let key = inputs.named_bundles().map(<[_]>::to_vec);
        let in_use = known.get(&key).and_then(Weak::upgrade);
        let roots = match (&inputs.trust, in_use) {
            (TrustInputs::System, Some(roots)) => return Ok(roots),
            (TrustInputs::Bundles(bundles), Some(roots)) if roots.bundles == *bundles => {
                return Ok(roots);
            }
            (TrustInputs::System, None) => Roots::of_system(),
            (TrustInputs::Bundles(bundles), _) => Roots::of(bundles),
        };
        let roots = Arc::new(roots?);
        known.insert(key, Arc::downgrade(&roots));
        Ok(roots)
    }
}

#[cfg(test)]
impl TrustStores {
    /// How many sets of CAs are in use.
    pub(super) fn known(&self) -> usize {
        let known = self.0.lock();
        known
            .values()
            .filter(|roots| roots.strong_count() > 0)
            .count()
    }
}

impl Setup<'_> {
    fn inputs(&self, backend: &Backend) -> Option<Inputs> {
        let policy = backend.tls.as_ref()?;
        let BackendTls {
            hostname: _,
            subject_alt_names: _,
            trust,
            client_certificate,
        } = &**policy;
        let trust = match trust {
            BackendTrust::System => TrustInputs::System,
            BackendTrust::Bundles(ids) => {
                let in_force = |id: &TrustBundleId| {
                    let anchors = self.credentials.bundle(id)?;
                    Some((id.clone(), Arc::clone(anchors)))
                };
                TrustInputs::Bundles(ids.iter().filter_map(in_force).collect())
            }
        };
        let certificate = client_certificate.as_ref();
        let certificate = certificate.and_then(|id| self.credentials.certificate(id));
        Some(Inputs {
            policy: Arc::clone(policy),
            protocol: backend.protocol,
            trust,
            certificate: certificate.cloned(),
        })
    }
}
