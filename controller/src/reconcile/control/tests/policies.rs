//! BackendTLSPolicies and the CA certificates they name.

use super::*;

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
";

const POLICY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: tls, namespace: default, generation: 1}
spec:
  targetRefs: [{group: '', kind: Service, name: web}]
  validation:
    hostname: web.example.com
    caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]
";

const BUNDLE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: tls, namespace: default, generation: 1}
spec:
  targetRefs: [{group: '', kind: Service, name: web}]
  validation:
    hostname: web.example.com
    caCertificateRefs: [{group: certificates.k8s.io, kind: ClusterTrustBundle, name: all}]
";

fn reason(step: &Step, kind: &str) -> Option<String> {
    let status = wanted(step, Kind::BackendTlsPolicy)?;
    let conditions = status["ancestors"][0]["conditions"].as_array()?;
    let condition = conditions.iter().find(|it| it["type"] == kind)?;
    Some(condition["reason"].as_str()?.to_owned())
}

#[test]
fn nothing_is_told_or_published_before_a_policys_ca_is_known() {
    let mut bench = Bench::programmed();
    bench.put(SERVICE);
    bench.put(ROUTE);
    assert_eq!(bench.step().publish.len(), 1);
    bench.put(POLICY);
    let step = bench.step();
    let asked = step.references.as_ref().unwrap();
    assert!(asked.config_maps.contains(&ObjectKey::new("default", "ca")));
    assert!(step.publish.is_empty());
    assert_eq!(wanted(&step, Kind::BackendTlsPolicy), None);
    assert_eq!(wanted(&step, Kind::HttpRoute), None);

    bench.take(Kind::ConfigMap, "ca");
    let step = bench.step();
    assert_eq!(step.publish.len(), 1);
    assert_eq!(
        reason(&step, "Accepted").as_deref(),
        Some("NoValidCACertificate")
    );
    assert!(wanted(&step, Kind::HttpRoute).is_some());
}

#[test]
fn a_cluster_without_cluster_trust_bundles_says_so_until_it_has_them() {
    let mut bench = Bench::programmed();
    bench
        .control
        .watched(watch::Event::Absent(Kind::ClusterTrustBundle));
    bench.put(SERVICE);
    bench.put(ROUTE);
    bench.put(BUNDLE);
    assert_eq!(
        reason(&bench.step(), "ResolvedRefs").as_deref(),
        Some("InvalidKind")
    );
    bench
        .control
        .watched(watch::Event::InSync(Kind::ClusterTrustBundle));
    let step = bench.step();
    assert_eq!(
        reason(&step, "ResolvedRefs").as_deref(),
        Some("InvalidCACertificateRef")
    );
    let class = wanted(&step, Kind::GatewayClass).unwrap();
    let features = class["supportedFeatures"].as_array().unwrap();
    assert!(features.contains(&json!({"name": "ClusterTrustBundle"})));
}
