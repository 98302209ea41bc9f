//! `portcullis status` and `portcullis config`: what a running gateway says of itself, here or in
//! a cluster.

use portcullis_api::meta::{Object, Spec};
use portcullis_api::{AnyObject, Kind, ObjectKey, Objects, to_yaml};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::admin::{AskError, ask};
use crate::args::{AdminArgs, ConfigArgs, ConfigCommand, ConfigOutput, StatusArgs, StatusOutput};
use crate::cluster::ClusterError;
use crate::exit::Exit;
use crate::status::tables::{Rows, Width, tables};
use crate::{now, print};

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the gateway's answer cannot be read ({0}); is it of another version?")]
    Answer(#[from] serde_json::Error),
}

/// Runs `portcullis status`.
pub(crate) fn status(args: &StatusArgs) -> Result<Exit, ShowError> {
    let StatusArgs {
        name,
        admin: AdminArgs { admin },
        cluster,
        output,
    } = args;
    if cluster.is_named() {
        let asked = crate::cluster::status(cluster, name.as_deref(), *output);
        return Ok(runtime()?.block_on(asked)?);
    }
    let mut list: Value = serde_json::from_str(&ask(admin, "/status")?)?;
    let items = list.get_mut("items").map(Value::take);
    let Value::Array(mut items) = items.unwrap_or_default() else {
        let missing = <serde_json::Error as serde::de::Error>::missing_field("items");
        return Err(missing.into());
    };
    if let Some(name) = name {
        items.retain(|item| is_named(item, name));
        if items.is_empty() {
            print::aside(&format!("portcullis: no object is called {name}"));
            return Ok(Exit::Failed);
        }
    }
    let findings = list
        .get("findings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    match output {
        StatusOutput::Table => print_tables(items, &findings, Width::Narrow)?,
        StatusOutput::Wide => print_tables(items, &findings, Width::Wide)?,
        StatusOutput::Yaml | StatusOutput::Json => print_list(items, *output)?,
    }
    Ok(Exit::Done)
}

/// Objects as `kubectl get -o` prints them.
pub(crate) fn print_list(items: Vec<Value>, output: StatusOutput) -> Result<(), serde_json::Error> {
    let text = if output == StatusOutput::Json {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        serde_json::to_string_pretty(&list)?
    } else {
        to_yaml(&one_or_list(items))?
    };
    print::line(&text);
    Ok(())
}

/// For one question.
fn runtime() -> Result<Runtime, ClusterError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// Runs `portcullis config`.
pub(crate) fn config(args: &ConfigArgs) -> Result<Exit, ShowError> {
    let ConfigArgs {
        command,
        admin: AdminArgs { admin },
        output,
    } = args;
    if let Some(ConfigCommand::Dump(args)) = command {
        return Ok(runtime()?.block_on(crate::cluster::dump(args))?);
    }
    let path = match output {
        ConfigOutput::Text => "/config?format=text",
        ConfigOutput::Json => "/config",
    };
    print::line(&ask(admin, path)?);
    Ok(Exit::Done)
}

fn print_tables(items: Vec<Value>, findings: &[Value], width: Width) -> Result<(), ShowError> {
    let objects = items.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let objects: Objects = objects.into_iter().flatten().collect();
    let mut text = tables(&objects, width, Rows::All, now().0.as_second());
    if !findings.is_empty() {
        text.push_str("\nIn the files:\n");
        let findings = findings.iter().filter_map(Value::as_str);
        text.extend(findings.flat_map(|finding| ["  ", finding, "\n"]));
    }
    print::line(&text);
    Ok(())
}

/// `kubectl get -o yaml` prints one object as it is, several as a list.
fn one_or_list(mut items: Vec<Value>) -> Value {
    match items.len() {
        1 => items.remove(0),
        _ => json!({ "apiVersion": "v1", "kind": "List", "items": items }),
    }
}

fn is_named(item: &Value, name: &str) -> bool {
    let text = |field: &str| {
        item.pointer(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let key = ObjectKey::new(text("/metadata/namespace"), text("/metadata/name"));
    *key.name == *name || key.to_string() == name
}

/// An object of a kind that has a status; other kinds are of a later version, and not shown.
pub(crate) fn read(item: Value) -> Result<Option<AnyObject>, serde_json::Error> {
    fn object<S: Spec>(item: Value) -> Result<std::sync::Arc<Object<S>>, serde_json::Error> {
        serde_json::from_value(item).map(std::sync::Arc::new)
    }
    let text = |field: &str| {
        item.get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (version, kind) = (text("apiVersion"), text("kind"));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Ok(Some(match Kind::find(group, &kind) {
        Some(Kind::GatewayClass) => AnyObject::GatewayClass(object(item)?),
        Some(Kind::Gateway) => AnyObject::Gateway(object(item)?),
        Some(Kind::ListenerSet) => AnyObject::ListenerSet(object(item)?),
        Some(Kind::HttpRoute) => AnyObject::HttpRoute(object(item)?),
        Some(Kind::GrpcRoute) => AnyObject::GrpcRoute(object(item)?),
        Some(Kind::TlsRoute) => AnyObject::TlsRoute(object(item)?),
        Some(Kind::TcpRoute) => AnyObject::TcpRoute(object(item)?),
        Some(Kind::UdpRoute) => AnyObject::UdpRoute(object(item)?),
        Some(Kind::BackendTlsPolicy) => AnyObject::BackendTlsPolicy(object(item)?),
        _ => return Ok(None),
    }))
}
