use serde_json::json;

use super::model::Schema;
use super::{admit, schemas};
use crate::kind::Kind;

fn gateway_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| kind.is_gateway_api())
}

fn visit(schema: &Schema, look: &mut impl FnMut(&Schema)) {
    look(schema);
    let nested = [&schema.items, &schema.additional_properties, &schema.not];
    for schema in nested.into_iter().flatten() {
        visit(schema, look);
    }
    let lists = [&schema.one_of, &schema.any_of];
    for schema in schema
        .properties
        .values()
        .map(AsRef::as_ref)
        .chain(lists.into_iter().flatten())
    {
        visit(schema, look);
    }
}

#[test]
fn every_version_we_read_has_a_schema() {
    for kind in gateway_kinds() {
        let schemas = schemas(kind).unwrap_or_else(|| panic!("{kind} has no schemas"));
        let mut versions: Vec<&str> = schemas
            .0
            .iter()
            .flat_map(|schema| schema.versions.iter().map(String::as_str))
            .collect();
        versions.sort_unstable();
        let mut read = kind.versions().to_vec();
        read.sort_unstable();
        assert_eq!(versions, read, "{kind}");
    }
}

#[test]
fn every_rule_and_pattern_compiles() {
    let mut rules = 0;
    for schema in gateway_kinds().filter_map(schemas).flat_map(|s| &s.0) {
        visit(&schema.schema, &mut |schema| {
            if let Some(pattern) = &schema.pattern {
                assert!(pattern.regex().is_some(), "{}", pattern.text());
            }
            for rule in &schema.rules {
                assert!(
                    rule.program().is_ok(),
                    "{:?}: {}",
                    rule.program(),
                    rule.text
                );
                rules += 1;
            }
        });
    }
    assert!(rules > 200, "{rules}");
}

#[test]
fn defaults_are_those_of_the_api_server() {
    let mut route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "r"},
        "spec": {
            "parentRefs": [{"name": "g"}],
            "hostnames": null,
            "rules": [{
                "matches": [{"headers": [{"name": "a", "value": "b"}]}, {"path": {"value": "/x"}}],
                "backendRefs": [{"name": "s", "port": 80}],
            }],
        },
    });
    assert_eq!(admit(Kind::HttpRoute, "v1", &mut route), []);
    insta::assert_yaml_snapshot!(route["spec"]);
}
