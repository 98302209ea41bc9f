//! The command line as it is given. [`crate::config`] checks it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

mod dataplane;

pub(crate) use self::dataplane::DataPlaneArgs;

/// What our GatewayClasses name as their controller, unless told otherwise.
pub(crate) const CONTROLLER_NAME: &str = "portcullis.dev/gateway-controller";

/// A Gateway API gateway that runs with and without a cluster.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    about,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `check`, no errors (with --strict, no warnings either)
  1  `check` found them; a running gateway did not answer or has no such object;
     connections were cut off at the end of --drain-timeout
  2  the command line is wrong, or a folder, a file or the admin address cannot be used
  130, 143  a second SIGINT or SIGTERM ended the process at once";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the Gateways and routes in folders of YAML, and follow every change
    #[command(after_help = STANDALONE_HELP)]
    Standalone(StandaloneArgs),
    /// Show what a gateway made of folders of YAML, without serving it: a linter for CI
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Show Gateways and routes, of a gateway that runs on this machine or of a cluster
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// Show what a gateway has loaded: listeners, certificates, routes; never private keys
    Config(ConfigArgs),
    /// Start a gateway with sample backends, and show what to try
    Demo(DemoArgs),
    /// Run as the controller of a Kubernetes cluster (in a pod, or outside with KUBECONFIG)
    Controller(ControllerArgs),
    /// Serve one Gateway of a cluster; the controller runs this in a Gateway's pods
    Dataplane(DataPlaneArgs),
}

const STANDALONE_HELP: &str = "\
The folders hold what `kubectl apply` takes: Gateway, HTTPRoute and the other Gateway API kinds,
Service, EndpointSlice, Secret, ConfigMap, Namespace. What an API server would add is understood:
a GatewayClass `portcullis`, and a namespace for whoever names one.

A Service needs endpoints: an EndpointSlice with the label kubernetes.io/service-name, or
`type: ExternalName` with `externalName: localhost`, 127.0.0.1 or any DNS name.

Files are followed as they change. A file with a mistake keeps its last good objects, and so does a
folder that is gone. SIGHUP looks at everything again. SIGTERM and SIGINT end the process when
requests in flight are done, a second one at once.";

const CHECK_HELP: &str = "\
Errors are what a cluster would refuse, and what could not work in these folders. What may be right
together with objects that are elsewhere is a warning: a Gateway of a class that is not ours, a
route whose parent is in none of the folders. With all there is in the folders, use --strict.";

const STATUS_HELP: &str = "\
Any option that names a cluster or a namespace asks a cluster, with your kubeconfig and your rights;
none asks the gateway on this machine. Of a cluster, those Gateways are shown whose class is
Portcullis's, their routes wherever they are, and the pods that serve them with what each applied.

  portcullis status --cluster          in the namespace of the kubeconfig's context
  portcullis status -A                 everywhere
  portcullis status -n shop web        Gateway or route `web` in `shop`";

#[derive(Debug, clap::Args)]
pub(crate) struct StandaloneArgs {
    /// Folders of YAML or JSON files, gone through recursively. When an object is in two files,
    /// the first counts
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// A folder of mounted Secrets, DIR/<namespace>/<secret>/{tls.crt,tls.key,ca.crt}; repeatable
    #[arg(long, value_name = "DIR")]
    pub(crate) credentials: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// How to serve, whatever is served.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Addresses to listen on, for Gateways without spec.addresses; repeatable [default: all]
    #[arg(
        long,
        value_name = "IP",
        env = "PORTCULLIS_BIND",
        value_delimiter = ','
    )]
    pub(crate) bind: Vec<IpAddr>,
    /// Listen on another port than a listener's; repeatable. `*` is every port, 0 any free one
    #[arg(
        long,
        value_name = "PORT=REAL",
        env = "PORTCULLIS_PORT_MAP",
        value_delimiter = ','
    )]
    pub(crate) port_map: Vec<String>,
    /// Also write every object with its status to this file, as YAML
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_STATUS_FILE")]
    pub(crate) status_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) process: ProcessArgs,
}

/// What every process that serves is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ProcessArgs {
    /// Where health, metrics and what is loaded are shown; keep it private
    #[arg(
        long,
        value_name = "IP:PORT",
        env = "PORTCULLIS_ADMIN",
        default_value = "127.0.0.1:15000"
    )]
    pub(crate) admin: SocketAddr,
    /// Threads that serve, per Gateway [default: one per CPU]
    #[arg(long, value_name = "N", env = "PORTCULLIS_WORKERS")]
    pub(crate) workers: Option<usize>,
    /// How long requests in flight may take when the process is told to end
    #[arg(
        long,
        value_name = "TIME",
        env = "PORTCULLIS_DRAIN_TIMEOUT",
        default_value = "30s"
    )]
    pub(crate) drain_timeout: String,
    /// One JSON object per request, to stdout, to a file or nowhere
    #[arg(
        long,
        value_name = "stdout|off|FILE",
        env = "PORTCULLIS_ACCESS_LOG",
        default_value = "off"
    )]
    pub(crate) access_log: String,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What is logged to stderr, and how.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// How to log: text for people, json for machines
    #[arg(long, value_enum, env = "PORTCULLIS_LOG_FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
    /// What to log: error, warn, info, debug, or per module as RUST_LOG takes it
    #[arg(
        long,
        value_name = "LEVEL",
        env = "PORTCULLIS_LOG",
        default_value = "info"
    )]
    pub(crate) log: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Folders or files, as for `standalone`
    #[arg(required = true, value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// A folder of mounted Secrets, as for `standalone`; repeatable
    #[arg(long, value_name = "DIR")]
    pub(crate) credentials: Vec<PathBuf>,
    /// How to print what is found
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: CheckOutput,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOutput {
    /// `file:line:column: error: ...`, as compilers do
    #[default]
    Text,
    /// A list of findings
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Only objects of this name, `name` or `namespace/name`
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: StatusOutput,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusOutput {
    /// Tables, and what is not as it should be
    #[default]
    Table,
    /// Tables with more columns
    Wide,
    /// The objects with their status
    Yaml,
    /// The objects with their status
    Json,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ConfigOutput,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigOutput {
    /// For people
    #[default]
    Text,
    /// All of it
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Of a Gateway in a cluster: what one of its pods has loaded
    Dump(DumpArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DumpArgs {
    /// The Gateway, `name` or `namespace/name`
    pub(crate) gateway: String,
    /// Which of its pods to ask [default: the first that is ready]
    #[arg(long, value_name = "POD")]
    pub(crate) pod: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ConfigOutput,
}

/// Which cluster to ask, and about what.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Of a cluster")]
pub(crate) struct ClusterArgs {
    /// Ask the cluster of your kubeconfig
    #[arg(long)]
    pub(crate) cluster: bool,
    /// In this namespace [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// The kubeconfig's context [default: its current one]
    #[arg(long, value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Where Portcullis's controller runs
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "PORTCULLIS_SYSTEM_NAMESPACE",
        default_value = "portcullis-system"
    )]
    pub(crate) system_namespace: String,
    /// What the GatewayClasses of this Portcullis name as their controller
    #[arg(
        long,
        value_name = "NAME",
        env = "PORTCULLIS_CONTROLLER_NAME",
        default_value = CONTROLLER_NAME,
    )]
    pub(crate) controller_name: String,
}

