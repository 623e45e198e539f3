//! `exchange-turmoil-net CLIENTS ROUNDS`: so many connections to one server carry 1 KiB there and 1 KiB back so many
//! times each, as the workload `request-response` does. Prints the CPU seconds that this took.

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

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let (clients, rounds) = (args.next().unwrap_or(100), args.next().unwrap_or(100));
    let before = ProcessTime::now();
    let answered = ClientServer::new().server("server", serve()).run("client", async move {
        let all: FuturesUnordered<_> = (0..clients).map(|_| ask(rounds)).collect();
        all.fold(0, async |sum, answered| sum + answered).await
    });
    assert_eq!(answered, clients * rounds);
    println!("{}", before.elapsed().as_secs_f64());
}
