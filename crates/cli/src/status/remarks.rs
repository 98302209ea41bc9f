//! The conditions of an object, one by one, and which of them are not as they should be.

use portcullis_api::route::ParentReference;
use portcullis_api::status::{
    Condition, ConditionStatus, ConditionType, PolicyStatus, RouteStatus,
};
use portcullis_api::{AnyObject, ObjectKey};

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// What part of the object it is about: a listener, a parent; `None` is the whole.
    pub(crate) part: Option<String>,
    pub(crate) condition: ConditionType,
    pub(crate) status: ConditionStatus,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Whether a condition is as one wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

impl Remark {
    fn new(part: Option<&str>, condition: &Condition) -> Self {
        Self {
            part: part.map(str::to_owned),
            condition: condition.r#type.clone(),
            status: condition.status.clone(),
            reason: condition.reason.to_string(),
            message: condition.message.clone(),
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let wanted = match self.condition {
            ConditionType::Conflicted
            | ConditionType::PartiallyInvalid
            | ConditionType::OverlappingTlsConfig
            | ConditionType::InsecureFrontendValidationMode => ConditionStatus::False,
            _ => ConditionStatus::True,
        };
        if self.status == wanted {
            Verdict::Good
        } else {
            Verdict::Bad
        }
    }

    /// `listener https: ResolvedRefs False, InvalidCertificateRef: Secret ... does not exist`
    pub(crate) fn sentence(&self) -> String {
        let Self {
            part,
            condition,
            status,
            reason,
            message,
        } = self;
        let part = part
            .as_ref()
            .map(|part| format!("{part}: "))
            .unwrap_or_default();
        let colon = if message.is_empty() { "" } else { ": " };
        format!("{part}{condition} {status}, {reason}{colon}{message}")
    }
}

/// Every condition of an object, in the order in which they are shown.
pub(crate) fn remarks(object: &AnyObject) -> Vec<Remark> {
    let own = object.metadata().namespace.as_deref().unwrap_or_default();
    match object {
        AnyObject::GatewayClass(class) => {
            whole(class.status.as_deref().map(|status| &status.conditions))
        }
        AnyObject::Gateway(gateway) => {
            let mut all = whole(gateway.status.as_deref().map(|status| &status.conditions));
            all.extend(listeners(
                gateway.status.iter().flat_map(|status| &status.listeners),
            ));
            all
        }
        AnyObject::ListenerSet(set) => {
            let mut all = whole(set.status.as_deref().map(|status| &status.conditions));
            all.extend(listeners(
                set.status.iter().flat_map(|status| &status.listeners),
            ));
            all
        }
        AnyObject::BackendTlsPolicy(policy) => policy
            .status
            .as_ref()
            .map(|status| ancestors(status, own))
            .unwrap_or_default(),
        _ => route_status(object)
            .map(|status| parents(status, own))
            .unwrap_or_default(),
    }
}

/// The status of a route of any kind.
pub(crate) fn route_status(object: &AnyObject) -> Option<&RouteStatus> {
    match object {
        AnyObject::HttpRoute(route) => route.status.as_deref(),
        AnyObject::GrpcRoute(route) => route.status.as_deref(),
        AnyObject::TlsRoute(route) => route.status.as_deref(),
        AnyObject::TcpRoute(route) => route.status.as_deref(),
        AnyObject::UdpRoute(route) => route.status.as_deref(),
        _ => None,
    }
}

/// Where a route of any kind wants to attach; `None` for what is no route.
pub(crate) fn parent_refs(object: &AnyObject) -> Option<&[ParentReference]> {
    match object {
        AnyObject::HttpRoute(route) => Some(&route.spec.parent_refs),
        AnyObject::GrpcRoute(route) => Some(&route.spec.parent_refs),
        AnyObject::TlsRoute(route) => Some(&route.spec.parent_refs),
        AnyObject::TcpRoute(route) => Some(&route.spec.parent_refs),
        AnyObject::UdpRoute(route) => Some(&route.spec.parent_refs),
        _ => None,
    }
}

/// The hostnames of a route of a kind that has them.
pub(crate) fn hostnames(object: &AnyObject) -> &[String] {
    match object {
        AnyObject::HttpRoute(route) => &route.spec.hostnames,
        AnyObject::GrpcRoute(route) => &route.spec.hostnames,
        AnyObject::TlsRoute(route) => &route.spec.hostnames,
        _ => &[],
    }
}

/// `istio-system/mygateway`, with the listener or port if the reference names one.
pub(crate) fn parent_name(parent: &ParentReference, own_namespace: &str) -> String {
    let target = parent.target();
    let key = ObjectKey::new(target.namespace.unwrap_or(own_namespace), target.name);
    let kind = if target.kind == "Gateway" {
        String::new()
    } else {
        format!("{} ", target.kind)
    };
    let section = parent
        .section_name
        .as_ref()
        .map(|name| format!(" listener {name}"));
    let port = parent.port.map(|port| format!(" port {port}"));
    format!(
        "{kind}{key}{}{}",
        section.unwrap_or_default(),
        port.unwrap_or_default()
    )
}

fn whole(conditions: Option<&Vec<Condition>>) -> Vec<Remark> {
    conditions
        .into_iter()
        .flatten()
        .map(|condition| Remark::new(None, condition))
        .collect()
}

fn listeners<'a>(
    listeners: impl Iterator<Item = &'a portcullis_api::status::ListenerStatus>,
) -> Vec<Remark> {
    let remarks = listeners.flat_map(|listener| {
        let part = format!("listener {}", listener.name);
        let remark = move |condition| Remark::new(Some(&part), condition);
        listener.conditions.iter().map(remark)
    });
    remarks.collect()
}

fn parents(status: &RouteStatus, own_namespace: &str) -> Vec<Remark> {
    let remarks = status.parents.iter().flat_map(|parent| {
        let part = format!("parent {}", parent_name(&parent.parent_ref, own_namespace));
        let remark = move |condition| Remark::new(Some(&part), condition);
        parent.conditions.iter().map(remark)
    });
    remarks.collect()
}

fn ancestors(status: &PolicyStatus, own_namespace: &str) -> Vec<Remark> {
    let remarks = status.ancestors.iter().flat_map(|ancestor| {
        let name = parent_name(&ancestor.ancestor_ref, own_namespace);
        let part = format!("Gateway {name}");
        let remark = move |condition| Remark::new(Some(&part), condition);
        ancestor.conditions.iter().map(remark)
    });
    remarks.collect()
}
