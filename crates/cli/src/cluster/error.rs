//! Why a cluster gave no answer, in words that say what to do.

use kube::config::KubeconfigError;
use portcullis_api::ObjectKey;

/// Why there is nothing to show of a cluster.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("no cluster to ask: {0}; set KUBECONFIG, or use --kubeconfig and --context")]
    Kubeconfig(#[from] KubeconfigError),
    #[error("the kubeconfig cannot be used: {0}")]
    Unusable(#[source] kube::Error),
    #[error("{url} does not answer: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} does not know who you are (401); is the kubeconfig's user still valid?")]
    Unauthorized { url: String },
    /// The API server's own words name the verb and the resource.
    #[error("you lack a right: {message}")]
    Forbidden { message: String },
    #[error("{path}: {code} {message}")]
    Refused {
        path: String,
        code: u16,
        message: String,
    },
    #[error("{path}: what came cannot be read ({reason})")]
    Unreadable { path: String, reason: String },
    #[error(
        "this cluster has no Gateway API: its CRDs are not installed (docs/kubernetes.md says how)"
    )]
    NoGatewayApi,
    #[error("there is no Gateway {wanted}{}", others(.there))]
    NoGateway {
        wanted: ObjectKey,
        there: Vec<ObjectKey>,
    },
    #[error("Gateway {gateway} is of class {class}, which is not one of Portcullis's")]
    Foreign { gateway: ObjectKey, class: String },
    #[error("Gateway {gateway} has no pod that is ready{}", seen(.pods))]
    NoPod {
        gateway: ObjectKey,
        /// Those that are there, with their phase.
        pods: Vec<String>,
    },
    #[error("Gateway {gateway} has no pod {pod}{}", seen(.pods))]
    NoSuchPod {
        gateway: ObjectKey,
        pod: String,
        pods: Vec<String>,
    },
    #[error("pod {pod}, port {port}: {reason}")]
    Forward {
        pod: ObjectKey,
        port: u16,
        reason: String,
    },
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

impl ClusterError {
    /// What a request for `path` to the API server at `url` came to.
    pub(super) fn of_request(error: kube::Error, url: &str, path: &str) -> Self {
        let url = url.to_owned();
        let path = path.to_owned();
        match error {
            kube::Error::Api(status) => match status.code {
                401 => Self::Unauthorized { url },
                403 => Self::Forbidden {
                    message: status.message,
                },
                code => Self::Refused {
                    path,
                    code,
                    message: status.message,
                },
            },
            kube::Error::SerdeError(error) => Self::Unreadable {
                path,
                reason: error.to_string(),
            },
            other => Self::Unreachable {
                url,
                reason: innermost(&other),
            },
        }
    }
}

/// `connection refused`, not what four layers of clients make of it.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn others(there: &[ObjectKey]) -> String {
    const SHOWN: usize = 5;
    let names: Vec<_> = there.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = there.len().saturating_sub(SHOWN);
    match (names.is_empty(), more) {
        (true, _) => "; there is none of Portcullis's".to_owned(),
        (false, 0) => format!("; there are: {}", names.join(", ")),
        (false, more) => format!("; there are: {} and {more} more", names.join(", ")),
    }
}

fn seen(pods: &[String]) -> String {
    if pods.is_empty() {
        "; it has none".to_owned()
    } else {
        format!("; there are: {}", pods.join(", "))
    }
}
