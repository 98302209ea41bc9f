//! Which namespaces a listener, or a Gateway's `allowedListeners`, takes things from.

use std::collections::BTreeMap;

use portcullis_api::gateway::FromNamespaces;
use portcullis_api::meta::LabelSelector;

use crate::world::World;

/// The label that Kubernetes puts on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Whether things in `namespace` are taken by an object in `own`.
pub(crate) fn takes(
    world: &World<'_>,
    from: &FromNamespaces,
    selector: Option<&LabelSelector>,
    own: &str,
    namespace: &str,
) -> bool {
    match from {
        FromNamespaces::All => true,
        FromNamespaces::Same => own == namespace,
        FromNamespaces::Selector => {
            selector.is_some_and(|selector| selects(world, selector, namespace))
        }
        // An unknown value is taken as the strictest.
        FromNamespaces::None | FromNamespaces::Other(_) => false,
    }
}

/// A folder often holds no Namespace objects; their name label is known all the same: "This label
/// is added automatically as of K8s 1.22 to all namespaces".
fn selects(world: &World<'_>, selector: &LabelSelector, namespace: &str) -> bool {
    static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();
    let labels = world
        .namespace(namespace)
        .and_then(|object| object.metadata.labels.as_ref())
        .unwrap_or(&NO_LABELS);
    let label = |key: &str| match key {
        NAME_LABEL => Some(namespace),
        _ => labels.get(key).map(String::as_str),
    };
    let LabelSelector {
        match_labels,
        match_expressions,
    } = selector;
    let by_label = match_labels
        .iter()
        .flatten()
        .all(|(key, value)| label(key) == Some(value));
    let by_expression = match_expressions.iter().flatten().all(|expression| {
        let value = label(&expression.key);
        let listed = |value: &str| {
            let mut values = expression.values.iter().flatten();
            values.any(|candidate| candidate == value)
        };
        match expression.operator.as_str() {
            "In" => value.is_some_and(listed),
            "NotIn" => !value.is_some_and(listed),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            // An unknown operator selects nothing.
            _ => false,
        }
    });
    by_label && by_expression
}
