//! The command line of `portcullis dataplane`.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::ProcessArgs;

#[derive(Debug, clap::Args)]
pub(crate) struct DataPlaneArgs {
    /// The Gateway to serve
    #[arg(long, value_name = "NAMESPACE/NAME", env = "PORTCULLIS_GATEWAY")]
    pub(crate) gateway: String,
    /// Where the controller is; every address of the name is tried until one accepts
    #[arg(
        long,
        value_name = "https://NAME:PORT",
        env = "PORTCULLIS_CONTROLLER",
        default_value = "https://portcullis-controller.portcullis-system.svc:18000"
    )]
    pub(crate) controller: String,
    /// A folder with `token`, to be shown to the controller, and `ca.crt`, to know it by
    #[arg(
        long,
        value_name = "DIR",
        env = "PORTCULLIS_CREDENTIALS",
        default_value = "/var/run/portcullis"
    )]
    pub(crate) credentials: PathBuf,
    /// Where /healthz, /readyz and /metrics are served [default: port 15021 of all addresses]
    #[arg(long, value_name = "IP:PORT", env = "PORTCULLIS_HEALTH")]
    pub(crate) health: Option<SocketAddr>,
    /// How long new connections are still taken when the process is told to end, until all load
    /// balancers know; not waited for by one that never had a client
    #[arg(
        long,
        value_name = "TIME",
        env = "PORTCULLIS_DRAIN_DELAY",
        default_value = "5s"
    )]
    pub(crate) drain_delay: String,
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}
