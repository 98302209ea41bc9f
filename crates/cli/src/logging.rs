//! Logs, on stderr.

use std::fmt;
use std::io::{self, IsTerminal};

use jiff::Timestamp;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::args::{LogArgs, LogFormat};

/// UTC in milliseconds.
#[derive(Debug)]
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", Timestamp::now())
    }
}

/// Libraries that log errors which they also return; who gets them says more about them.
const TELL_TWICE: &str = "kube_client=off,kube_runtime=off";

/// Logs from now on. Fails if the filter cannot be read.
pub(crate) fn start(args: &LogArgs) -> Result<(), ParseError> {
    let LogArgs { log_format, log } = args;
    // What is asked for by name comes later, and counts.
    let filter = EnvFilter::builder().parse(format!("{TELL_TWICE},{log}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // It would say on stderr that stderr is gone, and panic.
        .log_internal_errors(false);
    match log_format {
        LogFormat::Text => subscriber
            .with_timer(Milliseconds)
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .init(),
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_timer(Milliseconds)
            .init(),
    }
    Ok(())
}
