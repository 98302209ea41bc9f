//! Which GatewayClasses are ours.

use std::collections::BTreeMap;

use portcullis_api::status::ConditionReason;
use portcullis_api::{GatewayClass, ObjectKey, Objects};

use crate::inputs::Options;
use crate::problem::Problem;

/// A GatewayClass that names our controller.
#[derive(Debug)]
pub(crate) struct Class<'a> {
    pub(crate) key: ObjectKey,
    pub(crate) object: &'a GatewayClass,
    /// Why it is not accepted.
    pub(crate) refused: Option<Problem>,
}

/// Our classes by name.
pub(crate) type Classes<'a> = BTreeMap<&'a str, Class<'a>>;

/// Finds the classes of our controller.
pub(crate) fn ours<'a>(objects: &'a Objects, options: &Options) -> Classes<'a> {
    objects
        .gateway_classes
        .iter()
        .filter(|(_, class)| class.spec.controller_name == options.controller_name)
        .map(|(key, class)| {
            let class = Class {
                key: key.clone(),
                object: class,
                refused: refusal(class),
            };
            (&*key.name, class)
        })
        .collect()
}

/// "If the referent cannot be found, refers to an unsupported kind, or when the data within that
/// resource is malformed, the GatewayClass SHOULD be rejected with … an "InvalidParameters"
/// reason." (`GatewayClassSpec.ParametersRef`) We know no kind of parameters yet.
fn refusal(class: &GatewayClass) -> Option<Problem> {
    let parameters = class.spec.parameters_ref.as_ref()?;
    Some(Problem::new(
        ConditionReason::InvalidParameters,
        format!(
            "parametersRef names a {}, a kind that is not supported; remove parametersRef",
            parameters.kind
        ),
    ))
}
