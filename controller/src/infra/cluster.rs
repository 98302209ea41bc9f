//! The cluster's side: what the controller watches and writes for infrastructure.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use kube::Api;
use kube::api::{
    DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::runtime::{WatchStreamExt, watcher};
use portcullis_translate::infra::{MANAGED_BY, MANAGED_BY_LABEL};
use serde_json::Value as Json;
use tokio::time::{Duration, timeout};

use super::control::{Order, Outcome, Request, Source};
use super::decide::FIELD_MANAGER;
use super::live::LivePod;
use super::resource::{ResourceId, ResourceKind};
use crate::leader::Leadership;
use crate::watch::{WATCH_SECONDS, backoff, error_chain};

/// How long the API server may take for one request.
const PATIENCE: Duration = Duration::from_secs(30);

/// News of a source.
#[derive(Debug)]
pub(super) enum News {
    /// Of objects.
    Object(Box<watcher::Event<DynamicObject>>),
    /// Of pods.
    Pod(Box<watcher::Event<LivePod>>),
    /// The watch is broken; it is taken up again by itself.
    Broken(watcher::Error),
}

/// Everything of a source, for ever.
pub(super) fn follow(client: &kube::Client, source: &Source) -> BoxStream<'static, (Source, News)> {
    let selector = format!("{MANAGED_BY_LABEL}={MANAGED_BY}");
    let config = watcher::Config::default()
        .labels(&selector)
        .timeout(WATCH_SECONDS);
    let news = match source.kind {
        Some(kind) => follow_kind(client.clone(), source, kind, config),
        None => follow_pods(client.clone(), source, config),
    };
    let source = source.clone();
    news.map(move |news| (source.clone(), news)).boxed()
}

fn follow_kind(
    client: kube::Client,
    source: &Source,
    kind: ResourceKind,
    config: watcher::Config,
) -> BoxStream<'static, News> {
    let resource = kind.api_resource();
    let api: Api<DynamicObject> = match &source.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let tell = |event| match event {
        Ok(event) => News::Object(Box::new(event)),
        Err(error) => News::Broken(error),
    };
    watcher(api, config).backoff(backoff()).map(tell).boxed()
}

fn follow_pods(
    client: kube::Client,
    source: &Source,
    config: watcher::Config,
) -> BoxStream<'static, News> {
    let api: Api<LivePod> = match &source.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let tell = |event| match event {
        Ok(event) => News::Pod(Box::new(event)),
        Err(error) => News::Broken(error),
    };
    watcher(api, config).backoff(backoff()).map(tell).boxed()
}

/// Carries an order out. Leadership is asked for just before each request.
pub(super) async fn carry_out(
    client: kube::Client,
    leadership: Leadership,
    order: Order,
) -> (ResourceId, Outcome) {
    let Order { id, request } = order;
    let verb = match &request {
        Request::Create(_) => "create",
        Request::Apply { .. } => "patch",
        Request::Delete { .. } => "delete",
        Request::Look => "get",
    };
    let resource = id.kind.api_resource();
    let api = Api::namespaced_with(client, &id.namespace, &resource);
    let asked = leadership.during(timeout(PATIENCE, ask(&api, &leadership, &id, request)));
    let outcome = match asked.await {
        None => Outcome::NotLeader,
        Some(Ok(Ok(outcome))) => outcome,
        Some(Ok(Err(kube::Error::Api(status)))) => refusal(verb, status),
        Some(Ok(Err(error))) => Outcome::Failed(error_chain(&error)),
        Some(Err(_)) => Outcome::Failed("the API server did not answer".to_owned()),
    };
    (id, outcome)
}

fn refusal(verb: &'static str, status: Box<kube::core::Status>) -> Outcome {
    if status.reason == "AlreadyExists" {
        return Outcome::AlreadyExists;
    }
    if verb == "delete" && status.code == 404 {
        return Outcome::Deleted;
    }
    Outcome::Refused { verb, status }
}

async fn ask(
    api: &Api<DynamicObject>,
    leadership: &Leadership,
    id: &ResourceId,
    request: Request,
) -> Result<Outcome, kube::Error> {
    match request {
        Request::Look => {
            let found = api.get_opt(&id.name).await?;
            Ok(Outcome::Found(found.map(|found| plain(id.kind, &found))))
        }
        Request::Create(object) => {
            let params = PostParams {
                dry_run: false,
                field_manager: Some(FIELD_MANAGER.to_owned()),
            };
            let data: DynamicObject =
                serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
            let response = plain(id.kind, &api.create(&params, &data).await?);
            Ok(Outcome::Stored { object, response })
        }
        Request::Apply { object, before } => {
            if let Some(before) = before {
                let params = PatchParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                api.patch(&id.name, &params, &Patch::Merge(&before)).await?;
                if !leadership.is_held() {
                    return Ok(Outcome::NotLeader);
                }
            }
            // What is ours is ours: a conflict with another manager is settled in our favour.
            let params = PatchParams::apply(FIELD_MANAGER).force();
            let response = api.patch(&id.name, &params, &Patch::Apply(&object)).await?;
            let response = plain(id.kind, &response);
            Ok(Outcome::Stored { object, response })
        }
        Request::Delete {
            uid,
            resource_version,
        } => {
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: Some(uid),
                    resource_version: Some(resource_version),
                }),
                propagation_policy: Some(PropagationPolicy::Background),
                ..DeleteParams::default()
            };
            api.delete(&id.name, &params).await?;
            Ok(Outcome::Deleted)
        }
    }
}

/// The object as a plain value. The items of a list do not say what they are; here they do.
pub(super) fn plain(kind: ResourceKind, object: &DynamicObject) -> Json {
    let mut plain = serde_json::to_value(object).unwrap_or_default();
    if let Some(fields) = plain.as_object_mut() {
        fields.insert("apiVersion".to_owned(), kind.api_version().into());
        fields.insert("kind".to_owned(), kind.as_str().into());
    }
    plain
}
