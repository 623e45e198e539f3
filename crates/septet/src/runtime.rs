//! The runtime that the calling program is run by: a simulated host's, or outside of a simulation tokio's.

use septet_host::Here;

use crate::task::JoinHandle;

/// A handle of the runtime, as [`tokio::runtime::Handle`] is one.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let handle = septet::runtime::Handle::current();
///     assert_eq!(handle.host().as_deref(), Some("client"));
///     assert_eq!(handle.spawn(async { 1 + 1 }).await?, 2);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Here(Here),
    Real(tokio::runtime::Handle),
}

impl Handle {
    /// That of the calling program.
    ///
    /// # Panics
    /// Outside of a simulation and of tokio's runtime.
    pub fn current() -> Self {
        Self::try_current().expect("called by a program of a simulated host, or in tokio's runtime")
    }

    /// That of the calling program; `None` outside of a simulation and of tokio's runtime.
    pub fn try_current() -> Option<Self> {
        match Here::current() {
            Some(here) => Some(Self(Kind::Here(here))),
            None => tokio::runtime::Handle::try_current().ok().map(|handle| Self(Kind::Real(handle))),
        }
    }

    /// The name of the simulated host; `None` outside of a simulation.
    pub fn host(&self) -> Option<String> {
        match &self.0 {
            Kind::Here(here) => Some(here.net().hostname()),
            Kind::Real(_) => None,
        }
    }

    /// Runs `future` there, as [`task::spawn`](crate::task::spawn) does. The handle of a simulated host is to be used by a
    /// program of that host.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.0 {
            Kind::Here(here) => JoinHandle::here(here, future),
            Kind::Real(handle) => JoinHandle::real(handle.spawn(future)),
        }
    }
}
