//! GET from a port of a pod, through the API server. Reaches what listens on the pod's loopback
//! only, and needs the right to `get` and `create` `pods/portforward`.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use portcullis_api::ObjectKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::api::Cluster;
use super::error::{ClusterError, innermost};
use crate::admin::{PATIENCE, body, request};

impl Cluster {
    /// The body of `GET path` at a port of a pod.
    pub(super) async fn ask_pod(
        &self,
        pod: &ObjectKey,
        port: u16,
        path: &str,
    ) -> Result<String, ClusterError> {
        let failed = |reason: String| ClusterError::Forward {
            pod: pod.clone(),
            port,
            reason,
        };
        match timeout(PATIENCE, self.exchange(pod, port, path)).await {
            Ok(answer) => {
                body(&answer?, &format!("port {port}")).map_err(|error| failed(error.to_string()))
            }
            Err(_) => Err(failed(format!("no answer in {} s", PATIENCE.as_secs()))),
        }
    }

    async fn exchange(
        &self,
        pod: &ObjectKey,
        port: u16,
        path: &str,
    ) -> Result<Vec<u8>, ClusterError> {
        let failed = |reason: String| ClusterError::Forward {
            pod: pod.clone(),
            port,
            reason,
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let mut forwarder = pods
            .portforward(&pod.name, &[port])
            .await
            .map_err(|error| self.refused(error, pod, port))?;
        let refusal = forwarder.take_error(port);
        let mut stream = forwarder
            .take_stream(port)
            .ok_or_else(|| failed("the port was not forwarded".to_owned()))?;
        let request = request(path, "localhost");
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(|error| failed(error.to_string()))?;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        if answer.is_empty() {
            let said = match refusal {
                Some(refusal) => refusal.await,
                None => None,
            };
            let reason = said.unwrap_or_else(|| "the connection was closed".to_owned());
            return Err(failed(reason.trim().to_owned()));
        }
        read.map_err(|error| failed(error.to_string()))?;
        Ok(answer)
    }

    fn refused(&self, error: kube::Error, pod: &ObjectKey, port: u16) -> ClusterError {
        let ObjectKey { namespace, name } = pod;
        match error {
            kube::Error::Api(_) => self.failed(
                error,
                &format!("/api/v1/namespaces/{namespace}/pods/{name}/portforward"),
            ),
            other => ClusterError::Forward {
                pod: pod.clone(),
                port,
                reason: innermost(&other),
            },
        }
    }
}
