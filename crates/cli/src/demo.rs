//! `portcullis demo`.

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::standalone::StartError;

/// Runs the demo.
pub(crate) async fn run(_args: DemoArgs) -> Result<Exit, StartError> {
    std::future::pending().await
}
