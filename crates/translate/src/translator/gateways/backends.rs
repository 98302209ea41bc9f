//! What one Gateway's data planes get of backends.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_ir::tls::{BackendTls, BackendTrust, TrustBundle};
use portcullis_ir::{Backend, BackendId, CertificateId, SharedMap, TrustBundleId};

use super::super::{Change, put};
use super::add;
use crate::backends::Backends;
use crate::policies::Bundles;

/// The backends that a Gateway's routes name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// How many of its routes name each, be it to be had or not.
    counts: BTreeMap<BackendId, i32>,
    /// Those that can be had.
    backends: SharedMap<BackendId, Arc<Backend>>,
    /// The CA bundles that `backends` name, each with how many of them do.
    bundles: BTreeMap<TrustBundleId, (TrustBundle, usize)>,
    /// What is presented to `backends` that ask for a certificate.
    client_certificate: Option<CertificateId>,
}

impl Named {
    /// Those that can be had.
    pub(super) fn backends(&self) -> &SharedMap<BackendId, Arc<Backend>> {
        &self.backends
    }

    /// The CA bundles that they name.
    pub(super) fn bundles(&self) -> impl Iterator<Item = (TrustBundleId, TrustBundle)> {
        let bundles = self.bundles.iter();
        bundles.map(|(id, (bundle, _))| (id.clone(), bundle.clone()))
    }

    /// By so many more routes name a backend.
    pub(super) fn count(&mut self, id: &BackendId, by: i32) {
        add(&mut self.counts, id.clone(), by);
    }

    /// Takes a backend as it is now, or that it is not named any more.
    pub(super) fn take(&mut self, id: &BackendId, all: &Backends) -> Change {
        let found = self.counts.get(id).and_then(|_| all.find(id));
        let change = self.trust(id, found.map(|resolved| &resolved.bundles));
        let shown = self.client_certificate.as_ref();
        let backend = found.map(|resolved| presenting(&resolved.backend, shown));
        change.max(put(&mut self.backends, id, backend))
    }

    /// Trusts what a backend names now, and no more what it named.
    fn trust(&mut self, id: &BackendId, bundles: Option<&Bundles>) -> Change {
        let before = self.backends.get(id).cloned();
        let before = before.iter().flat_map(|backend| trusted(backend));
        let mut change = Change::None;
        for (name, bundle) in bundles.into_iter().flatten() {
            let none = || (bundle.clone(), 0);
            let (known, count) = self.bundles.entry(name.clone()).or_insert_with(none);
            if *count == 0 || known != bundle {
                known.clone_from(bundle);
                change = Change::Some;
            }
            *count += 1;
        }
        for name in before {
            let count = self.bundles.get_mut(name).map(|(_, count)| {
                *count = count.saturating_sub(1);
                *count
            });
            if count == Some(0) {
                self.bundles.remove(name);
                change = Change::Some;
            }
        }
        change
    }

    /// Presents another certificate to them, or none.
    pub(super) fn present(&mut self, shown: Option<&CertificateId>) -> Change {
        let mut change = Change::None;
        if self.client_certificate.as_ref() == shown {
            return change;
        }
        self.client_certificate = shown.cloned();
        let over_tls = self.backends.iter().filter(|(_, it)| it.tls.is_some());
        let changed = over_tls.map(|(id, backend)| (id.clone(), presenting(backend, shown)));
        for (id, backend) in changed.collect::<Vec<_>>() {
            change = change.max(put(&mut self.backends, &id, Some(backend)));
        }
        change
    }
}

/// The CA bundles that a backend names.
fn trusted(backend: &Backend) -> &[TrustBundleId] {
    match backend.tls.as_deref().map(|tls| &tls.trust) {
        Some(BackendTrust::Bundles(ids)) => ids,
        Some(BackendTrust::System) | None => &[],
    }
}

/// A backend to which a Gateway presents a certificate. "It is applied to all services." (GEP-3155)
fn presenting(backend: &Arc<Backend>, shown: Option<&CertificateId>) -> Arc<Backend> {
    match backend.tls.as_deref() {
        Some(tls) if tls.client_certificate.as_ref() != shown => {
            let tls = BackendTls {
                client_certificate: shown.cloned(),
                ..tls.clone()
            };
            Arc::new(Backend {
                tls: Some(Arc::new(tls)),
                ..(**backend).clone()
            })
        }
        _ => Arc::clone(backend),
    }
}
