//! Which GatewayClasses are ours.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::parameters::GatewayParametersSpec;
use portcullis_api::{GatewayClass, ObjectKey, Objects};

use crate::infra::parameters;
use crate::inputs::{Options, ir_key};
use crate::problem::Problem;

/// A GatewayClass that names our controller.
#[derive(Debug)]
pub(crate) struct Class<'a> {
    pub(crate) key: ObjectKey,
    pub(crate) object: &'a GatewayClass,
    /// Why it is not accepted.
    pub(crate) refused: Option<Problem>,
    /// What its Gateways have by default, if it says.
    pub(crate) parameters: Option<&'a GatewayParametersSpec>,
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
            let (parameters, refused) = match parameters::of_class(class, objects) {
                Ok(parameters) => (parameters, None),
                Err(problem) => (None, Some(problem)),
            };
            let class = Class {
                key: key.clone(),
                object: class,
                refused,
                parameters,
            };
            (&*key.name, class)
        })
        .collect()
}

/// The Gateways whose class is another controller's. Whose class is gone, or never was, is nobody's:
/// what serves such a Gateway is left as it is.
pub(crate) fn foreign(objects: &Objects, options: &Options) -> BTreeSet<portcullis_ir::ObjectKey> {
    let is_foreign = |class: &str| {
        let class = objects.gateway_classes.get(&ObjectKey::new("", class));
        class.is_some_and(|class| class.spec.controller_name != options.controller_name)
    };
    let gateways = objects.gateways.iter();
    gateways
        .filter(|(_, gateway)| is_foreign(&gateway.spec.gateway_class_name))
        .map(|(key, _)| ir_key(key))
        .collect()
}