impl ClusterArgs {
    /// Whether a cluster is asked at all.
    pub(crate) fn is_named(&self) -> bool {
        self.cluster
            || self.namespace.is_some()
            || self.all_namespaces
            || self.context.is_some()
            || self.kubeconfig.is_some()
    }
}

/// Which running gateway to ask.
#[derive(Debug, clap::Args)]
pub(crate) struct AdminArgs {
    /// The admin address of a gateway that runs on this machine
    #[arg(
        long,
        value_name = "URL",
        env = "PORTCULLIS_ADMIN",
        default_value = "127.0.0.1:15000"
    )]
    pub(crate) admin: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Where to put the demo's files; kept when the demo ends [default: a new temporary folder,
    /// removed when the demo ends]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where the admin pages are served; another port is taken if this one is busy
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:15000")]
    pub(crate) admin: SocketAddr,
    /// Take any free ports, and do not ask for the usual ones
    #[arg(long)]
    pub(crate) any_ports: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The environment variables are those of the installation's manifests; so are the defaults.
#[derive(Debug, clap::Args)]
pub(crate) struct ControllerArgs {
    /// Serve the Gateways of GatewayClasses with this controllerName
    #[arg(
        long,
        value_name = "NAME",
        env = "PORTCULLIS_CONTROLLER_NAME",
        default_value = CONTROLLER_NAME
    )]
    pub(crate) controller_name: String,
    /// The namespace of the controller's Lease and Secret
    #[arg(
        long,
        value_name = "NAME",
        env = "POD_NAMESPACE",
        default_value = "portcullis-system"
    )]
    pub(crate) namespace: String,
    /// What tells this replica from others [default: local-<process id>]
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) pod_name: Option<String>,
    /// The image that data-plane pods run
    #[arg(
        long,
        value_name = "IMAGE",
        env = "PORTCULLIS_DATA_PLANE_IMAGE",
        default_value = concat!("ghcr.io/portcullis-dev/portcullis:v", env!("CARGO_PKG_VERSION"))
    )]
    pub(crate) data_plane_image: String,
    /// Where data planes get their configuration, gRPC over TLS [default: port 18000, all addresses]
    #[arg(long, value_name = "IP:PORT", env = "PORTCULLIS_SERVE")]
    pub(crate) serve: Option<SocketAddr>,
    /// Where /healthz, /readyz, /metrics and /sessions are served [default: port 8080, all addresses]
    #[arg(long, value_name = "IP:PORT", env = "PORTCULLIS_ADMIN")]
    pub(crate) admin: Option<SocketAddr>,
    /// Look at objects in this namespace only; repeatable [default: all namespaces]
    #[arg(
        long,
        value_name = "NAME",
        env = "PORTCULLIS_WATCH_NAMESPACES",
        value_delimiter = ','
    )]
    pub(crate) watch_namespace: Vec<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use portcullis_api::manifest;

    use super::*;

    const MANIFESTS: [&str; 2] = [
        include_str!("../../../manifests/install.yaml"),
        // What the Helm chart gives with every value set.
        include_str!("../../../manifests/chart/ci/other.golden.yaml"),
    ];

    #[test]
    fn the_manifests_set_variables_that_the_controller_reads() {
        let command = Args::command();
        let controller = command.find_subcommand("controller").unwrap();
        let read: BTreeSet<&str> = controller
            .get_arguments()
            .filter_map(|argument| argument.get_env()?.to_str())
            .collect();
        for text in MANIFESTS {
            let mut set = 0;
            for object in manifest::values(text).unwrap() {
                let containers = object.pointer("/spec/template/spec/containers");
                let containers = containers.and_then(|containers| containers.as_array());
                for variable in containers.into_iter().flatten().flat_map(variables) {
                    assert!(
                        read.contains(&*variable),
                        "{variable}: only {read:?} are read"
                    );
                    set += 1;
                }
            }
            assert!(set > 3);
        }
    }

    fn variables(container: &serde_json::Value) -> Vec<String> {
        let all = container["env"].as_array().into_iter().flatten();
        all.filter_map(|variable| variable["name"].as_str())
            .map(str::to_owned)
            .collect()
    }
}
