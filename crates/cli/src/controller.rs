//! `portcullis controller`: a cluster's Gateways, by their data planes' pods.

use std::io;

use portcullis_controller::app::{self, AppError};

use crate::exit::Exit;
use crate::signals::Ending;

/// Why the controller cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControllerError {
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    #[error("no cluster: {0}; run it in a pod, or set KUBECONFIG")]
    NoCluster(#[source] kube::config::InferConfigError),
    #[error("the cluster's configuration: {0}")]
    Client(#[source] kube::Error),
    #[error(transparent)]
    App(#[from] AppError),
}

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(config: portcullis_controller::Config) -> Result<Exit, ControllerError> {
    let mut ending = Ending::new()?;
    let cluster = kube::Config::infer().await;
    let cluster = cluster.map_err(ControllerError::NoCluster)?;
    let client = kube::Client::try_from(cluster).map_err(ControllerError::Client)?;
    let stop = async move {
        ending.next().await;
    };
    app::run(config, client, stop).await?;
    Ok(Exit::Done)
}
