//! The command line, checked: nothing here is optional any more that has a default.

mod dataplane;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use portcullis_controller::config::Namespaces;
use portcullis_dataplane::PortMap;
use portcullis_dataplane::source::InvalidController;
use portcullis_folder::Roots;

use crate::args::{
    CheckArgs, CheckOutput, ControllerArgs, LogArgs, ProcessArgs, ServeArgs, StandaloneArgs,
};

pub(crate) use self::dataplane::DataPlane;

/// What `portcullis standalone` does.
#[derive(Clone, Debug)]
pub(crate) struct Standalone {
    pub(crate) roots: Roots,
    pub(crate) serve: Serve,
}

/// How to serve, whatever is served.
#[derive(Clone, Debug)]
pub(crate) struct Serve {
    /// For Gateways that ask for no address.
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) ports: PortMap,
    pub(crate) admin: SocketAddr,
    pub(crate) workers: NonZeroUsize,
    pub(crate) drain_timeout: Duration,
    pub(crate) status_file: Option<PathBuf>,
    pub(crate) access_log: AccessLog,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    Stdout,
    File(PathBuf),
}

/// What `portcullis check` does.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) roots: Roots,
    pub(crate) output: CheckOutput,
    pub(crate) strictness: Strictness,
}

/// What makes `portcullis check` fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    Errors,
    ErrorsAndWarnings,
}

/// Why the command line cannot be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("{}: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    #[error(
        "--port-map {text}: expected LISTENER=REAL, such as 443=8443, or *=0 for any free ports"
    )]
    PortMap { text: String },
    #[error("--port-map: port {port} is mapped twice")]
    PortMapTwice { port: String },
    #[error(
        "{option} {}: is inside {}, where it would be read as a manifest; put it elsewhere",
        path.display(), folder.display()
    )]
    OwnOutput {
        option: &'static str,
        path: PathBuf,
        folder: PathBuf,
    },
    #[error("--workers: at least 1")]
    NoWorkers,
    #[error("--gateway {text}: expected NAMESPACE/NAME")]
    Gateway { text: String },
    #[error("--controller {text}: {error}")]
    Controller {
        text: String,
        error: InvalidController,
    },
    #[error("{option} {text}: expected a time such as 30s, 1m30s or 500ms")]
    Time { option: &'static str, text: String },
}

impl TryFrom<StandaloneArgs> for Standalone {
    type Error = UsageError;

    fn try_from(args: StandaloneArgs) -> Result<Self, UsageError> {
        let StandaloneArgs {
            folders,
            credentials,
            serve,
        } = args;
        let roots = roots(folders, credentials)?;
        let serve = Serve::try_from(serve)?;
        if let Some(path) = &serve.status_file {
            refuse_inside(&roots, "--status-file", path)?;
        }
        if let AccessLog::File(path) = &serve.access_log {
            refuse_inside(&roots, "--access-log", path)?;
        }
        Ok(Self { roots, serve })
    }
}

impl TryFrom<ServeArgs> for Serve {
    type Error = UsageError;

    fn try_from(args: ServeArgs) -> Result<Self, UsageError> {
        let ServeArgs {
            bind,
            port_map,
            status_file,
            process,
        } = args;
        let ProcessArgs {
            admin,
            workers,
            drain_timeout,
            access_log,
            log: _,
        } = process;
        Ok(Self {
            bind: if bind.is_empty() {
                vec![every_address()]
            } else {
                bind
            },
            ports: parse_port_map(&port_map)?,
            admin,
            workers: worker_count(workers)?,
            drain_timeout: parse_time("--drain-timeout", &drain_timeout)?,
            status_file,
            access_log: self::access_log(&access_log),
        })
    }
}

impl TryFrom<CheckArgs> for Check {
    type Error = UsageError;

    fn try_from(args: CheckArgs) -> Result<Self, UsageError> {
        let CheckArgs {
            folders,
            credentials,
            output,
            strict,
        } = args;
        Ok(Self {
            roots: roots(folders, credentials)?,
            output,
            strictness: if strict {
                Strictness::ErrorsAndWarnings
            } else {
                Strictness::Errors
            },
        })
    }
}

