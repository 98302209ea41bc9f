//! Pods and Deployments of the cluster, as far as they are looked at: their types in full are some
//! hundred more, each with a deserializer.

use k8s_openapi::NamespaceResourceScope;
use portcullis_api::ObjectMeta;
use serde::Deserialize;

/// A `Pod`.
#[derive(Clone, Debug, Deserialize)]
pub struct LivePod {
    /// Whose it is, and whether it goes.
    pub metadata: ObjectMeta,
    /// What the kubelet says.
    pub(super) status: Option<PodStatus>,
}

/// What the kubelet says of a pod.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodStatus {
    pub(super) phase: Option<String>,
    pub(super) conditions: Option<Vec<Condition>>,
    #[serde(rename = "hostIPs")]
    pub(super) host_ips: Option<Vec<HostIp>>,
    pub(super) container_statuses: Option<Vec<ContainerStatus>>,
}

/// A condition of a pod or Deployment.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) type_: String,
    pub(super) status: String,
    pub(super) message: Option<String>,
}

/// An address of a pod's node.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HostIp {
    pub(super) ip: String,
}

/// What the kubelet says of a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    pub(super) image: String,
    pub(super) ready: bool,
    pub(super) restart_count: i32,
    pub(super) state: Option<ContainerState>,
}

/// What a container does.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ContainerState {
    pub(super) waiting: Option<Waiting>,
}

/// Why a container does not run.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

/// A `Deployment`.
#[derive(Clone, Debug, Deserialize)]
pub struct LiveDeployment {
    pub(super) spec: Option<DeploymentSpec>,
    pub(super) status: Option<DeploymentStatus>,
}

/// What a Deployment wants.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DeploymentSpec {
    pub(super) replicas: Option<i32>,
}

/// What is said of a Deployment.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DeploymentStatus {
    pub(super) conditions: Option<Vec<Condition>>,
}

impl k8s_openapi::Resource for LivePod {
    const API_VERSION: &'static str = "v1";
    const GROUP: &'static str = "";
    const KIND: &'static str = "Pod";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "pods";
    type Scope = NamespaceResourceScope;
}

impl k8s_openapi::Metadata for LivePod {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
