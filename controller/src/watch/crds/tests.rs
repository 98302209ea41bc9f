use serde_json::json;

use super::*;

fn crd(name: &str, versions: &[(&str, bool)], established: &str) -> (Arc<str>, Definition) {
    let versions = versions.iter();
    let versions: Vec<_> = versions
        .map(|(name, served)| json!({"name": name, "served": served, "storage": true}))
        .collect();
    let json = json!({
        "metadata": {
            "name": name,
            "annotations": {"gateway.networking.k8s.io/bundle-version": "v1.4.1"},
        },
        "spec": {"group": "g", "names": {}, "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    });
    let sighting: Sighting = serde_json::from_value(json).unwrap();
    (name.into(), Definition::of(&sighting).unwrap())
}

#[test]
fn the_newest_version_that_is_served_and_read_is_watched() {
    struct Case {
        name: &'static str,
        kind: Kind,
        crd: (Arc<str>, Definition),
        plan: Plan,
    }
    let tcp = "tcproutes.gateway.networking.k8s.io";
    let grants = "referencegrants.gateway.networking.k8s.io";
    let cases = [
        Case {
            name: "only an old version",
            kind: Kind::TcpRoute,
            crd: crd(tcp, &[("v1alpha2", true)], "True"),
            plan: Plan::Watched("v1alpha2"),
        },
        Case {
            name: "both",
            kind: Kind::TcpRoute,
            crd: crd(tcp, &[("v1alpha2", true), ("v1", true)], "True"),
            plan: Plan::Watched("v1"),
        },
        Case {
            name: "the newest is not served",
            kind: Kind::ReferenceGrant,
            crd: crd(grants, &[("v1", false), ("v1beta1", true)], "True"),
            plan: Plan::Watched("v1beta1"),
        },
        Case {
            name: "only one of tomorrow",
            kind: Kind::TcpRoute,
            crd: crd(tcp, &[("v2", true)], "True"),
            plan: Plan::Absent,
        },
        Case {
            name: "not established yet",
            kind: Kind::TcpRoute,
            crd: crd(tcp, &[("v1", true)], "False"),
            plan: Plan::Absent,
        },
        Case {
            name: "another kind's",
            kind: Kind::UdpRoute,
            crd: crd(tcp, &[("v1", true)], "True"),
            plan: Plan::Absent,
        },
    ];
    for Case {
        name,
        kind,
        crd,
        plan,
    } in cases
    {
        let catalogue = Catalogue {
            definitions: [crd].into(),
        };
        assert_eq!(catalogue.plan(kind), plan, "{name}");
    }
}

#[test]
fn a_crd_that_was_just_made_serves_nothing_yet() {
    for status in [json!(null), json!({"conditions": null}), json!({})] {
        let versions = [json!({"name": "v1", "served": true})];
        let json = json!({
            "metadata": {"name": "a"},
            "spec": {"versions": versions},
            "status": status,
        });
        let sighting: Sighting = serde_json::from_value(json).unwrap();
        assert!(Definition::of(&sighting).unwrap().served.is_empty());
    }
}

#[test]
fn bundle_versions_are_those_of_the_gateway_api_and_no_other() {
    let names = [
        "gateways.gateway.networking.k8s.io",
        "xmeshes.gateway.networking.x-k8s.io",
        "gatewayparameters.portcullis.dev",
    ];
    let catalogue = Catalogue {
        definitions: names.map(|name| crd(name, &[], "True")).into(),
    };
    let versions = catalogue.bundle_versions();
    let told: Vec<&str> = versions.keys().map(String::as_str).collect();
    assert_eq!(told, names[..2]);
    assert_eq!(versions[names[0]].as_deref(), Some("v1.4.1"));
}
