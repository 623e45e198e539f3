//! What may be set on a socket when it is made.

pub use septet_transport::tcp::{Chosen as TcpOptions, Nodelay};

/// Options of a listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenOptions {
    /// How many connections may wait to be accepted. As in Linux the queue takes one more.
    pub backlog: usize,
    /// What accepted connections start with.
    pub tcp: TcpOptions,
}

impl Default for ListenOptions {
    fn default() -> Self {
        // Linux's SOMAXCONN since 5.4.
        Self { backlog: 4096, tcp: TcpOptions::default() }
    }
}
