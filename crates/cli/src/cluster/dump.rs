//! `portcullis config dump`: what a data plane of a Gateway has loaded.

use portcullis_api::{Kind, ObjectKey};
use portcullis_translate::infra::label_value;
use serde_json::Value;

use super::api::{Cluster, Served};
use super::error::ClusterError;
use super::pods::{self, Pod, Readiness};
use crate::args::{ConfigOutput, DumpArgs};
use crate::exit::Exit;
use crate::print;

/// Where a data plane shows what it has loaded: on its loopback only.
const ADMIN_PORT: u16 = 15000;

/// Shows it.
pub(crate) async fn dump(args: &DumpArgs) -> Result<Exit, ClusterError> {
    let DumpArgs {
        gateway,
        pod,
        cluster: place,
        output,
    } = args;
    let cluster = Cluster::connect(place).await?;
    let namespace = place.namespace.as_deref().unwrap_or(&cluster.namespace);
    let gateway = match gateway.split_once('/') {
        Some((namespace, name)) => ObjectKey::new(namespace, name),
        None => ObjectKey::new(namespace, gateway.as_str()),
    };
    check(&cluster, &gateway, &place.controller_name).await?;
    let path = pods::path_of(&gateway.namespace, &label_value(&gateway.name));
    let items = cluster.items(&path).await?;
    let pods: Vec<_> = items.iter().filter_map(Pod::read).collect();
    let chosen = choose(&gateway, &pods, pod.as_deref())?;
    let path = match output {
        ConfigOutput::Text => "/config?format=text",
        ConfigOutput::Json => "/config",
    };
    let answer = cluster.ask_pod(&chosen.key, ADMIN_PORT, path).await?;
    print::aside(&format!("# pod {}, one of {}", chosen.key, pods.len()));
    print::line(&answer);
    Ok(Exit::Done)
}

/// Whether there is such a Gateway, and whether it is ours.
async fn check(
    cluster: &Cluster,
    gateway: &ObjectKey,
    controller: &str,
) -> Result<(), ClusterError> {
    let (mut classes, mut gateways) = (Vec::new(), Vec::new());
    for served in cluster.served().await? {
        let Served { kind, version: _ } = served;
        let namespace = Some(&*gateway.namespace);
        match kind {
            Kind::GatewayClass => classes = cluster.objects(served, namespace).await?,
            Kind::Gateway => gateways = cluster.objects(served, namespace).await?,
            _ => {}
        }
    }
    judge(gateway, &gateways, &classes, controller)
}

fn judge(
    wanted: &ObjectKey,
    gateways: &[Value],
    classes: &[Value],
    controller: &str,
) -> Result<(), ClusterError> {
    let ours: Vec<_> = classes
        .iter()
        .filter(|class| text(class, "/spec/controllerName") == controller)
        .map(|class| text(class, "/metadata/name"))
        .collect();
    let class_of = |gateway: &Value| text(gateway, "/spec/gatewayClassName").to_owned();
    let is_ours = |gateway: &&Value| ours.contains(&class_of(gateway).as_str());
    match gateways.iter().find(|gateway| key(gateway) == *wanted) {
        Some(gateway) if is_ours(&gateway) => Ok(()),
        Some(gateway) => Err(ClusterError::Foreign {
            gateway: wanted.clone(),
            class: class_of(gateway),
        }),
        None => Err(ClusterError::NoGateway {
            wanted: wanted.clone(),
            there: gateways.iter().filter(is_ours).map(key).collect(),
        }),
    }
}

fn key(object: &Value) -> ObjectKey {
    ObjectKey::new(
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name"),
    )
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    let value = object.pointer(pointer).and_then(Value::as_str);
    value.unwrap_or_default()
}

/// The pod that is named, or the first that is ready.
fn choose<'a>(
    gateway: &ObjectKey,
    pods: &'a [Pod],
    name: Option<&str>,
) -> Result<&'a Pod, ClusterError> {
    let described = || pods.iter().map(Pod::described).collect();
    match name {
        Some(name) => pods
            .iter()
            .find(|pod| *pod.key.name == *name)
            .ok_or_else(|| ClusterError::NoSuchPod {
                gateway: gateway.clone(),
                pod: name.to_owned(),
                pods: described(),
            }),
        None => pods
            .iter()
            .find(|pod| pod.readiness == Readiness::Ready)
            .ok_or_else(|| ClusterError::NoPod {
                gateway: gateway.clone(),
                pods: described(),
            }),
    }
}

#[cfg(test)]
mod tests;
