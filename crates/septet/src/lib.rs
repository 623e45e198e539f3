//! Septet, the library: your async code on a whole network in one process.
//!
//! A [`Sim`] is a lab whose hosts run your code beside the lab's own services. The code asks for sockets through
//! [`Net`], gets a real TCP below them, and sees the lab's losses, cuts and crashes; time is virtual, and a seed
//! repeats a run to the bit.
//!
//! ```
//! use septet::{ListenOptions, Sim, TcpOptions};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let mut sim = Sim::new(
//!     r#"
//!     [lab]
//!     name = "echo"
//!     stop = "60s"
//!     [media]
//!     wan = { rate = "10mbit", delay = "20ms", loss = "5%" }
//!     [topology]
//!     links = ["client -- server : wan"]
//!     [host.client]
//!     [host.server]
//!     "#,
//! )?;
//! sim.host("server", |net| async move {
//!     let listener = net.listen("0.0.0.0:7".parse()?, ListenOptions::default())?;
//!     let (mut stream, _) = listener.accept().await?;
//!     let mut text = Vec::new();
//!     stream.read_to_end(&mut text).await?;
//!     stream.write_all(&text).await?;
//!     stream.shutdown().await?;
//!     Ok(())
//! })?;
//! let server = sim.address("server")?;
//! sim.host("client", move |net| async move {
//!     let mut stream = net.connect((server, 7).into(), TcpOptions::default()).await?;
//!     stream.write_all(&[7; 100_000]).await?;
//!     stream.shutdown().await?;
//!     let mut back = Vec::new();
//!     stream.read_to_end(&mut back).await?;
//!     assert_eq!(back, vec![7; 100_000]);
//!     Ok(())
//! })?;
//! let outcome = sim.run()?;
//! assert!(outcome.ok());
//! # Ok::<(), septet::Error>(())
//! ```
//!
//! Code that is written for tokio needs no network handed to it: [`net`], [`time`] and [`task`] have tokio's shape, and are the
//! simulated host's inside of a simulation and tokio's own outside. [`mod@test`] plays such code with many seeds, with faults
//! from code, and [brings down](macro@test) what fails.
//!
//! A lab can also be said in code, by the same keys and small languages, with Rust's own types where it has them:
//!
//! ```
//! use core::time::Duration;
//! use septet::{Lab, Sim};
//!
//! let lab = Lab::builder("echo")
//!     .medium("wan", |m| m.rate("10mbit").delay(Duration::from_millis(20)).loss("5%"))
//!     .link("client -- server : wan")
//!     .host("server", |h| h.service("http", |http| http.set("body", "20kb")))
//!     .host("client", |h| h.run("at 1s: curl http://server/ --repeat 5"))
//!     .expect("served", "client.http.ok == 5")
//!     .build()?;
//! assert!(Sim::of(&lab, None)?.run()?.ok());
//! # Ok::<(), septet::Error>(())
//! ```

pub mod collections;
mod desk;
mod error;
pub mod fs;
pub mod hyper;
pub mod net;
pub mod rand;
pub mod runtime;
mod sim;
pub mod task;
pub mod test;
pub mod time;

/// Plays a test with many seeds.
///
/// `#[septet::test(seeds = 100)]` plays it with the seeds 1 to 100, on all cores; `seeds = 5..50` with those; without an argument
/// with one. The function takes nothing and returns `()` or a `Result` whose error can be shown. Each
/// [`World`](test::World) that it makes has the seed of the run. An `async fn` is a world with one program.
///
/// A seed that fails is told with how to play it again (`SEPTET_SEED=7 cargo test …`), the fewest faults that still make it
/// fail, and the directory where its lab file, capture and story are kept. The first seed is played twice, and a run that is
/// not repeatable is found out.
///
/// ```
/// use septet::test::World;
///
/// #[septet::test(seeds = 20)]
/// fn a_datagram_is_refused() -> septet::test::Result {
///     let mut world = World::builder().loss("10%").build();
///     world.host("b", || async { Ok(()) });
///     world.client("a", async {
///         let socket = septet::net::UdpSocket::bind("0.0.0.0:0").await?;
///         socket.send_to(b"?", "b:9").await?;
///         Ok(())
///     });
///     world.run()?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
pub use septet_macros::test;

pub use error::Error;
pub use septet_core::{Instant, Recorder, Rng, Seed};
pub use septet_host::{Host, HostConfig};
pub use septet_lab::{Fields, Lab, LabBuilder, Mistakes, Outcome, Value};

/// The tables that [`Lab::builder`] is told: hosts, routers, switches, media.
pub mod lab {
    pub use septet_lab::{Host, L3Switch, Medium, Router, Switch};
}
pub use septet_socket::{
    Datagram, EchoReply, Elapsed, IcmpSocket, ListenOptions, Net, NetExt, NetRef, Nodelay, Sleep, Spawned, TcpListener,
    TcpOptions, TcpStream, UdpSocket, Unreached,
};
pub use sim::{ProgramError, Sim};

/// The examples of the guides are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust.md")]
struct Guide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Testing;
