//! In which versions the cluster serves the kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portcullis_api::Kind;

/// The version in which each kind is to be asked for; shared by those who ask.
#[derive(Clone, Debug, Default)]
pub struct Served(Arc<Mutex<BTreeMap<Kind, &'static str>>>);

impl Served {
    /// The version that the cluster serves, of those that are read; the first of them while it is
    /// not known.
    pub fn version(&self, kind: Kind) -> &'static str {
        let known = self.0.lock().get(&kind).copied();
        let first = || kind.versions().first().copied();
        known.or_else(first).unwrap_or_default()
    }

    pub(super) fn note(&self, kind: Kind, version: &'static str) {
        self.0.lock().insert(kind, version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_asked_for_as_it_is_served() {
        let served = Served::default();
        let shared = served.clone();
        assert_eq!(shared.version(Kind::TlsRoute), "v1");
        served.note(Kind::TlsRoute, "v1alpha3");
        assert_eq!(shared.version(Kind::TlsRoute), "v1alpha3");
        assert_eq!(shared.version(Kind::Gateway), "v1");
    }
}
