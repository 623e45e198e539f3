//! `exchange-turmoil-net CLIENTS ROUNDS`: so many connections to one server carry 1 KiB there and 1 KiB back so many
//! times each, as the workload `request-response` does; `exchange-turmoil-net bulk BYTES`: one connection carries so many bytes, as
//! `bulk-tokio` does. Prints the CPU seconds that this took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cpu_time::ProcessTime;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil_net::fixture::ClientServer;
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

const SIZE: usize = 1024;

async fn serve() {
    let listener = TcpListener::bind("0.0.0.0:7").await.expect("the port is free");
    // The fixture knows whose a task is by the future that it was given: all connections are in that one.
    let mut connections = FuturesUnordered::new();
    loop {
        let (mut stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection"),
            _ = connections.next(), if !connections.is_empty() => continue,
        };
        connections.push(async move {
            let mut buf = [0; SIZE];
            while stream.read_exact(&mut buf).await.is_ok() {
                buf[0] = buf[0].wrapping_add(1);
                if stream.write_all(&buf).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn ask(rounds: usize) -> usize {
    let mut stream = TcpStream::connect("server:7").await.expect("the server listens");
    let mut buf = [0x5a; SIZE];
    let mut answered = 0;
    for round in 0..rounds {
        buf[0] = round as u8;
        stream.write_all(&buf).await.expect("the connection lives");
        stream.read_exact(&mut buf).await.expect("an answer");
        answered += usize::from(buf[0] == (round as u8).wrapping_add(1));
    }
    answered
}

const PIECE: usize = 64 * 1024;

async fn receive(came: Arc<AtomicU64>) {
    let listener = TcpListener::bind("0.0.0.0:7").await.expect("the port is free");
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut buf = vec![0; PIECE];
    while let Ok(n @ 1..) = stream.read(&mut buf).await {
        came.fetch_add(n as u64, Relaxed);
    }
}

async fn send(bytes: u64) {
    let mut stream = TcpStream::connect("server:7").await.expect("the server listens");
    let piece = vec![0x5a; PIECE];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(PIECE as u64);
        stream.write_all(&piece[..now as usize]).await.expect("the connection lives");
        left -= now;
    }
    stream.shutdown().await.expect("the connection lives");
    // The server closes when it has everything.
    assert_eq!(stream.read(&mut [0]).await.expect("the end"), 0);
}

fn exchange(clients: usize, rounds: usize) {
    let answered = ClientServer::new().server("server", serve()).run("client", async move {
        let all: FuturesUnordered<_> = (0..clients).map(|_| ask(rounds)).collect();
        all.fold(0, async |sum, answered| sum + answered).await
    });
    assert_eq!(answered, clients * rounds);
}

fn bulk(bytes: u64) {
    let came = Arc::new(AtomicU64::new(0));
    ClientServer::new().server("server", receive(came.clone())).run("client", send(bytes));
    assert_eq!(came.load(Relaxed), bytes);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, other| args.get(at).map_or(other, |arg| arg.parse().expect("a number"));
    let before = ProcessTime::now();
    match args.first().map(String::as_str) {
        Some("bulk") => bulk(number(1, 100_000_000) as u64),
        _ => exchange(number(0, 100), number(1, 100)),
    }
    println!("{}", before.elapsed().as_secs_f64());
}
