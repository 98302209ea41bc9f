use serde_json::json;

use super::*;

#[test]
fn unknown_fields_do_no_harm() {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"parentRefs": [{"name": "g", "ofTomorrow": 1}], "rules": []},
    });
    let object = object(Kind::HttpRoute, &route).unwrap();
    assert_eq!(object.key().to_string(), "b/a");
}

#[test]
fn a_refusal_names_the_field() {
    let route = json!({
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"rules": [{"backendRefs": [{"name": "s", "port": "http"}]}]},
    });
    let refusal = object(Kind::HttpRoute, &route).unwrap_err();
    assert_eq!(refusal.field, "spec.rules[0].backendRefs[0].port");
}

#[test]
fn a_refusal_of_a_secret_quotes_nothing() {
    let secret = json!({"metadata": {"name": "a"}, "data": {"tls.key": "hunter2!"}});
    let refusal = object(Kind::Secret, &secret).unwrap_err();
    assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
}

#[test]
fn a_service_keeps_its_ports_and_a_slice_its_endpoints() {
    let service = json!({
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "a"},
            "ports": [{"port": 80, "appProtocol": "kubernetes.io/h2c"}],
        },
        "status": {"loadBalancer": {}},
    });
    let AnyObject::Service(service) = object(Kind::Service, &service).unwrap() else {
        panic!("no Service");
    };
    let spec = service.spec.as_ref().unwrap();
    assert_eq!(spec.ports.as_ref().unwrap().len(), 1);
    assert_eq!((&spec.selector, &service.status), (&None, &None));

    let slice = json!({
        "metadata": {"name": "a-1", "namespace": "b"},
        "addressType": "IPv4",
        "endpoints": [{
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": true},
            "nodeName": "n",
            "targetRef": {"kind": "Pod", "name": "p"},
        }],
        "ports": [{"port": 8080}],
    });
    let AnyObject::EndpointSlice(slice) = object(Kind::EndpointSlice, &slice).unwrap() else {
        panic!("no EndpointSlice");
    };
    assert_eq!(slice.endpoints[0].addresses, ["10.0.0.1"]);
    assert_eq!(slice.endpoints[0].node_name, None);
    assert_eq!(slice.ports.as_ref().unwrap()[0].port, Some(8080));
}
