//! What controllers say about objects: conditions, their types and reasons.

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::meta::Time;
use crate::route::{ParentReference, RouteGroupKind};

/// One thing a controller says about an object. `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    pub r#type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as a word for machines.
    pub reason: ConditionReason,
    /// Why, in words for people; may be empty.
    pub message: String,
    /// `metadata.generation` of the object this was said about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed. The API server requires it; who writes the status fills it in,
    /// for `translate` has no clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
}

keyword! {
    /// Whether a condition holds.
    ConditionStatus {
        True = "True",
        False = "False",
        Unknown = "Unknown",
    }
}

keyword! {
    /// The condition types of the Gateway API, of all kinds together.
    ConditionType {
        Accepted = "Accepted",
        Programmed = "Programmed",
        ResolvedRefs = "ResolvedRefs",
        Conflicted = "Conflicted",
        PartiallyInvalid = "PartiallyInvalid",
        OverlappingTlsConfig = "OverlappingTLSConfig",
        InsecureFrontendValidationMode = "InsecureFrontendValidationMode",
        SupportedVersion = "SupportedVersion",
        Ready = "Ready",
    }
}

keyword! {
    /// The condition reasons of the Gateway API, of all kinds together.
    ConditionReason {
        Accepted = "Accepted",
        AddressNotAssigned = "AddressNotAssigned",
        AddressNotUsable = "AddressNotUsable",
        BackendNotFound = "BackendNotFound",
        ConfigurationChanged = "ConfigurationChanged",
        Conflicted = "Conflicted",
        HostnameConflict = "HostnameConflict",
        IncompatibleFilters = "IncompatibleFilters",
        Invalid = "Invalid",
        /// Ours: the specification does not say by which word a backendRef is invalid whose policy is.
        InvalidBackendTlsPolicy = "InvalidBackendTLSPolicy",
        InvalidCaCertificateKind = "InvalidCACertificateKind",
        InvalidCaCertificateRef = "InvalidCACertificateRef",
        InvalidCertificateRef = "InvalidCertificateRef",
        InvalidClientCertificateRef = "InvalidClientCertificateRef",
        InvalidKind = "InvalidKind",
        InvalidParameters = "InvalidParameters",
        InvalidRouteKinds = "InvalidRouteKinds",
        ListenerConflict = "ListenerConflict",
        ListenersNotReady = "ListenersNotReady",
        ListenersNotResolved = "ListenersNotResolved",
        ListenersNotValid = "ListenersNotValid",
        NoConflicts = "NoConflicts",
        NoMatchingListenerHostname = "NoMatchingListenerHostname",
        NoMatchingParent = "NoMatchingParent",
        NoResources = "NoResources",
        NoValidCaCertificate = "NoValidCACertificate",
        NotAllowed = "NotAllowed",
        NotAllowedByListeners = "NotAllowedByListeners",
        OverlappingCertificates = "OverlappingCertificates",
        OverlappingHostnames = "OverlappingHostnames",
        ParentNotAccepted = "ParentNotAccepted",
        Pending = "Pending",
        PortUnavailable = "PortUnavailable",
        Programmed = "Programmed",
        ProtocolConflict = "ProtocolConflict",
        Ready = "Ready",
        RefNotPermitted = "RefNotPermitted",
        ResolvedRefs = "ResolvedRefs",
        SupportedVersion = "SupportedVersion",
        TargetNotFound = "TargetNotFound",
        TooManyListeners = "TooManyListeners",
        Unsupported = "Unsupported",
        UnsupportedAddress = "UnsupportedAddress",
        UnsupportedProtocol = "UnsupportedProtocol",
        UnsupportedValue = "UnsupportedValue",
        UnsupportedVersion = "UnsupportedVersion",
        Waiting = "Waiting",
    }
}

/// The status of a route of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// One entry per parent and controller. At most 32; an atomic list shared with other
    /// controllers, whose entries must be kept.
    pub parents: Vec<RouteParentStatus>,
}

/// What one controller says about a route at one parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteParentStatus {
    /// The parentRef as it is written in the route.
    pub parent_ref: ParentReference,
    /// Who says so.
    pub controller_name: String,
    /// What is said.
    pub conditions: Vec<Condition>,
}

/// The status of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// One entry per ancestor (here: Gateway) and controller. At most 16; an atomic list shared
    /// with other controllers, whose entries must be kept.
    pub ancestors: Vec<PolicyAncestorStatus>,
}

/// What one controller says about a policy at one ancestor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAncestorStatus {
    /// The Gateway through which the policy takes effect.
    pub ancestor_ref: ParentReference,
    /// Who says so.
    pub controller_name: String,
    /// What is said.
    pub conditions: Vec<Condition>,
}

/// The status of one listener of a Gateway or ListenerSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// The listener's name.
    pub name: String,
    /// The kinds of route it takes, of those it allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_kinds: Vec<RouteGroupKind>,
    /// How many routes it accepted.
    pub attached_routes: i32,
    /// What is said.
    pub conditions: Vec<Condition>,
}

/// No status: the kind has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoStatus {}
