//! Secrets and ConfigMaps, each read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::core::{ConfigMap, Secret};
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::tls::{Certificate, TrustBundle};

use super::pair::{self, UnusableCertificate};
use super::trust::{self, UnusableBundle};
use crate::world::World;

/// Where CA certificates are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Store {
    ConfigMap,
    Secret,
}

/// Certificates and CA bundles that were read, until their objects change.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pairs: BTreeMap<ObjectKey, Pair>,
    bundles: BTreeMap<(Store, ObjectKey), TrustBundle>,
}

/// A certificate as it was read.
#[derive(Clone, Debug)]
struct Pair {
    certificate: Certificate,
    /// When it was read.
    at: i64,
    /// When time alone will change it.
    next: Option<i64>,
}

impl Pair {
    fn holds_at(&self, now: i64) -> bool {
        self.at <= now && self.next.is_none_or(|next| now < next)
    }
}

impl Known {
    /// An object changed.
    pub(crate) fn forget(&mut self, kind: Kind, key: &ObjectKey) {
        let store = match kind {
            Kind::Secret => Store::Secret,
            Kind::ConfigMap => Store::ConfigMap,
            _ => return,
        };
        self.bundles.remove(&(store, key.clone()));
        if store == Store::Secret {
            self.pairs.remove(key);
        }
    }
}

/// The certificates and CA bundles that Gateways name.
#[derive(Debug)]
pub(crate) struct Credentials<'a> {
    pub(crate) world: &'a World<'a>,
    known: Known,
    now: i64,
    recheck_at: Option<i64>,
}

/// The keys of a certificate and its private key, in the order of preference: as
/// `kubernetes.io/tls` Secrets have them, and as generic Secrets do.
const PAIR_KEYS: [(&str, &str); 2] = [("tls.crt", "tls.key"), ("cert", "key")];

/// The keys of a CA bundle, in the order of preference. The first is the specification's, the
/// second that of generic Secrets.
const CA_KEYS: [&str; 2] = ["ca.crt", "cacert"];

impl<'a> Credentials<'a> {
    pub(crate) fn new(world: &'a World<'a>, known: Known, now: i64) -> Self {
        Self {
            world,
            known,
            now,
            recheck_at: None,
        }
    }

    /// When a certificate that was asked for since the last call begins or ceases to be valid.
    pub(crate) fn take_recheck_at(&mut self) -> Option<i64> {
        self.recheck_at.take()
    }

    /// What was read, for the next translation.
    pub(crate) fn into_known(self) -> Known {
        self.known
    }

    /// The certificate of a Secret; `None` if there is no such Secret.
    pub(crate) fn pair(&mut self, key: &ObjectKey) -> Option<Certificate> {
        let secret = self.world.secret(key)?;
        let known = self.known.pairs.get(key);
        let known = known.filter(|pair| pair.holds_at(self.now)).cloned();
        let pair = known.unwrap_or_else(|| {
            let read = read_pair(key, secret, self.now);
            self.known.pairs.insert(key.clone(), read.clone());
            read
        });
        self.recheck_at = self.recheck_at.into_iter().chain(pair.next).min();
        Some(pair.certificate)
    }

    /// The CA bundle of a ConfigMap or Secret; `None` if there is no such object.
    pub(crate) fn bundle(&mut self, store: Store, key: &ObjectKey) -> Option<TrustBundle> {
        let source = match store {
            Store::ConfigMap => Source::ConfigMap(self.world.config_map(key)?),
            Store::Secret => Source::Secret(self.world.secret(key)?),
        };
        let bundle = self.known.bundles.entry((store, key.clone()));
        Some(bundle.or_insert_with(|| read_bundle(key, source)).clone())
    }

    /// Whether a Secret holds a CA bundle, good or bad.
    pub(crate) fn holds_ca(&self, key: &ObjectKey) -> bool {
        let secret = self.world.secret(key);
        secret.is_some_and(|secret| CA_KEYS.iter().any(|name| entry(secret, name).is_some()))
    }
}

fn read_pair(key: &ObjectKey, secret: &Secret, now: i64) -> Pair {
    let name = format!("Secret {key}");
    let (certificate, next) = match pair_of(secret) {
        Ok((chain, private)) => {
            let reading = pair::certificate(&chain, &private, now);
            let next = next_look(&reading);
            (pair::lower(reading, &name), next)
        }
        Err(reason) => {
            let reason = format!("{name} {reason}");
            (Certificate::Unusable { reason }, None)
        }
    };
    Pair {
        certificate,
        at: now,
        next,
    }
}

/// What a certificate's validity says about when to look again.
fn next_look(
    reading: &Result<Arc<portcullis_ir::tls::CertificateChain>, UnusableCertificate>,
) -> Option<i64> {
    match reading {
        Ok(chain) => Some(chain.leaf.not_after.saturating_add(1)),
        Err(UnusableCertificate::NotYetValid { not_before, .. }) => Some(*not_before),
        Err(_) => None,
    }
}

type Texts<'a> = (std::borrow::Cow<'a, [u8]>, std::borrow::Cow<'a, [u8]>);

fn pair_of(secret: &Secret) -> Result<Texts<'_>, String> {
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

/// An object that may hold CA certificates.
#[derive(Clone, Copy)]
enum Source<'a> {
    ConfigMap(&'a ConfigMap),
    Secret(&'a Secret),
}

fn read_bundle(key: &ObjectKey, source: Source<'_>) -> TrustBundle {
    let (kind, text) = match source {
        Source::ConfigMap(map) => {
            let text = CA_KEYS.iter().find_map(|name| config_entry(map, name));
            ("ConfigMap", text)
        }
        Source::Secret(secret) => {
            let text = CA_KEYS.iter().find_map(|name| entry(secret, name));
            ("Secret", text)
        }
    };
    let Some(text) = text else {
        return TrustBundle::Unusable {
            reason: format!("{kind} {key} has no key ca.crt"),
        };
    };
    lower_bundle(&format!("{kind} {key}"), trust::trust_bundle(&text))
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
