//! `golden/<case>.in.yaml` is a Gateway with what it needs, and beside it is what is made for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portcullis_api::{AnyObject, Kind, Objects, manifest, to_yaml};
use portcullis_ir::ObjectKey;
use portcullis_translate::infra::{Infra, Intent};
use portcullis_translate::{Inputs, Options, translate};

use super::{Rendered, Settings, render};

/// The classes of the cases; `tuned` has parameters, if a case has `GatewayParameters`
/// default/defaults.
const CLASSES: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portcullis}
spec: {controllerName: portcullis.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: tuned}
spec:
  controllerName: portcullis.dev/gateway-controller
  parametersRef: {group: portcullis.dev, kind: GatewayParameters, namespace: default, name: defaults}
";

/// What a Gateway in YAML wants.
pub(crate) fn wanted(text: &str) -> (ObjectKey, Infra) {
    let mut objects = Objects::default();
    for text in [CLASSES, text] {
        let read = manifest::parse(text);
        assert!(read.errors.is_empty(), "{:?}", read.errors);
        for located in read.objects {
            let object = match located.object {
                AnyObject::Gateway(gateway) => {
                    let mut gateway = (*gateway).clone();
                    gateway.metadata.uid = Some("uid-of-gateway".to_owned());
                    gateway.into()
                }
                other => other,
            };
            objects.insert(object);
        }
    }
    assert_eq!(
        objects.iter().filter(|o| o.kind() == Kind::Gateway).count(),
        1
    );
    let inputs = Inputs {
        objects: &objects,
        observed: &BTreeMap::new(),
        now: 0,
    };
    let options = Options::new("portcullis.dev/gateway-controller");
    let output = translate(&inputs, &options);
    let (key, output) = output.gateways.iter().next().expect("the Gateway is ours");
    (key.clone(), (*output.infra).clone())
}

pub(crate) fn settings() -> Settings {
    Settings {
        image: "portcullis:1".to_owned(),
        controller: "https://portcullis-controller.portcullis-system.svc:18000".to_owned(),
    }
}

fn rendered(text: &str) -> Vec<Rendered> {
    let (key, infra) = wanted(text);
    let Intent::Make(parameters) = &infra.intent else {
        panic!("nothing is to be made")
    };
    render(&key, &infra, parameters, &settings(), "PEM")
}

#[test]
fn every_gateway_gets_what_is_written_beside_it() {
    insta::glob!("golden/*.in.yaml", |path| {
        let text = std::fs::read_to_string(path).expect("the case can be read");
        assert!(
            text.starts_with("# "),
            "{path:?} does not say what it shows"
        );
        let mut made = String::new();
        for Rendered { id, object } in rendered(&text) {
            let yaml = to_yaml(&object).expect("is a value");
            write!(made, "# {id}\n{yaml}---\n").expect("is a text");
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("golden");
        settings.set_prepend_module_to_snapshot(false);
        settings.remove_snapshot_suffix();
        settings.remove_input_file();
        settings.set_omit_expression(true);
        settings.set_description(
            text.lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("# "),
        );
        settings
            .bind(|| insta::assert_snapshot!(name.trim_end_matches(".in.yaml").to_owned(), made));
    });
}

#[test]
fn a_changed_listener_leaves_the_pods_alone() {
    let gateway = |port: u16| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: web}}\n\
             spec: {{gatewayClassName: portcullis, listeners: [{{name: a, port: {port}, protocol: HTTP}}]}}\n"
        )
    };
    let (before, after) = (rendered(&gateway(80)), rendered(&gateway(8080)));
    assert_eq!(before.last(), after.last());
    assert_ne!(before, after);
}

#[test]
fn the_same_wants_give_the_same_objects_in_an_order_that_can_be_made() {
    let text = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web}\n\
                spec: {gatewayClassName: portcullis, listeners: [{name: a, port: 80, protocol: HTTP}]}\n";
    assert_eq!(rendered(text), rendered(text));
    let kinds: Vec<_> = rendered(text)
        .into_iter()
        .map(|object| object.id.kind)
        .collect();
    assert!(kinds.is_sorted(), "{kinds:?}");
}
