//! Certificates and keys that cannot be used.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::Scene;

const HTTPS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: tls
spec:
  gatewayClassName: portcullis
  listeners:
  - name: plain
    port: 81
    protocol: HTTP
  - name: https
    hostname: tls.example.com
    port: 443
    protocol: HTTPS
    tls:
      certificateRefs:
      - name: credential
";

/// Keys and values of a Secret.
type Values<'a> = Vec<(&'a str, &'a str)>;

struct Pair {
    certificate: String,
    key: String,
}

fn pair(last_year: i32) -> Pair {
    let mut params = CertificateParams::new(vec!["tls.example.com".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}

fn secret(values: &[(&str, &str)]) -> String {
    let head = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: credential\nstringData:\n";
    let value = |(key, text): &(&str, &str)| {
        let lines = text.lines().flat_map(|line| ["    ", line, "\n"]);
        let lines: String = lines.collect();
        format!("  {key}: |\n{lines}")
    };
    head.to_owned() + &values.iter().map(value).collect::<String>()
}

#[test]
fn bad_credentials_are_named_in_words_and_the_last_good_one_is_served() {
    let scene = Scene::new();
    let (good, other, expired) = (pair(2100), pair(2100), pair(2002));
    scene.folder.write("tls.yaml", HTTPS);
    let resolved = |status: &str, words: &[&str]| {
        scene
            .process
            .until_condition(("Gateway", "tls"), ("ResolvedRefs", status), words);
    };
    let handshake = || {
        let address = scene.process.port("default/tls", 443).to_string();
        let arguments = [
            "s_client",
            "-connect",
            &address,
            "-servername",
            "tls.example.com",
        ];
        let done = std::process::Command::new("openssl")
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl is installed (make deps)");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let in_one_line = |pem: &str| pem.replace(['\r', '\n'], "");
    let serves = |certificate: &str| in_one_line(&handshake()).contains(&in_one_line(certificate));

    resolved("False", &["default/credential", "does not exist"]);
    let good_secret = secret(&[("tls.crt", &good.certificate), ("tls.key", &good.key)]);
    scene.folder.write("secret.yaml", &good_secret);
    scene
        .process
        .until("the certificate is served", || serves(&good.certificate));

    let cases: [(&str, Values<'_>, &str); 5] = [
        (
            "missing key",
            vec![("tls.crt", &good.certificate)],
            "tls.key",
        ),
        (
            "mismatched key",
            vec![("tls.crt", &other.certificate), ("tls.key", &good.key)],
            "does not belong to its certificate",
        ),
        (
            "garbage certificate",
            vec![("tls.crt", "garbage"), ("tls.key", &good.key)],
            "certificate file that is not PEM",
        ),
        (
            "garbage key",
            vec![("tls.crt", &good.certificate), ("tls.key", "garbage")],
            "key file that is not PEM",
        ),
        (
            "expired",
            vec![("tls.crt", &expired.certificate), ("tls.key", &expired.key)],
            "expired",
        ),
    ];
    for (name, values, word) in cases {
        scene.folder.write("secret.yaml", &secret(&values));
        resolved("False", &[word]);
        assert!(
            serves(&good.certificate),
            "{name}: the last good certificate is served on"
        );
        scene.folder.write("secret.yaml", &good_secret);
        scene.process.until("it is mended", || {
            let object = scene.process.object("Gateway", "tls").unwrap();
            object["status"]["listeners"][1]["conditions"]
                .as_array()
                .unwrap()
                .iter()
                .all(|it| it["type"] != "ResolvedRefs" || it["status"] == "True")
        });
    }
    scene.end();
}
