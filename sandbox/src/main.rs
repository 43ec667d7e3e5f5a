//! The `hf2ms-sandbox` command: runs the hubs and says where they are.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use hf2ms_sandbox::platform::asked_to_stop;
use hf2ms_sandbox::{Address, Ports, Sandbox};
use tokio::io::AsyncReadExt;

/// Loopback hubs that behave like Hugging Face and ModelScope, with faults on request.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Serve),
}

/// Run the hubs on loopback and print one line of JSON with their addresses and accounts.
///
/// Repos are kept in memory: a restart begins empty. Only the content of blobs is under DIR.
#[derive(Args)]
struct Serve {
    /// Where the content of blobs goes; made if absent.
    #[arg(long)]
    dir: PathBuf,
    /// The interface to listen on; 0.0.0.0 is all of them. Anyone who reaches the admin commands the sandbox.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The host in the URLs that are handed out, where others know it by a name; else the address of --bind.
    #[arg(long, value_name = "HOST", required_if_eq_any([("bind", "0.0.0.0"), ("bind", "::")]))]
    advertise: Option<String>,
    /// Port of Hugging Face; 0 is any free one.
    #[arg(long, default_value_t = 0)]
    hf: u16,
    /// Port of ModelScope.
    #[arg(long, default_value_t = 0)]
    ms: u16,
    /// Port of the admin.
    #[arg(long, default_value_t = 0)]
    admin: u16,
    /// Port of Hugging Face's object storage.
    #[arg(long, default_value_t = 0)]
    hf_storage: u16,
    /// Port of ModelScope's object storage.
    #[arg(long, default_value_t = 0)]
    ms_storage: u16,
    /// Port of Hugging Face's Xet storage.
    #[arg(long, default_value_t = 0)]
    hf_cas: u16,
    /// Bytes that the kernel takes on a connection before they are read; else what it likes.
    #[arg(long, value_name = "BYTES")]
    receive_buffer: Option<u32>,
    /// Stop when stdin is closed, so that a killed test leaves no server.
    #[arg(long)]
    parent_stdin: bool,
}

fn main() -> ExitCode {
    let Command::Serve(args) = Cli::parse().command;
    let done = tokio::runtime::Runtime::new().and_then(|runtime| {
        let done = runtime.block_on(serve(args));
        // A thread may still be reading stdin; nothing waits for it.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hf2ms-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Serve) -> std::io::Result<()> {
    let Serve {
        hf,
        hf_storage,
        ms,
        ms_storage,
        admin,
        hf_cas,
        ..
    } = args;
    let ports = Ports {
        hf,
        hf_storage,
        ms,
        ms_storage,
        admin,
        hf_cas,
    };
    let address = Address {
        bind: args.bind,
        advertise: args.advertise,
        ports,
        receive_buffer: args.receive_buffer,
    };
    let running = Sandbox::start_at(&args.dir, &address).await?;
    let asked = asked_to_stop()?;
    writeln!(std::io::stdout(), "{}", running.described())?;
    tokio::select! {
        () = asked => {}
        () = parent_gone(), if args.parent_stdin => {}
    }
    Ok(())
}

/// Returns when stdin is closed.
async fn parent_gone() {
    let mut buffer = [0; 64];
    while matches!(tokio::io::stdin().read(&mut buffer).await, Ok(read) if read > 0) {}
}
