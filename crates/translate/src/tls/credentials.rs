//! Secrets with certificates, each read once.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_api::core::Secret;
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::tls::Certificate;

use super::pair::{self, UnusableCertificate};
use crate::world::World;

/// Certificates that were read, until their objects change.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pairs: BTreeMap<ObjectKey, Pair>,
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
        if kind == Kind::Secret {
            self.pairs.remove(key);
        }
    }
}

/// The certificates that Gateways name.
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
pub(super) fn entry<'a>(secret: &'a Secret, key: &str) -> Option<std::borrow::Cow<'a, [u8]>> {
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

#[cfg(test)]
mod tests;
