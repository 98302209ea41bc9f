//! The API server as we need it: a few GETs.

use http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use portcullis_api::Kind;
use portcullis_api::kind::Scope;
use serde::Deserialize;
use serde_json::Value;

use super::error::ClusterError;
use crate::args::ClusterArgs;

/// The kinds that `portcullis status` shows.
const SHOWN: [Kind; 9] = [
    Kind::GatewayClass,
    Kind::Gateway,
    Kind::ListenerSet,
    Kind::HttpRoute,
    Kind::GrpcRoute,
    Kind::TlsRoute,
    Kind::TcpRoute,
    Kind::UdpRoute,
    Kind::BackendTlsPolicy,
];

/// A cluster that can be asked.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: kube::Client,
    url: String,
    /// The namespace of the kubeconfig's context.
    pub(super) namespace: String,
}

/// A kind as the cluster serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) kind: Kind,
    pub(super) version: &'static str,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
}

impl Cluster {
    /// The cluster that the arguments, KUBECONFIG or the pod around us name.
    pub(super) async fn connect(args: &ClusterArgs) -> Result<Self, ClusterError> {
        let ClusterArgs {
            cluster: _,
            namespace: _,
            all_namespaces: _,
            context,
            kubeconfig,
            system_namespace: _,
            controller_name: _,
        } = args;
        let options = KubeConfigOptions {
            context: context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = match kubeconfig {
            Some(path) => {
                let kubeconfig = Kubeconfig::read_from(path)?;
                kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?
            }
            None => match kube::Config::from_kubeconfig(&options).await {
                Ok(config) => config,
                // In a pod there is no kubeconfig; elsewhere that is what is missing.
                Err(error) if context.is_some() => return Err(error.into()),
                Err(error) => kube::Config::incluster().map_err(|_| error)?,
            },
        };
        let url = config.cluster_url.to_string();
        Ok(Self {
            namespace: config.default_namespace.clone(),
            client: kube::Client::try_from(config).map_err(ClusterError::Unusable)?,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// What a request for `path` came to.
    pub(super) fn failed(&self, error: kube::Error, path: &str) -> ClusterError {
        ClusterError::of_request(error, &self.url, path)
    }

    /// One object, or a document of the API server.
    pub(super) async fn read<T: for<'a> Deserialize<'a>>(
        &self,
        path: &str,
    ) -> Result<T, ClusterError> {
        let request = Request::get(path)
            .body(Vec::new())
            .map_err(|error| self.failed(kube::Error::HttpError(error), path))?;
        let answer = self.client.request(request).await;
        answer.map_err(|error| self.failed(error, path))
    }

    /// The items of a list.
    pub(super) async fn items(&self, path: &str) -> Result<Vec<Value>, ClusterError> {
        let List { items } = self.read(path).await?;
        Ok(items)
    }

    /// Which of the kinds that we show there are, each in the version we read best.
    pub(super) async fn served(&self) -> Result<Vec<Served>, ClusterError> {
        let group = format!("/apis/{}", Kind::Gateway.group());
        let Group { versions } = match self.read(&group).await {
            Err(ClusterError::Refused { code: 404, .. }) => return Err(ClusterError::NoGatewayApi),
            answer => answer?,
        };
        let mut there = Vec::new();
        for GroupVersion { version } in versions {
            let Resources { resources } = self.read(&format!("{group}/{version}")).await?;
            let named = |Resource { name }| (version.clone(), name);
            there.extend(resources.into_iter().map(named));
        }
        Ok(choose(&there))
    }

    /// All objects of a kind, each with its `apiVersion` and `kind`, which lists leave out; those of
    /// one namespace alone where the user may not list more.
    pub(super) async fn objects(
        &self,
        served: Served,
        namespace: Option<&str>,
    ) -> Result<Vec<Value>, ClusterError> {
        let Served { kind, version } = served;
        let mut items = match (self.items(&path(served, None)).await, namespace) {
            (Err(ClusterError::Forbidden { .. }), Some(_)) if is_namespaced(kind) => {
                self.items(&path(served, namespace)).await?
            }
            (answer, _) => answer?,
        };
        for item in &mut items {
            if let Value::Object(fields) = item {
                let version = format!("{}/{version}", kind.group());
                fields.insert("apiVersion".to_owned(), version.into());
                fields.insert("kind".to_owned(), kind.as_str().into());
            }
        }
        Ok(items)
    }
}

fn is_namespaced(kind: Kind) -> bool {
    kind.scope() == Scope::Namespaced
}

/// Where the objects of a kind are, in one namespace or in all.
fn path(served: Served, namespace: Option<&str>) -> String {
    let Served { kind, version } = served;
    let (group, plural) = (kind.group(), kind.plural());
    match namespace {
        Some(namespace) => format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}"),
        None => format!("/apis/{group}/{version}/{plural}"),
    }
}

/// Of (version, plural) pairs those that we show.
fn choose(there: &[(String, String)]) -> Vec<Served> {
    let is_there = |kind: Kind, version: &str| {
        there
            .iter()
            .any(|(v, plural)| v == version && plural == kind.plural())
    };
    let newest = |kind: Kind| {
        let mut versions = kind.versions().iter();
        let version = versions.find(|version| is_there(kind, version))?;
        Some(Served { kind, version })
    };
    SHOWN.into_iter().filter_map(newest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_is_served_is_read() {
        let there = |pairs: &[(&str, &str)]| -> Vec<_> {
            let own = |(version, plural): &(&str, &str)| ((*version).into(), (*plural).into());
            pairs.iter().map(own).collect()
        };
        let chosen = choose(&there(&[
            ("v1alpha2", "tlsroutes"),
            ("v1alpha3", "tlsroutes"),
            ("v1beta1", "gateways"),
            ("v1", "gateways"),
            ("v1", "gateways/status"),
            ("v1alpha1", "meshes"),
        ]));
        let expected = [(Kind::Gateway, "v1"), (Kind::TlsRoute, "v1alpha3")];
        assert_eq!(
            chosen,
            expected.map(|(kind, version)| Served { kind, version })
        );
    }
}