impl From<ControllerArgs> for portcullis_controller::Config {
    fn from(args: ControllerArgs) -> Self {
        let ControllerArgs {
            controller_name,
            namespace,
            pod_name,
            data_plane_image,
            serve,
            admin,
            watch_namespace,
            log: LogArgs {
                log_format: _,
                log: _,
            },
        } = args;
        // An empty list in the environment is one empty name.
        let names: BTreeSet<String> = watch_namespace
            .into_iter()
            .filter(|name| !name.is_empty())
            .collect();
        Self {
            controller_name,
            namespace,
            pod_name: pod_name.unwrap_or_else(|| format!("local-{}", std::process::id())),
            data_plane_image,
            serve: serve.unwrap_or_else(|| (every_address(), 18000).into()),
            admin: admin.unwrap_or_else(|| (every_address(), 8080).into()),
            namespaces: if names.is_empty() {
                Namespaces::All
            } else {
                Namespaces::Only(names)
            },
        }
    }
}

fn access_log(target: &str) -> AccessLog {
    match target {
        "off" => AccessLog::Off,
        "stdout" => AccessLog::Stdout,
        file => AccessLog::File(file.into()),
    }
}

/// A folder that is missing from the start is a typing error; one that goes later is not.
fn roots(manifests: Vec<PathBuf>, credentials: Vec<PathBuf>) -> Result<Roots, UsageError> {
    let read = |path: &Path| match fs::metadata(path)? {
        metadata if metadata.is_dir() => fs::read_dir(path).map(drop),
        _ => fs::File::open(path).map(drop),
    };
    for path in manifests.iter().chain(&credentials) {
        read(path).map_err(|error| {
            let reason = error.to_string();
            UsageError::Folder {
                path: path.clone(),
                reason,
            }
        })?;
    }
    Ok(Roots {
        manifests,
        credentials,
    })
}

/// What we write must not be read again: statuses are objects too, and would take the place of
/// those they are about.
fn refuse_inside(roots: &Roots, option: &'static str, path: &Path) -> Result<(), UsageError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // A folder that does not exist is in none that does; writing there will say so.
    let Ok(real) = folder.canonicalize() else {
        return Ok(());
    };
    let real = real.join(path.file_name().unwrap_or_default());
    let contains = |root: &&PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    let mut all = roots.manifests.iter().chain(&roots.credentials);
    match all.find(contains) {
        None => Ok(()),
        Some(root) => Err(UsageError::OwnOutput {
            option,
            path: path.to_owned(),
            folder: root.clone(),
        }),
    }
}

/// All addresses of this machine: of both families through one socket, where there is IPv6.
pub(crate) fn every_address() -> IpAddr {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn worker_count(wanted: Option<usize>) -> Result<NonZeroUsize, UsageError> {
    match wanted {
        Some(count) => NonZeroUsize::new(count).ok_or(UsageError::NoWorkers),
        None => Ok(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
    }
}

fn parse_port_map(entries: &[String]) -> Result<PortMap, UsageError> {
    let mut map = PortMap {
        ports: BTreeMap::new(),
        others: None,
    };
    for text in entries {
        let malformed = || UsageError::PortMap { text: text.clone() };
        let (written, real) = text.split_once('=').ok_or_else(malformed)?;
        let real: u16 = real.trim().parse().map_err(|_| malformed())?;
        let before = match written.trim() {
            "*" => map.others.replace(real),
            port => map
                .ports
                .insert(port.parse().map_err(|_| malformed())?, real),
        };
        if before.is_some() {
            return Err(UsageError::PortMapTwice {
                port: written.to_owned(),
            });
        }
    }
    Ok(map)
}

/// A time as the Gateway API writes it (GEP-2257): `1h`, `1m30s`, `500ms`; or bare seconds.
fn parse_time(option: &'static str, text: &str) -> Result<Duration, UsageError> {
    let malformed = || UsageError::Time {
        option,
        text: text.to_owned(),
    };
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or_else(malformed)?;
        let (number, unit_and_rest) = rest.split_at(digits);
        let end = unit_and_rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit_and_rest.len());
        let (unit, after) = unit_and_rest.split_at(end);
        let number: u64 = number.parse().map_err(|_| malformed())?;
        let milliseconds = match unit {
            "h" => number.checked_mul(3_600_000),
            "m" => number.checked_mul(60_000),
            "s" => number.checked_mul(1_000),
            "ms" => Some(number),
            _ => None,
        };
        let part = Duration::from_millis(milliseconds.ok_or_else(malformed)?);
        total = total.checked_add(part).ok_or_else(malformed)?;
        rest = after;
    }
    if text.is_empty() {
        Err(malformed())
    } else {
        Ok(total)
    }
}

#[cfg(test)]
mod tests;
