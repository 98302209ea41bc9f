//! The API server, as far as statuses are concerned.

use std::future::Future;

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use portcullis_api::kind::Scope;
use serde_json::{Map, Value, json};

use super::Subject;
use super::backlog::Live;
use crate::watch::Served;

/// Where statuses are read and written.
pub trait StatusServer: Send + Sync + 'static {
    /// The status of an object; `None` if there is no such object.
    fn read(
        &self,
        subject: &Subject,
    ) -> impl Future<Output = Result<Option<Live>, ServerError>> + Send;

    /// Changes fields of a status that is of this version; gives back what came of it.
    fn write(
        &self,
        subject: &Subject,
        resource_version: &str,
        patch: Map<String, Value>,
    ) -> impl Future<Output = Result<Live, ServerError>> + Send;
}

/// Why a status could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The object changed since it was read: to be read and tried again at once.
    #[error("the object has changed meanwhile")]
    Conflict,
    /// There is no such object.
    #[error("the object does not exist")]
    NotFound,
    /// The server refused, and will do so again unless something changes.
    #[error("the API server refuses: {0}")]
    Refused(String),
    /// There was no answer in time: to be tried again later.
    #[error("the API server does not answer")]
    Silent,
    /// The server could not be asked, or could not answer: to be tried again later.
    #[error(transparent)]
    Unavailable(Box<kube::Error>),
}

impl From<kube::Error> for ServerError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Self::NotFound,
                409 => Self::Conflict,
                400 | 401 | 403 | 422 => Self::Refused(status.message.clone()),
                _ => Self::Unavailable(Box::new(kube::Error::Api(status))),
            },
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

/// The API server of the cluster.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    served: Served,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// The server that this client talks to, which serves the kinds in these versions.
    pub fn new(client: kube::Client, served: Served) -> Self {
        Self { client, served }
    }

    fn api(&self, subject: &Subject) -> Api<DynamicObject> {
        let Subject { kind, key } = subject;
        let version = self.served.version(*kind);
        let kind_name = GroupVersionKind::gvk(kind.group(), version, kind.as_str());
        let resource = ApiResource::from_gvk_with_plural(&kind_name, kind.plural());
        match kind.scope() {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                Api::namespaced_with(self.client.clone(), &key.namespace, &resource)
            }
        }
    }
}

impl StatusServer for Cluster {
    async fn read(&self, subject: &Subject) -> Result<Option<Live>, ServerError> {
        let object = self.api(subject).get_opt(&subject.key.name).await?;
        Ok(object.map(live))
    }

    async fn write(
        &self,
        subject: &Subject,
        resource_version: &str,
        patch: Map<String, Value>,
    ) -> Result<Live, ServerError> {
        // With its resourceVersion in it, a merge patch of a newer object is a conflict.
        let patch = json!({
            "metadata": {"resourceVersion": resource_version},
            "status": patch,
        });
        let api = self.api(subject);
        let params = PatchParams::default();
        let patch = Patch::Merge(patch);
        let object = api.patch_status(&subject.key.name, &params, &patch).await?;
        Ok(live(object))
    }
}

fn live(object: DynamicObject) -> Live {
    let DynamicObject {
        types: _,
        metadata,
        mut data,
    } = object;
    Live {
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
        status: data.get_mut("status").map(Value::take).unwrap_or_default(),
    }
}
