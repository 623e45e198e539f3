//! `septet bench io` and `septet calibrate`: input and output on the kernel's sockets, measured.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{bench, calibrate, serve};

/// What it is called among the workloads.
pub(crate) const NAME: &str = "io";
/// What it does.
pub(crate) const HELP: &str =
    "one echo and one HTTP server in four styles of input and output on the kernel's sockets; not among `all`";

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use crate::args::{BenchArgs, IoServerArgs};
    use crate::exit::{Exit, Failure};

    fn only() -> Result<Exit, Failure> {
        Err(Failure::environment("this measures Linux, and works only there"))
    }

    pub(crate) fn bench(_: &BenchArgs) -> Result<Exit, Failure> {
        only()
    }

    pub(crate) fn calibrate() -> Result<Exit, Failure> {
        only()
    }

    pub(crate) fn serve(_: &IoServerArgs) -> Result<Exit, Failure> {
        only()
    }
}
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{bench, calibrate, serve};
