//! What may be set on a socket when it is made.

use core::time::Duration;

/// Options of a TCP connection. `None` leaves the host's default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TcpOptions {
    /// The congestion controller by name: `TCP_CONGESTION`.
    pub congestion: Option<String>,
    /// Send without waiting for a full segment: `TCP_NODELAY`.
    pub nodelay: Option<Nodelay>,
    /// The bound on bytes written and not yet acknowledged: `SO_SNDBUF`.
    pub send_buffer: Option<usize>,
    /// The bound on bytes received and not yet read: `SO_RCVBUF`.
    pub receive_buffer: Option<usize>,
    /// Probe an idle peer after this time: `SO_KEEPALIVE` with `TCP_KEEPIDLE`.
    pub keepalive: Option<Duration>,
    /// Give up when data stays unacknowledged for this long: `TCP_USER_TIMEOUT`.
    pub user_timeout: Option<Duration>,
}

/// Whether Nagle's algorithm (RFC 1122 §4.2.3.4) may hold back a short segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Nodelay {
    /// Nagle's algorithm is on.
    #[default]
    Off,
    /// Send at once: `TCP_NODELAY`.
    On,
}

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
