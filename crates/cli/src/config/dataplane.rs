//! The command line of `portcullis dataplane`, checked.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use portcullis_dataplane::DrainConfig;
use portcullis_dataplane::source::SourceConfig;
use portcullis_ir::ObjectKey;

use super::{AccessLog, UsageError, access_log, every_address, parse_time, worker_count};
use crate::args::{DataPlaneArgs, ProcessArgs};

/// The port of health and metrics that nothing else was said about.
const HEALTH_PORT: u16 = 15021;

/// What `portcullis dataplane` does.
#[derive(Clone, Debug)]
pub(crate) struct DataPlane {
    pub(crate) source: SourceConfig,
    pub(crate) health: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) workers: NonZeroUsize,
    pub(crate) drain: DrainConfig,
    pub(crate) access_log: AccessLog,
}

impl TryFrom<DataPlaneArgs> for DataPlane {
    type Error = UsageError;

    fn try_from(args: DataPlaneArgs) -> Result<Self, UsageError> {
        let DataPlaneArgs {
            gateway,
            controller,
            credentials,
            health,
            drain_delay,
            process,
        } = args;
        let ProcessArgs {
            admin,
            workers,
            drain_timeout,
            access_log: target,
            log: _,
        } = process;
        Ok(Self {
            source: SourceConfig {
                gateway: parse_gateway(&gateway)?,
                controller: controller.parse().map_err(|error| UsageError::Controller {
                    text: controller,
                    error,
                })?,
                credentials,
            },
            health: health.unwrap_or_else(|| SocketAddr::new(every_address(), HEALTH_PORT)),
            admin,
            workers: worker_count(workers)?,
            drain: DrainConfig {
                min: parse_time("--drain-delay", &drain_delay)?,
                max: parse_time("--drain-timeout", &drain_timeout)?,
            },
            access_log: access_log(&target),
        })
    }
}

fn parse_gateway(text: &str) -> Result<ObjectKey, UsageError> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(ObjectKey::new(namespace, name))
        }
        _ => Err(UsageError::Gateway {
            text: text.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn parse(args: &[&str]) -> Result<DataPlane, UsageError> {
        let all = ["portcullis", "dataplane"].iter().chain(args);
        let Command::Dataplane(args) = Args::try_parse_from(all).unwrap().command else {
            panic!("another command");
        };
        args.try_into()
    }

    #[test]
    fn a_gateway_is_enough() {
        let config = parse(&["--gateway=default/g"]).unwrap();
        assert_eq!(config.source.gateway, ObjectKey::new("default", "g"));
        let controller = "portcullis-controller.portcullis-system.svc:18000";
        assert_eq!(config.source.controller.to_string(), controller);
        assert_eq!(config.health.port(), 15021);
        assert!(config.health.ip().is_unspecified());
    }

    #[test]
    fn mistakes_are_named() {
        for (args, text) in [
            (vec!["--gateway=g"], "--gateway g: expected NAMESPACE/NAME"),
            (
                vec!["--gateway=a/b/c"],
                "--gateway a/b/c: expected NAMESPACE/NAME",
            ),
            (
                vec!["--gateway=a/b", "--controller=localhost"],
                "--controller localhost: expected https://<name>:<port>",
            ),
            (
                vec!["--gateway=a/b", "--drain-delay=soon"],
                "--drain-delay soon: expected a time such as 30s, 1m30s or 500ms",
            ),
        ] {
            assert_eq!(parse(&args).unwrap_err().to_string(), text);
        }
    }
}
