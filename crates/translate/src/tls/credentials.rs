//! Secrets and ConfigMaps, each read once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use portcullis_api::core::{ConfigMap, Secret};
use portcullis_api::{ObjectKey, Objects};
use portcullis_ir::tls::{Certificate, TrustBundle};

use super::pair::{self, UnusableCertificate};
use super::trust::{self, UnusableBundle};
use crate::grants::Grants;

/// Where CA certificates are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    ConfigMap,
    Secret,
}

/// The certificates and CA bundles of one translation.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    objects: &'a Objects,
    /// Which of them may be referred to from where.
    pub(crate) grants: Grants<'a>,
    now: i64,
    pairs: BTreeMap<ObjectKey, Option<Certificate>>,
    bundles: BTreeMap<(Store, ObjectKey), Option<TrustBundle>>,
    recheck_at: Option<i64>,
}

/// The keys of a certificate and its private key, in the order of preference: as
/// `kubernetes.io/tls` Secrets have them, and as generic Secrets do.
const PAIR_KEYS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("cert", "key")];

/// The keys of a CA bundle, in the order of preference. The first is the specification's, the
/// second that of generic Secrets.
const CA_KEYS: [&str; 2] = ["ca.crt", "cacert"];

impl<'a> Credentials<'a> {
    pub(crate) fn new(objects: &'a Objects, now: i64) -> Self {
        Self {
            objects,
            grants: Grants::new(objects),
            now,
            pairs: BTreeMap::new(),
            bundles: BTreeMap::new(),
            recheck_at: None,
        }
    }

    /// When a certificate that was read begins or ceases to be valid next.
    pub(crate) fn recheck_at(&self) -> Option<i64> {
        self.recheck_at
    }

    /// The certificate of a Secret; `None` if there is no such Secret.
    pub(crate) fn pair(&mut self, key: &ObjectKey) -> Option<Certificate> {
        if let Some(known) = self.pairs.get(key) {
            return known.clone();
        }
        let read = self.read_pair(key);
        self.pairs.insert(key.clone(), read.clone());
        read
    }

    /// The CA bundle of a ConfigMap or Secret; `None` if there is no such object.
    pub(crate) fn bundle(&mut self, store: Store, key: &ObjectKey) -> Option<TrustBundle> {
        let objects = self.objects;
        match self.bundles.entry((store, key.clone())) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(slot) => slot.insert(read_bundle(objects, store, key)).clone(),
        }
    }

    /// Whether a Secret holds a CA bundle, good or bad.
    pub(crate) fn holds_ca(&self, key: &ObjectKey) -> bool {
        let secret = self.objects.secrets.get(key);
        secret.is_some_and(|secret| CA_KEYS.iter().any(|name| entry(secret, name).is_some()))
    }

    fn read_pair(&mut self, key: &ObjectKey) -> Option<Certificate> {
        let secret = self.objects.secrets.get(key)?;
        let name = format!("Secret {key}");
        let reading = match pair_of(secret) {
            Ok((chain, private)) => pair::certificate(&chain, &private, self.now),
            Err(reason) => {
                return Some(Certificate::Unusable {
                    reason: format!("{name} {reason}"),
                });
            }
        };
        self.note_validity(&reading);
        Some(pair::lower(reading, &name))
    }

    /// What a certificate's validity says about when to look again.
    fn note_validity(
        &mut self,
        reading: &Result<Arc<portcullis_ir::tls::CertificateChain>, UnusableCertificate>,
    ) {
        let next = match reading {
            Ok(chain) => Some(chain.leaf.not_after.saturating_add(1)),
            Err(UnusableCertificate::NotYetValid { not_before, .. }) => Some(*not_before),
            Err(_) => None,
        };
        if let Some(next) = next {
            self.recheck_at = Some(self.recheck_at.map_or(next, |known| known.min(next)));
        }
    }
}

type Pair<'a> = (std::borrow::Cow<'a, [u8]>, std::borrow::Cow<'a, [u8]>);

fn pair_of(secret: &Secret) -> Result<Pair<'_>, String> {
    for (chain, private) in PAIR_KEYS {
        match (entry(secret, chain), entry(secret, private)) {
            (Some(chain), Some(private)) => return Ok((chain, private)),
            (Some(_), None) => return Err(format!("has the key {chain} but not {private}")),
            (None, Some(_)) => return Err(format!("has the key {private} but not {chain}")),
            (None, None) => {}
        }
    }
    let keys = keys_of(secret);
    Err(format!(
        "has neither tls.crt and tls.key nor cert and key; {}",
        if keys.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("its keys are {}", keys.join(", "))
        }
    ))
}

/// An entry of a Secret. `stringData` is what a folder may hold; the API server folds it into
/// `data`, over which it wins.
fn entry<'a>(secret: &'a Secret, key: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
    let text = secret.string_data.as_ref().and_then(|data| data.get(key));
    if let Some(text) = text {
        return Some(text.as_bytes().into());
    }
    let bytes = secret.data.as_ref()?.get(key)?;
    Some(bytes.0.as_slice().into())
}

fn keys_of(secret: &Secret) -> Vec<&str> {
    let data = secret.data.iter().flatten().map(|(key, _)| key.as_str());
    let text = secret.string_data.iter().flatten();
    let mut keys: Vec<_> = data.chain(text.map(|(key, _)| key.as_str())).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn read_bundle(objects: &Objects, store: Store, key: &ObjectKey) -> Option<TrustBundle> {
    let (kind, text) = match store {
        Store::ConfigMap => {
            let map = objects.config_maps.get(key)?;
            let text = CA_KEYS.iter().find_map(|name| config_entry(map, name));
            ("ConfigMap", text)
        }
        Store::Secret => {
            let secret = objects.secrets.get(key)?;
            let text = CA_KEYS.iter().find_map(|name| entry(secret, name));
            ("Secret", text)
        }
    };
    let Some(text) = text else {
        return Some(TrustBundle::Unusable {
            reason: format!("{kind} {key} has no key ca.crt"),
        });
    };
    Some(lower_bundle(
        &format!("{kind} {key}"),
        trust::trust_bundle(&text),
    ))
}

fn config_entry<'a>(map: &'a ConfigMap, key: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
    if let Some(text) = map.data.as_ref().and_then(|data| data.get(key)) {
        return Some(text.as_bytes().into());
    }
    let bytes = map.binary_data.as_ref()?.get(key)?;
    Some(bytes.0.as_slice().into())
}

fn lower_bundle(
    object: &str,
    reading: Result<Arc<portcullis_ir::tls::TrustAnchors>, UnusableBundle>,
) -> TrustBundle {
    match reading {
        Ok(anchors) => TrustBundle::Usable(anchors),
        Err(why) => TrustBundle::Unusable {
            reason: format!("{object} {why}"),
        },
    }
}

#[cfg(test)]
mod tests;
