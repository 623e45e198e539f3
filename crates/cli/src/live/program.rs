//! `septet program`: a built-in program on this machine's own network.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use septet_application::programs::{self, Console, Context, Input};
use septet_live::kernel::KernelNet;
use septet_presentation::ca::TrustStore;
use septet_session::transfer::{Directory, Files, Outgoing, Source};

use crate::exit::{Exit, Failure, environment};

pub(super) fn program(argv: &[String]) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    let exit = runtime.block_on(async {
        let net = KernelNet::new().map_err(environment)?.into_net();
        // Nobody vouches for names of the outside; a program that must believe somebody has an option for it.
        let context = Context { net, console: Arc::new(Terminal), trust: TrustStore::empty() };
        Ok(Exit::Of(programs::launch(context, argv.to_vec()).await))
    });
    // Whoever reads a terminal cannot be asked to stop.
    runtime.shutdown_background();
    exit
}

/// The streams of this process.
struct Terminal;

impl Console for Terminal {
    fn input(&self) -> Input {
        Input::Live(Box::new(tokio::io::stdin()))
    }

    fn out(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        // Whoever read it has gone; the program goes on to its end and its exit status.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    fn err(&self, bytes: &[u8]) {
        let _ = io::stderr().write_all(bytes);
    }

    fn directory(&self, path: &str) -> io::Result<Arc<dyn Files>> {
        Ok(Arc::new(Directory::open(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Source>> {
        Ok(Box::new(Outgoing::open(path)?))
    }

    fn columns(&self) -> Option<u16> {
        let stderr = io::stderr();
        stderr.is_terminal().then(|| terminal_size::terminal_size_of(stderr).map_or(80, |(width, _)| width.0))
    }
}
