//! Tests of distributed programs: a [`World`] whose hosts run your code, faults, and [`#[septet::test]`](macro@crate::test),
//! which plays it with many seeds.
//!
//! ```
//! use septet::net::{TcpListener, TcpStream};
//! use septet::test::World;
//!
//! let mut world = World::builder().loss("1%").build();
//! world.host("server", || async {
//!     let listener = TcpListener::bind("0.0.0.0:80").await?;
//!     loop {
//!         listener.accept().await?;
//!     }
//! });
//! world.client("client", async {
//!     TcpStream::connect("server:80").await?;
//!     Ok(())
//! });
//! world.run()?;
//! # Ok::<(), septet::test::Failure>(())
//! ```
//!
//! What a program draws through [`septet::rand`](crate::rand), keeps in [`septet::collections`](crate::collections) and asks
//! of [`septet::time`](crate::time) is the same in every run with the same seed. Whether all of it is so is found out: under
//! [`#[septet::test]`](macro@crate::test) the first seed is played twice, and where the two runs part, the first event at
//! which they do is named.

mod alone;
mod builder;
mod came;
pub(crate) mod failure;
mod faults;
mod harm;
mod harness;
mod keep;
mod log;
mod look;
mod parting;
mod program;
mod seeds;
mod shrink;
mod trial;
mod watch;
pub(crate) mod wish;
mod within;
mod world;

pub use alone::{Ends, alone};
pub use builder::Builder;
pub use failure::{Failure, What};
pub use faults::{Happened, Hosts};
pub use harness::{Test, run};
pub use seeds::Seeds;
pub use watch::{Packet, record};
pub use within::{crash, elapsed, hold, partition, partition_oneway, release, repair, restart};
pub use world::World;

/// What a test, or a program of its world, may return: as with turmoil's `Result`, any error will do.
pub type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = core::result::Result<T, E>;
