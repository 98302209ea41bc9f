//! GatewayParameters: how the data planes of a Gateway are run. The one kind of our own.
//!
//! Its definition is `manifests/chart/crds/gatewayparameters.yaml`, which says what each field means.

use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::keyword::keyword;
use crate::kind::Kind;
use crate::meta::{Object, Spec};

/// A `GatewayParameters`.
pub type GatewayParameters = Object<GatewayParametersSpec>;

impl Spec for GatewayParametersSpec {
    const KIND: Kind = Kind::GatewayParameters;
    const API_VERSION: &'static str = "portcullis.dev/v1alpha1";
    type Status = NoStatus;
    type Scope = NamespaceResourceScope;
}

/// The status of a kind that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoStatus {}

/// How data planes are to be run. What is absent is up to who makes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayParametersSpec {
    /// How many pods; if absent, that is left to others, who may scale as they like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// The image of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled, in the words of a Pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<String>,
    /// Secrets for the image's registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<SecretName>>,
    /// `ResourceRequirements` of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Json>,
    /// Labels of the nodes that pods may run on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// A list of `Toleration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Json>,
    /// An `Affinity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Json>,
    /// A list of `TopologySpreadConstraint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology_spread_constraints: Option<Json>,
    /// The pods' priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Labels of the pods only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<BTreeMap<String, String>>,
    /// Annotations of the pods only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_annotations: Option<BTreeMap<String, String>>,
    /// What the pods log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Threads that serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// How a pod goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<DrainParameters>,
    /// How clients come to the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceParameters>,
    /// Patches for anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlays: Option<Overlays>,
}

/// The name of a Secret in the Gateway's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretName {
    /// The name.
    pub name: String,
}

/// How a pod goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DrainParameters {
    /// How long it takes connections on before it drains, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<u32>,
    /// How long requests in flight may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// How clients come to the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceParameters {
    /// The type of Service.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub service_type: Option<ServiceType>,
    /// `Cluster` or `Local`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<String>,
    /// Which load balancer; counts only when the Service is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// The only networks that the load balancer lets in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_source_ranges: Option<Vec<String>>,
    /// The annotation by which the load balancer is asked for addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_annotation: Option<String>,
    /// Annotations of the Service only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Node ports for some of the ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_ports: Option<Vec<NodePort>>,
}

/// The node port of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePort {
    /// The listener's port.
    pub port: u16,
    /// `TCP`, the default, or `UDP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port on every node.
    pub node_port: u16,
}

keyword! {
    /// The types of Service that a Gateway can have.
    ServiceType {
        LoadBalancer = "LoadBalancer",
        NodePort = "NodePort",
        ClusterIp = "ClusterIP",
    }
}

/// Strategic merge patches for what is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overlays {
    /// For the Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<Json>,
    /// For the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Json>,
    /// For the ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<Json>,
    /// For the PodDisruptionBudget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_disruption_budget: Option<Json>,
}
