//! What a test may end with, and tests that are one program.

use core::fmt;
use core::time::Duration;

use super::world::World;

/// What a test's function may return.
pub trait Ends {
    /// Whether it went well.
    ///
    /// # Errors
    /// What went wrong, in words.
    fn ends(self) -> Result<(), String>;
}

impl Ends for () {
    fn ends(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> Ends for Result<(), E> {
    fn ends(self) -> Result<(), String> {
        self.map_err(|e| e.to_string())
    }
}

/// Plays a world with one host, on which `program` runs: what `#[septet::test] async fn` does.
///
/// # Errors
/// What went wrong, in words.
pub fn alone<F>(program: F) -> Result<(), String>
where
    F: Future<Output: Ends> + 'static,
{
    // It ends when the program does.
    let mut world = World::builder().stop(Duration::from_secs(365 * 86_400)).build();
    world.client("test", async move { program.await.ends().map_err(Into::into) });
    world.run().map_err(|failure| failure.to_string())
}
