//! Which GatewayClasses are ours.

use std::collections::BTreeSet;

use portcullis_api::parameters::GatewayParametersSpec;
use portcullis_api::{GatewayClass, ObjectKey, Objects};

use crate::infra::parameters;
use crate::inputs::{Options, ir_key};
use crate::problem::Problem;
use crate::world::World;

/// A GatewayClass that names our controller.
#[derive(Debug)]
pub(crate) struct Class<'a> {
    pub(crate) object: &'a GatewayClass,
    /// Why it is not accepted.
    pub(crate) refused: Option<Problem>,
    /// What its Gateways have by default, if it says.
    pub(crate) parameters: Option<&'a GatewayParametersSpec>,
}

/// Finds the classes of our controller.
pub(crate) fn ours<'a>(
    world: &World<'a>,
    options: &Options,
) -> impl Iterator<Item = (&'a ObjectKey, Class<'a>)> {
    let classes = world.objects().gateway_classes.keys();
    classes.filter_map(|key| Some((key, find(world, options, &key.name)?)))
}

/// The class of that name, if it is one of our controller.
pub(crate) fn find<'a>(world: &World<'a>, options: &Options, name: &str) -> Option<Class<'a>> {
    let object = world.gateway_class(name)?;
    if object.spec.controller_name != options.controller_name {
        return None;
    }
    let (parameters, refused) = match parameters::of_class(object, world) {
        Ok(parameters) => (parameters, None),
        Err(problem) => (None, Some(problem)),
    };
    Some(Class {
        object,
        refused,
        parameters,
    })
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
