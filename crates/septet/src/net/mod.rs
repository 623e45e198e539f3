//! Sockets in tokio's shape: inside a simulation they are those of the simulated host whose program calls, outside they are
//! tokio's own.
//!
//! A program is switched over by its `use` lines alone: `use tokio::net::…` becomes `use septet::net::…`. Names, signatures
//! and error kinds are tokio's. Which kind a socket is, is decided when it is made, by whether a simulated host's program is
//! running on the thread; nothing is decided at compile time.
//!
//! ```
//! use septet::net::{TcpListener, TcpStream};
//! use septet::test::World;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let mut world = World::new();
//! world.host("server", || async {
//!     let listener = TcpListener::bind("0.0.0.0:7").await?;
//!     loop {
//!         let (mut stream, _) = listener.accept().await?;
//!         septet::task::spawn(async move {
//!             let (mut from, mut to) = stream.split();
//!             tokio::io::copy(&mut from, &mut to).await
//!         });
//!     }
//! });
//! world.client("client", async {
//!     let mut stream = TcpStream::connect("server:7").await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown().await?;
//!     let mut back = String::new();
//!     stream.read_to_string(&mut back).await?;
//!     assert_eq!(back, "hello");
//!     Ok(())
//! });
//! world.run()?;
//! # Ok::<(), septet::test::Failure>(())
//! ```

mod address;
mod listener;
mod simulated;
mod socket;
mod split;
mod stream;
mod udp;

pub use address::{ToSocketAddrs, lookup_host};
pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use stream::TcpStream;
pub use udp::UdpSocket;

/// The halves of a [`TcpStream`].
pub mod tcp {
    pub use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}
