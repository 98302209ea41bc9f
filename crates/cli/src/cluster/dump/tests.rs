use serde_json::json;

use super::*;

const OURS: &str = "portcullis.dev/gateway-controller";

fn judged(name: &str) -> String {
    let class = |name: &str, controller: &str| json!({"metadata": {"name": name}, "spec": {"controllerName": controller}});
    let gateway = |name: &str, class: &str| {
        json!({
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"gatewayClassName": class},
        })
    };
    let classes = [class("portcullis", OURS), class("other", "example.com/x")];
    let gateways = [gateway("web", "portcullis"), gateway("foreign", "other")];
    match judge(&ObjectKey::new("shop", name), &gateways, &classes, OURS) {
        Ok(()) => "ours".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn only_gateways_of_ours_are_asked() {
    assert_eq!(judged("web"), "ours");
    assert_eq!(
        judged("foreign"),
        "Gateway shop/foreign is of class other, which is not one of Portcullis's"
    );
    assert_eq!(
        judged("wep"),
        "there is no Gateway shop/wep; there are: shop/web"
    );
}

#[test]
fn the_first_pod_that_is_ready_is_asked_unless_one_is_named() {
    let pod = |name: &str, readiness| Pod {
        key: ObjectKey::new("shop", name),
        gateway_label: "web".into(),
        readiness,
        created: None,
    };
    let pods = [
        pod("web-1", Readiness::NotReady("Pending".into())),
        pod("web-2", Readiness::Ready),
    ];
    let web = ObjectKey::new("shop", "web");
    let chosen = |pods: &[Pod], name| match choose(&web, pods, name) {
        Ok(pod) => pod.key.name.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(chosen(&pods, None), "web-2");
    assert_eq!(chosen(&pods, Some("web-1")), "web-1");
    assert_eq!(
        chosen(&pods, Some("web-3")),
        "Gateway shop/web has no pod web-3; there are: web-1 (Pending), web-2 (Ready)"
    );
    assert_eq!(
        chosen(&pods[..1], None),
        "Gateway shop/web has no pod that is ready; there are: web-1 (Pending)"
    );
    assert_eq!(
        chosen(&[], None),
        "Gateway shop/web has no pod that is ready; it has none"
    );
}
