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
use std::thread;
use std::time::Duration;

use clap::Parser;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::args::{Args, Command};
use crate::clock::now;
use crate::exit::Exit;

/// Gives back what thousands of routes took once they are gone, which glibc's cannot: it leaves holes
/// (bench/results/2026-11-22-trials.md). Without huge pages, of which an idle gateway needs none.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often freed memory is given back.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Who took no more processor time than this meanwhile has not freed much.
const AT_REST: Duration = Duration::from_millis(10);
/// How often it is given back when at rest: what was freed last becomes free only after a while.
const LAST_LOOKS: u32 = 2;

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
    runtime.spawn(give_back());
    let exit = runtime.block_on(work);
    runtime.shutdown_background();
    exit
}

/// The allocator looks for freed pages to give back when a thread frees more of them, or ends. In a
/// gateway at rest nobody does either: what thousands of routes took would stay.
async fn give_back() {
    let mut used = processor_time();
    let mut rests = 0;
    loop {
        tokio::time::sleep(GIVE_BACK).await;
        let before = std::mem::replace(&mut used, processor_time());
        let is_at_rest = used.saturating_sub(before) <= AT_REST;
        rests = if is_at_rest { rests + 1 } else { 0 };
        if rests > LAST_LOOKS {
            rests = LAST_LOOKS;
            continue;
        }
        // It has something to end with only if it has allocated.
        let allocate = || drop(std::hint::black_box(Box::new(0_u8)));
        if let Err(error) = thread::Builder::new()
            .name("memory".to_owned())
            .spawn(allocate)
        {
            tracing::debug!("no thread to give memory back: {error}");
        }
    }
}

/// What the process took of processors so far.
fn processor_time() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let spent = usage.user_time() + usage.system_time();
    Duration::from_micros(u64::try_from(spent.num_microseconds()).unwrap_or_default())
}

fn told(error: impl Display) -> Exit {
    print::aside(&format!("portcullis: {error}"));
    Exit::Unusable
}
