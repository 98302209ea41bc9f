use super::UnusableCertificate::BadCertificateFile;
use super::pem::BadPem;
use super::*;

/// 2030-01-01T00:00:00Z
const NOW: i64 = 1_893_456_000;

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    #[expect(clippy::disallowed_methods, reason = "tests read their fixtures")]
    let text = std::fs::read(&path);
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read(
    chain: &str,
    key: &str,
) -> Result<std::sync::Arc<portcullis_ir::tls::CertificateChain>, UnusableCertificate> {
    certificate(&fixture(chain), &fixture(key), NOW)
}

#[test]
fn every_usual_kind_of_key_and_certificate_is_usable() {
    for (chain, key) in [
        ("rsa2048.crt", "rsa2048.key"),
        ("rsa2048.crt", "rsa2048-pkcs1.key"),
        ("rsa4096.crt", "rsa4096.key"),
        ("p256.crt", "p256.key"),
        ("p256.crt", "p256-sec1.key"),
        ("p256-crlf.crt", "p256-crlf.key"),
        ("p384.crt", "p384.key"),
        ("ed25519.crt", "ed25519.key"),
        ("v1.crt", "p256.key"),
    ] {
        let read = read(chain, key).unwrap_or_else(|why| panic!("{chain} {key}: {why}"));
        assert_eq!(read.chain.len(), 1, "{chain}");
        assert!(read.leaf.subject.contains("CN=httpbin.example.com"));
    }
}

#[test]
fn names_and_times_of_the_leaf_are_told() {
    let leaf = read("p256.crt", "p256.key").unwrap().leaf.clone();
    assert_eq!(
        leaf.subject,
        "O=httpbin organization, CN=httpbin.example.com"
    );
    assert_eq!(leaf.issuer, "O=Portcullis tests, CN=root CA");
    assert_eq!(leaf.subject_alt_names, ["httpbin.example.com", "127.0.0.1"]);
    assert_eq!(leaf.serial, "03");
    assert!(leaf.not_before < NOW && NOW < leaf.not_after);
}

#[test]
fn a_chain_in_the_wrong_order_is_put_right() {
    let right = read("chain.crt", "chained.key").unwrap();
    let reversed = read("chain-reversed.crt", "chained.key").unwrap();
    assert_eq!(right.chain.len(), 2);
    assert_eq!(reversed.chain.len(), 3);
    assert_eq!(reversed.chain[..2], right.chain[..]);
    assert_eq!(reversed.leaf, right.leaf);
}

#[test]
fn a_certificate_given_twice_is_kept_once() {
    let twice = [fixture("p256.crt"), fixture("p256.crt")].concat();
    let read = certificate(&twice, &fixture("p256.key"), NOW).unwrap();
    assert_eq!(read.chain.len(), 1);
}

#[test]
fn each_defect_has_its_own_words() {
    let refused = |chain: &str, key: &str| read(chain, key).unwrap_err().to_string();
    for (chain, key, words) in [
        (
            "p256.crt",
            "p384.key",
            "has a private key that does not belong to its certificate",
        ),
        ("expired.crt", "p256.key", "expired on 2021-01-01T00:00:00Z"),
        (
            "future.crt",
            "p256.key",
            "is not valid before 2040-01-01T00:00:00Z",
        ),
        ("p256.crt", "p256-encrypted.key", "encrypted private key"),
        (
            "rsa2048.crt",
            "rsa2048-encrypted.key",
            "encrypted private key",
        ),
        (
            "p256.key",
            "p256.key",
            "no \"CERTIFICATE\" block in its certificate file; it holds PRIVATE KEY",
        ),
        (
            "p256.crt",
            "p256.crt",
            "no private key in its key file; it holds CERTIFICATE",
        ),
        ("p256.der", "p256.key", "looks like DER"),
    ] {
        let text = refused(chain, key);
        assert!(text.contains(words), "{chain} {key}: {text}");
    }
}

#[test]
fn text_that_is_no_pem_is_told_apart() {
    let key = fixture("p256.key");
    let refused = |chain: &[u8]| certificate(chain, &key, NOW).unwrap_err();
    assert_eq!(refused(b""), BadCertificateFile(BadPem::Empty));
    assert_eq!(refused(b" \n"), BadCertificateFile(BadPem::Empty));
    assert_eq!(
        refused(b"hello"),
        BadCertificateFile(BadPem::NotPem { der: false })
    );
    let cut = fixture("p256.crt");
    assert!(matches!(
        refused(&cut[..cut.len() - 40]),
        BadCertificateFile(BadPem::NoEnd { .. })
    ));
    assert_eq!(
        refused(b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        BadCertificateFile(BadPem::Base64)
    );
    assert_eq!(
        refused(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        UnusableCertificate::MalformedCertificate { position: 1 }
    );
}

#[test]
fn a_key_without_its_line_breaks_is_refused_without_being_told() {
    let text = String::from_utf8(fixture("p256.key")).expect("PEM is text");
    let lines: Vec<&str> = text.lines().collect();
    let (chain, body) = (fixture("p256.crt"), lines[1]);
    let no_end = lines[..lines.len() - 1].join(" ");
    for key in [lines.join(" "), lines.join(""), no_end] {
        for (chain, key) in [
            (chain.as_slice(), key.as_bytes()),
            (key.as_bytes(), key.as_bytes()),
        ] {
            let why = certificate(chain, key, NOW).unwrap_err();
            let said = format!("{why} {why:?}");
            let bytes = format!("{:?}", body.as_bytes());
            for secret in [body, bytes.trim_matches(['[', ']'])] {
                assert!(!said.contains(secret), "{said}");
            }
            assert!(said.contains("line breaks"), "{said}");
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_without_panic() {
    let (chain, key) = (fixture("chain.crt"), fixture("chained.key"));
    for end in (0..chain.len()).step_by(7) {
        let _ = certificate(&chain[..end], &key, NOW);
    }
    for end in 0..key.len() - 2 {
        assert!(certificate(&chain, &key[..end], NOW).is_err(), "{end}");
    }
}

#[test]
fn a_bundle_may_hold_several_authorities() {
    let bundle = trust_bundle(&fixture("bundle-ca.crt")).unwrap();
    let subjects: Vec<_> = bundle.info.iter().map(|info| &*info.subject).collect();
    assert_eq!(
        subjects,
        [
            "O=Portcullis tests, CN=root CA",
            "O=Portcullis tests, CN=other CA"
        ]
    );
    assert_eq!(bundle.certificates.len(), 2);
}

#[test]
fn a_bundle_without_authorities_is_refused() {
    assert_eq!(
        trust_bundle(b"invalid").unwrap_err(),
        UnusableBundle::BadFile(BadPem::NotPem { der: false })
    );
    assert_eq!(
        trust_bundle(&fixture("p256.key")).unwrap_err(),
        UnusableBundle::NoCertificate {
            found: vec!["PRIVATE KEY".to_owned()]
        }
    );
}
