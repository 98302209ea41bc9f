//! The one binary: `portcullis standalone`, `controller`, `check`, `status`, `config`, `demo`.

mod admin;
mod args;
mod check;
mod clock;
mod cluster;
mod config;
mod controller;
mod dataplane;
mod demo;
mod exit;
mod logging;
mod print;
mod show;
mod signals;
mod standalone;
mod status;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::clock::now;
use crate::exit::Exit;

/// Gives back what thousands of routes took once they are gone, which glibc's cannot: it leaves holes
/// (bench/results/2026-11-22-trials.md). Without huge pages, of which an idle gateway needs none.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Args { command } = Args::parse();
    let exit = match command {
        Command::Standalone(args) => {
            serve(&args.serve.process.log.clone(), Threads::PerCpu, async {
                let config = args.try_into().map_err(told)?;
                standalone::run(config).await.map_err(told)
            })
        }
        Command::Demo(args) => serve(&args.log.clone(), Threads::PerCpu, async {
            demo::run(args).await.map_err(told)
        }),
        Command::Controller(args) => serve(&args.log.clone(), Threads::PerCpu, async {
            controller::run(args.into()).await.map_err(told)
        }),
        Command::Dataplane(args) => serve(&args.process.log.clone(), Threads::Two, async {
            let config = args.try_into().map_err(told)?;
            dataplane::run(config).await.map_err(told)
        }),
        Command::Check(args) => args
            .try_into()
            .map_err(told)
            .map(|config| check::run(&config)),
        Command::Status(args) => show::status(&args).map_err(told),
        Command::Config(args) => show::config(&args).map_err(told),
    };
    exit.unwrap_or_else(|exit| exit).into()
}

/// The threads of the runtime around what serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    PerCpu,
    /// For a data plane, whose workers have their own: one to apply, and one to answer meanwhile.
    Two,
}

/// Runs what serves, with logs and a runtime.
fn serve(
    log: &args::LogArgs,
    threads: Threads,
    work: impl Future<Output = Result<Exit, Exit>>,
) -> Result<Exit, Exit> {
    logging::start(log).map_err(|error| told(format!("--log: {error}")))?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if threads == Threads::Two {
        runtime.worker_threads(2);
    }
    let runtime = runtime.enable_all().build().map_err(told)?;
    let exit = runtime.block_on(work);
    runtime.shutdown_background();
    exit
}

fn told(error: impl Display) -> Exit {
    print::aside(&format!("portcullis: {error}"));
    Exit::Unusable
}
