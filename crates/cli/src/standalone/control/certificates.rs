//! Certificates that were replaced: good news that no status has.

use jiff::Timestamp;
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::Snapshot;
use portcullis_ir::tls::{Certificate, CertificateInfo};

use crate::status::changes::Change;
use crate::status::remarks::Verdict;

/// The certificates of `new` that another stood for in `old`.
pub(super) fn replaced(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let gateway = &new.gateway;
    let key = ObjectKey::new(gateway.namespace.clone(), gateway.name.clone());
    let replaced = new.certificates.iter().filter_map(|(id, certificate)| {
        let Certificate::Usable(chain) = certificate else {
            return None; // its status says so
        };
        let before = old.certificates.get(id)?;
        let change = || Change {
            kind: Kind::Gateway,
            key: key.clone(),
            verdict: Verdict::Good,
            sentence: format!("certificate {id} is now {}", described(&chain.leaf)),
        };
        (before != certificate).then(change)
    });
    replaced.collect()
}

/// `CN=httpbin.example.com of CN=Demo CA, valid until 2026-12-21`
fn described(leaf: &CertificateInfo) -> String {
    let CertificateInfo {
        subject,
        issuer,
        subject_alt_names: _,
        not_before: _,
        not_after,
        serial: _,
    } = leaf;
    let until =
        Timestamp::from_second(*not_after).map(|time| time.strftime("%Y-%m-%d").to_string());
    let until = until.unwrap_or_else(|_| "the end of time".to_owned());
    format!("{subject}, issued by {issuer}, valid until {until}")
}
