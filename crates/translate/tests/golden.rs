//! The golden corpus: `golden/<topic>/<case>.in.yaml` and, beside it, what becomes of it.
//!
//! Each input opens with a comment that says which rule it shows, and is valid by the CRDs'
//! schemas, unless it is in `unchecked`: what a cluster with other schemas might let through. Objects that a topic's cases share are in its `_base.yaml`. Unless a document of kind
//! `Observed` says otherwise, every Gateway has one data plane that serves its generation, and the
//! address 192.0.2.1. The clock stands at 2030-01-01.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read their files, and fail where they are not as they should be"
)]

mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corpus::{CONTROLLER, NOW, observe_all, read_checked, read_unchecked};
use portcullis_api::Kind;
use portcullis_api::gateway::{AddressType, GatewayAddress, GatewayClassStatus};
use portcullis_api::parameters::ServiceType;
use portcullis_ir::{PortKey, Snapshot, Transport};
use portcullis_translate::infra::Infra;
use portcullis_translate::{
    InfraTrouble, Inputs, Installed, ObservedDataPlane, ObservedGateway, ObservedInfra, Options,
    Output, PortFailure, translate,
};
use serde::Serialize;
use serde_json::Value;

/// What is compared.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Golden<'a> {
    statuses: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshots: Option<BTreeMap<String, &'a Snapshot>>,
    /// Only in the topic `infrastructure`, in the place of snapshots.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    infra: BTreeMap<String, &'a Infra>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recheck_at: Option<String>,
}

#[test]
fn every_input_becomes_what_is_written_beside_it() {
    insta::glob!("golden", "*/*.in.yaml", |path| {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("# "),
            "{path:?} does not say what it shows"
        );
        let output = translated(path, &text);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(path.parent().unwrap());
        settings.set_prepend_module_to_snapshot(false);
        settings.remove_snapshot_suffix();
        settings.set_omit_expression(true);
        settings.remove_input_file();
        settings.set_description(text.lines().next().unwrap().trim_start_matches("# "));
        let of_class = text.contains("kind: GatewayClass\n");
        let mut golden = golden(&output, of_class);
        if path.parent().unwrap().ends_with("infrastructure") {
            golden.snapshots = None;
        } else {
            golden.infra.clear();
        }
        settings.bind(|| insta::assert_yaml_snapshot!(case(path), golden));
    });
}

#[test]
fn every_snapshot_has_its_input() {
    let mut pairs = 0;
    for topic in folders(&corpus::folder("golden")) {
        for file in files(&topic) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if let Some(case) = name.strip_suffix(".snap") {
                let input = topic.join(format!("{case}.in.yaml"));
                assert!(input.exists(), "{name} is left over: there is no {input:?}");
                pairs += 1;
            }
        }
    }
    assert!(pairs >= 60, "only {pairs} pairs");
}

fn translated(path: &Path, text: &str) -> Output {
    let base = path.with_file_name("_base.yaml");
    let base = std::fs::read_to_string(base).unwrap_or_default();
    let is = |kind: &'static str| move |document: &&str| document.contains(kind);
    let documents = text.split("\n---\n");
    let (observed, documents): (Vec<_>, Vec<_>) = documents.partition(is("kind: Observed\n"));
    let documents = documents.into_iter();
    let (installed, manifests): (Vec<_>, Vec<_>) = documents.partition(is("kind: Installed\n"));
    let mut objects = read_checked("_base.yaml", &base);
    let manifests = manifests.join("\n---\n");
    if path.parent().unwrap().ends_with("unchecked") {
        let read = read_unchecked(&manifests);
        let documents = manifests.split("\n---\n").count();
        assert_eq!(read.len(), documents, "{}", path.display());
        objects.extend(read);
    } else {
        objects.extend(read_checked(&case(path), &manifests).iter());
    }
    let mut seen = observe_all(&objects);
    for document in observed {
        seen.extend([observed_gateway(document)]);
    }
    let inputs = Inputs {
        objects: &objects,
        observed: &seen,
        now: NOW,
    };
    let mut options = Options::new(CONTROLLER);
    for document in installed {
        options.installed = crds(document);
        options.absent = absent(document);
    }
    translate(&inputs, &options)
}

/// `crds` of an `Installed` document, each with its bundle version or null.
fn crds(document: &str) -> Installed {
    let values = portcullis_api::manifest::values(document).unwrap();
    let crds = values[0]["crds"].as_object().unwrap().iter();
    let version = |version: &Value| version.as_str().map(str::to_owned);
    let crds = crds.map(|(name, value)| (name.clone(), version(value)));
    Installed::Crds(Arc::new(crds.collect()))
}

