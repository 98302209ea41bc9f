//! Exit codes.

use std::process::ExitCode;

/// How the process ends. `--help` tells what the codes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0
    Done,
    /// 1: something was found, or cut off.
    Failed,
    /// 2: what was given cannot be used.
    Unusable,
    /// 130: 128 + SIGINT.
    Interrupted,
    /// 143: 128 + SIGTERM.
    Terminated,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        })
    }
}
