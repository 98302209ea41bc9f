//! `portcullis status` of a cluster.

use portcullis_api::{AnyObject, Kind, ObjectKey, Objects};
use serde_json::Value;

use super::api::Cluster;
use super::error::ClusterError;
use super::pods::{self, Pod};
use super::scope::{Scope, ours};
use portcullis_translate::infra::label_value;

use super::sessions::{Sessions, sessions};
use crate::args::{ClusterArgs, StatusOutput};
use crate::exit::Exit;
use crate::now;
use crate::print;
use crate::show::{print_list, read};
use crate::status::tables::{Rows, Width, tables};

/// Objects as the API server gave them, and as we read them.
struct Found {
    values: Vec<Value>,
    shown: Objects,
}

/// Shows Gateways, routes, and the pods that serve them.
pub(crate) async fn status(
    args: &ClusterArgs,
    name: Option<&str>,
    output: StatusOutput,
) -> Result<Exit, ClusterError> {
    let cluster = Cluster::connect(args).await?;
    let namespace = match (&args.namespace, args.all_namespaces) {
        (_, true) => None,
        (Some(namespace), false) => Some(namespace.as_str()),
        (None, false) => Some(cluster.namespace.as_str()),
    };
    let scope = Scope::new(namespace, name);
    let found = find(&cluster, &args.controller_name, &scope).await?;
    if let Some(name) = name.filter(|_| is_empty(&found.shown)) {
        let place = place(scope.namespace.as_deref());
        print::aside(&format!("portcullis: nothing is called {name} {place}"));
        return Ok(Exit::Failed);
    }
    match output {
        StatusOutput::Table => overview(&cluster, args, &scope, &found.shown, Width::Narrow).await,
        StatusOutput::Wide => overview(&cluster, args, &scope, &found.shown, Width::Wide).await,
        StatusOutput::Yaml | StatusOutput::Json => list(found, output),
    }
}

async fn find(cluster: &Cluster, controller: &str, scope: &Scope) -> Result<Found, ClusterError> {
    let mut values = Vec::new();
    for served in cluster.served().await? {
        match cluster.objects(served, scope.namespace.as_deref()).await {
            // Without Gateways there is nothing to show; without one kind of route there is.
            Err(refusal @ ClusterError::Forbidden { .. })
                if !matches!(served.kind, Kind::GatewayClass | Kind::Gateway) =>
            {
                print::aside(&format!("portcullis: left out: {refusal}"));
            }
            found => values.extend(found?),
        }
    }
    let all: Objects = values.iter().filter_map(readable).collect();
    let shown = ours(&all, controller, scope);
    Ok(Found { values, shown })
}

/// An object of a later version may have what we cannot read; the others are shown all the same.
fn readable(value: &Value) -> Option<AnyObject> {
    match read(value.clone()) {
        Ok(object) => object,
        Err(error) => {
            let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
            let kind = text("/kind").unwrap_or_default();
            let name = text("/metadata/name").unwrap_or_default();
            print::aside(&format!("portcullis: {kind} {name} is left out: {error}"));
            None
        }
    }
}

async fn overview(
    cluster: &Cluster,
    args: &ClusterArgs,
    scope: &Scope,
    shown: &Objects,
    width: Width,
) -> Result<Exit, ClusterError> {
    let now = now().0.as_second();
    if is_empty(shown) {
        let place = place(scope.namespace.as_deref());
        print::line(&format!("No Gateways or routes of Portcullis's {place}."));
        return Ok(Exit::Done);
    }
    print::line(&tables(shown, width, Rows::All, now));
    let pods = match data_planes(cluster, scope, shown).await {
        Err(refusal @ ClusterError::Forbidden { .. }) => {
            print::aside(&format!("portcullis: pods are left out: {refusal}"));
            Vec::new()
        }
        pods => pods?,
    };
    if pods.is_empty() {
        return Ok(Exit::Done);
    }
    let known = match sessions(cluster, &args.system_namespace).await {
        Ok(sessions) => Some(sessions),
        Err(unknown) => {
            print::aside(&format!(
                "portcullis: what the data planes hold is not known: {unknown}"
            ));
            None
        }
    };
    print::line(&pods_text(&pods, known.as_ref(), now));
    Ok(Exit::Done)
}

fn pods_text(pods: &[Pod], sessions: Option<&Sessions>, now: i64) -> String {
    let mut text = format!("\n{}", pods::table(pods, sessions, now).print());
    let problems = sessions.map(|sessions| pods::problems(pods, sessions));
    if let Some(problems) = problems.filter(|problems| !problems.is_empty()) {
        text.push_str("\nRefused by data planes:\n");
        text.push_str(&problems);
    }
    text
}

/// The pods of the Gateways that are shown.
async fn data_planes(
    cluster: &Cluster,
    scope: &Scope,
    shown: &Objects,
) -> Result<Vec<Pod>, ClusterError> {
    let items = cluster
        .items(&pods::path(scope.namespace.as_deref()))
        .await?;
    let is_shown = |pod: &Pod| {
        let mut gateways = shown.gateways.keys();
        gateways.any(|gateway| serves(pod, gateway))
    };
    let mut pods: Vec<_> = items
        .iter()
        .filter_map(Pod::read)
        .filter(is_shown)
        .collect();
    pods.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(pods)
}

fn serves(pod: &Pod, gateway: &ObjectKey) -> bool {
    pod.key.namespace == gateway.namespace && pod.gateway_label == label_value(&gateway.name)
}

/// The objects as they are in the cluster.
fn list(found: Found, output: StatusOutput) -> Result<Exit, ClusterError> {
    let Found { mut values, shown } = found;
    let keys: Vec<_> = shown
        .iter()
        .filter(|object| object.kind() != Kind::GatewayClass)
        .map(|object| (object.kind().as_str(), object.key()))
        .collect();
    values.retain(|value| {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").unwrap_or_default();
        let key = ObjectKey::new(namespace, text("/metadata/name").unwrap_or_default());
        let kind = text("/kind").unwrap_or_default();
        keys.iter().any(|(k, own)| *k == kind && *own == key)
    });
    print_list(values, output).map_err(|error| ClusterError::Unreadable {
        path: "the list".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Exit::Done)
}

/// Whether there is nothing but classes.
fn is_empty(shown: &Objects) -> bool {
    shown
        .iter()
        .all(|object| object.kind() == Kind::GatewayClass)
}

fn place(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("in namespace {namespace} (-A looks in all)"),
        None => "in this cluster".to_owned(),
    }
}
