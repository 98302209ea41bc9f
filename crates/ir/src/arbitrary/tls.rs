//! TLS settings, certificates and trust. The bytes are not DER: nobody here parses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::action::text;
use super::{certificate_id, trust_bundle_id};
use crate::hostname::HostPattern;
use crate::ident::{CertificateId, TrustBundleId};
use crate::listener::ListenerProtocol;
use crate::tls::{
    BackendTls, BackendTrust, Certificate, CertificateChain, CertificateInfo, ClientValidation,
    ClientValidationMode, Secret, SubjectAltName, TlsTermination, TrustAnchors, TrustBundle,
};

/// A protocol of a TLS port.
pub(super) fn listener_protocol() -> impl Strategy<Value = ListenerProtocol> {
    prop_oneof![
        3 => termination().prop_map(ListenerProtocol::Https),
        1 => termination().prop_map(ListenerProtocol::TlsTerminate),
        1 => Just(ListenerProtocol::TlsPassthrough),
    ]
}

pub(super) fn certificates() -> impl Strategy<Value = BTreeMap<CertificateId, Certificate>> {
    let usable = (vec(der(), 1..3), der(), info()).prop_map(|(chain, key, leaf)| {
        let key = Secret::new(key);
        Certificate::Usable(Arc::new(CertificateChain { chain, key, leaf }))
    });
    let unusable = text().prop_map(|reason| Certificate::Unusable { reason });
    btree_map(certificate_id(), prop_oneof![usable, unusable], 0..3)
}

pub(super) fn trust_bundles() -> impl Strategy<Value = BTreeMap<TrustBundleId, TrustBundle>> {
    let usable = vec((der(), info()), 1..3).prop_map(|pairs| {
        let (certificates, info) = pairs.into_iter().unzip();
        TrustBundle::Usable(Arc::new(TrustAnchors { certificates, info }))
    });
    let unusable = text().prop_map(|reason| TrustBundle::Unusable { reason });
    btree_map(trust_bundle_id(), prop_oneof![usable, unusable], 0..3)
}

fn termination() -> impl Strategy<Value = TlsTermination> {
    let modes = vec![
        ClientValidationMode::AllowValidOnly,
        ClientValidationMode::AllowInsecureFallback,
    ];
    let validation = (vec(trust_bundle_id(), 0..3), select(modes))
        .prop_map(|(trust, mode)| ClientValidation { trust, mode });
    (vec(certificate_id(), 1..3), option::of(validation)).prop_map(
        |(certificates, client_validation)| TlsTermination {
            certificates,
            client_validation,
        },
    )
}

pub(super) fn backend_tls() -> impl Strategy<Value = BackendTls> {
    let names = vec![HostPattern::parse("a.com"), HostPattern::parse("*.b.a.com")];
    let names: Vec<_> = names.into_iter().flatten().collect();
    let name = prop_oneof![
        select(names).prop_map(SubjectAltName::Dns),
        select(vec!["spiffe://a.com/ns/b", "urn:c"])
            .prop_map(|uri| SubjectAltName::Uri(uri.into())),
    ];
    let trust = prop_oneof![
        Just(BackendTrust::System),
        vec(trust_bundle_id(), 1..3).prop_map(BackendTrust::Bundles),
    ];
    let hostname = select(vec!["a.com", "b.a.com"]);
    (
        hostname,
        vec(name, 0..3),
        trust,
        option::of(certificate_id()),
    )
        .prop_map(
            |(hostname, subject_alt_names, trust, client_certificate)| BackendTls {
                hostname: hostname.into(),
                subject_alt_names,
                trust,
                client_certificate,
            },
        )
}

fn der() -> impl Strategy<Value = Arc<[u8]>> {
    vec(any::<u8>(), 0..8).prop_map(Arc::from)
}

fn info() -> impl Strategy<Value = CertificateInfo> {
    let names = vec(text(), 0..2);
    (text(), text(), names, any::<(i64, i64)>(), text()).prop_map(
        |(subject, issuer, subject_alt_names, (not_before, not_after), serial)| CertificateInfo {
            subject,
            issuer,
            subject_alt_names,
            not_before,
            not_after,
            serial,
        },
    )
}