/// `absent` of an `Installed` document: kinds.
fn absent(document: &str) -> BTreeSet<Kind> {
    let values = portcullis_api::manifest::values(document).unwrap();
    let kinds = values[0]["absent"].as_array().into_iter().flatten();
    let kind = |name: &Value| Kind::ALL.into_iter().find(|kind| name == kind.as_str());
    kinds.map(|name| kind(name).unwrap()).collect()
}

/// An `Observed` document: `gateway`, `addresses`, `dataPlanes` with `appliedGeneration`,
/// `portFailures` and `addressFailures`, and `infra`.
fn observed_gateway(document: &str) -> (portcullis_ir::ObjectKey, ObservedGateway) {
    let values = portcullis_api::manifest::values(document).unwrap();
    let value = &values[0];
    let (namespace, name) = value["gateway"].as_str().unwrap().split_once('/').unwrap();
    let addresses = value["addresses"].as_array().into_iter().flatten();
    let planes = value["dataPlanes"].as_array().into_iter().flatten();
    let seen = ObservedGateway {
        addresses: addresses
            .map(|address| GatewayAddress {
                address_type: Some(AddressType::IpAddress),
                value: address.as_str().map(str::to_owned),
                routability: None,
            })
            .collect(),
        data_planes: planes.map(observed_data_plane).collect(),
        infra: observed_infra(&value["infra"]),
    };
    (portcullis_ir::ObjectKey::new(namespace, name), seen)
}

/// `serviceType`, `servicePorts`, `noResources`, `addressNotUsable` and `hint`.
fn observed_infra(value: &Value) -> Option<ObservedInfra> {
    let fields = value.as_object()?;
    let text = |field: &str| Some(fields.get(field)?.as_str()?.to_owned());
    let ports = value["servicePorts"].as_array().into_iter().flatten();
    let ports = ports.map(|port| PortKey {
        port: u16::try_from(port.as_u64().unwrap())
            .unwrap()
            .try_into()
            .unwrap(),
        transport: Transport::Tcp,
    });
    let no_resources = text("noResources").map(InfraTrouble::NoResources);
    let not_usable = text("addressNotUsable").map(InfraTrouble::AddressNotUsable);
    Some(ObservedInfra {
        service_type: text("serviceType").map(|text| ServiceType::from(text.as_str())),
        service_ports: ports.collect(),
        trouble: no_resources.or(not_usable),
        hint: text("hint"),
    })
}

fn observed_data_plane(value: &Value) -> ObservedDataPlane {
    let failures = |field: &str, cause: fn(String) -> PortFailure| {
        let failures = value[field].as_object().into_iter().flatten();
        let failures = failures.map(move |(port, why)| {
            let port = PortKey {
                port: port.parse().unwrap(),
                transport: Transport::Tcp,
            };
            (port, cause(why.as_str().unwrap().to_owned()))
        });
        failures.collect::<Vec<_>>()
    };
    let of_ports = failures("portFailures", PortFailure::PortUnavailable);
    let of_addresses = failures("addressFailures", PortFailure::AddressNotUsable);
    ObservedDataPlane {
        applied_generation: value["appliedGeneration"].as_i64(),
        port_failures: of_ports.into_iter().chain(of_addresses).collect(),
        refusal: value["refusal"].as_str().map(str::to_owned),
    }
}

fn golden(output: &Output, of_class: bool) -> Golden<'_> {
    let Output {
        gateways,
        statuses,
        foreign: _,
        recheck_at,
    } = output;
    let mut said = BTreeMap::new();
    let mut say = |kind: &str, key: &portcullis_api::ObjectKey, status: Value| {
        said.insert(format!("{kind} {key}"), status);
    };
    for (key, status) in &statuses.gateway_classes {
        if of_class {
            let mut status = GatewayClassStatus::clone(status);
            status.supported_features.clear();
            say("GatewayClass", key, serde_json::to_value(&status).unwrap());
        }
    }
    for (key, status) in &statuses.gateways {
        say("Gateway", key, serde_json::to_value(&**status).unwrap());
    }
    for (key, status) in &statuses.listener_sets {
        say("ListenerSet", key, serde_json::to_value(&**status).unwrap());
    }
    for (kind, statuses) in statuses.routes() {
        for (key, status) in statuses {
            say(kind.as_str(), key, serde_json::to_value(&**status).unwrap());
        }
    }
    for (key, status) in &statuses.backend_tls_policies {
        let status = serde_json::to_value(&**status).unwrap();
        say("BackendTLSPolicy", key, status);
    }
    Golden {
        statuses: said,
        snapshots: Some(
            gateways
                .iter()
                .map(|(key, gateway)| (key.to_string(), &*gateway.snapshot))
                .collect(),
        ),
        infra: gateways
            .iter()
            .map(|(key, gateway)| (key.to_string(), &*gateway.infra))
            .collect(),
        recheck_at: recheck_at.map(|_| "some time".to_owned()),
    }
}

fn case(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.trim_end_matches(".in.yaml").to_owned()
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn files(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}
