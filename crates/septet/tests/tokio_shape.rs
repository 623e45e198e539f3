//! The same program on a simulated host and, outside of a simulation, on tokio's own sockets and clock.

use core::time::Duration;
use std::io;

use septet::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, lookup_host};
use septet::task::{JoinSet, spawn};
use septet::test::World;
use septet::time::{Instant, interval, sleep, timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What a program may do with tokio's sockets and time, on one host.
async fn everything() -> Done {
    streams().await?;
    halves().await?;
    readiness().await?;
    datagrams().await?;
    tasks().await?;
    time().await?;
    errors().await
}

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let to = listener.local_addr()?;
    let (near, far) = tokio::join!(TcpStream::connect(to), listener.accept());
    Ok((near?, far?.0))
}

async fn streams() -> Done {
    let (mut near, mut far) = pair().await?;
    assert_eq!((near.local_addr()?, near.peer_addr()?), (far.peer_addr()?, far.local_addr()?));
    assert!(!near.nodelay()?);
    near.set_nodelay(true)?;
    assert!(near.nodelay()?);
    near.write_all(b"hello, world").await?;
    let mut seen = [0; 5];
    assert_eq!(far.peek(&mut seen).await?, 5);
    far.read_exact(&mut seen).await?;
    assert_eq!(&seen, b"hello");
    near.shutdown().await?;
    let mut rest = String::new();
    far.read_to_string(&mut rest).await?;
    assert_eq!(rest, ", world");
    // Half-closed: the other direction still carries.
    far.write_all(b"back").await?;
    drop(far);
    near.read_to_string(&mut rest).await?;
    assert_eq!(rest, ", worldback");
    assert!(near.take_error()?.is_none());
    Ok(())
}

async fn halves() -> Done {
    let (mut near, far) = pair().await?;
    let (mut from, to) = far.into_split();
    let echo = spawn(async move {
        let mut to = to;
        let n = tokio::io::copy(&mut from, &mut to).await?;
        // Dropping the half that writes ends that direction.
        Ok::<_, io::Error>((n, from))
    });
    let (mut read, mut write) = near.split();
    let text = vec![7; 300_000];
    let (sent, got) = tokio::join!(
        async {
            write.write_all(&text).await?;
            write.shutdown().await
        },
        async {
            let mut back = Vec::new();
            read.read_to_end(&mut back).await.map(|_| back)
        }
    );
    sent?;
    assert!(got? == text);
    let (n, from) = echo.await??;
    assert_eq!(n, 300_000);
    drop(from);
    let (a, b) = near.into_split();
    let near = a.reunite(b)?;
    let (other, _) = pair().await?;
    let (a, _b) = near.into_split();
    let (_c, d) = other.into_split();
    assert!(a.reunite(d).is_err(), "halves of two streams");
    Ok(())
}

async fn readiness() -> Done {
    let (mut near, mut far) = pair().await?;
    let mut buf = [0; 8];
    assert_eq!(near.try_read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(near.ready(Interest::WRITABLE).await?.is_writable());
    far.write_all(b"abc").await?;
    near.readable().await?;
    assert_eq!(near.try_read(&mut buf)?, 3);
    // What is written without being read fills all buffers in the end.
    let written = loop {
        match near.try_write(&[0; 65_536]) {
            Ok(_) => {}
            Err(e) => break e.kind(),
        }
        if timeout(Duration::from_millis(50), near.writable()).await.is_err() {
            break io::ErrorKind::WouldBlock;
        }
    };
    assert_eq!(written, io::ErrorKind::WouldBlock);
    let reading = spawn(async move {
        let mut sink = tokio::io::sink();
        tokio::io::copy(&mut far, &mut sink).await
    });
    near.writable().await?;
    near.shutdown().await?;
    assert!(reading.await?? > 0);
    Ok(())
}

async fn datagrams() -> Done {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind(("127.0.0.1", 0)).await?);
    assert_eq!(a.peer_addr().unwrap_err().kind(), io::ErrorKind::NotConnected);
    a.connect(b.local_addr()?).await?;
    assert_eq!(a.peer_addr()?, b.local_addr()?);
    a.send(b"one").await?;
    assert_eq!(b.send_to(b"", a.local_addr()?).await?, 0, "a datagram of nothing");
    let mut buf = [0; 2];
    b.readable().await?;
    assert_eq!(b.peek_from(&mut buf).await?, (2, a.local_addr()?));
    assert_eq!(b.recv_from(&mut buf).await?, (2, a.local_addr()?), "what does not fit is lost");
    assert_eq!(b.try_recv(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(a.recv(&mut buf).await?, 0);
    let mut grows = Vec::with_capacity(16);
    a.try_send(b"four")?;
    assert_eq!(b.recv_buf(&mut grows).await?, 4);
    assert_eq!(grows, b"four");
    b.set_broadcast(true)?;
    assert!(b.broadcast()?);
    b.set_ttl(3)?;
    assert_eq!(b.ttl()?, 3);
    Ok(())
}

async fn tasks() -> Done {
    assert_eq!(spawn(async { 42 }).await?, 42);
    let slow = spawn(sleep(Duration::from_secs(3600)));
    assert!(!slow.is_finished());
    slow.abort();
    assert!(slow.await.unwrap_err().is_cancelled());
    let panics = spawn(async { panic!("as a program may") });
    let error = panics.await.unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&"as a program may"));
    let mut set = JoinSet::new();
    for n in 1..=3 {
        set.spawn(async move { n });
    }
    assert_eq!(set.join_all().await.iter().sum::<i32>(), 6);
    assert_eq!(septet::task::spawn_blocking(|| 7).await?, 7);
    septet::task::yield_now().await;
    Ok(())
}

async fn time() -> Done {
    let begun = Instant::now();
    sleep(Duration::from_millis(20)).await;
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let mut ticks = interval(Duration::from_millis(10));
    let first = ticks.tick().await;
    assert_eq!(ticks.tick().await - first, Duration::from_millis(10));
    ticks.reset();
    assert!(ticks.tick().await - first >= Duration::from_millis(20));
    assert!(timeout(Duration::from_millis(1), core::future::pending::<()>()).await.is_err());
    assert_eq!(timeout(Duration::from_secs(5), async { 1 }).await?, 1);
    let mut late = Box::pin(sleep(Duration::MAX));
    assert!(!late.is_elapsed());
    late.as_mut().reset(Instant::now());
    late.await;
    Ok(())
}

async fn errors() -> Done {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let taken = listener.local_addr()?;
    assert_eq!(TcpListener::bind(taken).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    assert_eq!(TcpStream::connect(taken).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(TcpStream::connect("no port").await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(lookup_host("localhost:80").await?.find(|a| a.is_ipv4()), Some("127.0.0.1:80".parse()?));
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(8)?;
    let (ours, theirs) = tokio::join!(TcpSocket::new_v4()?.connect(listener.local_addr()?), listener.accept());
    let (mut ours, theirs) = (ours?, theirs?.0);
    theirs.set_zero_linger()?;
    drop(theirs);
    assert_eq!(ours.read(&mut [0; 1]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    Ok(())
}

#[test]
fn on_a_simulated_host() {
    let mut world = World::new();
    world.client("alone", everything());
    world.run().unwrap();
}

#[test]
fn on_the_machine() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(everything()).unwrap();
}

#[test]
fn what_it_hands_out_may_move_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<TcpStream>();
    check::<TcpListener>();
    check::<UdpSocket>();
    check::<septet::net::tcp::OwnedReadHalf>();
    check::<septet::net::tcp::OwnedWriteHalf>();
    check::<septet::time::Sleep>();
    check::<septet::task::JoinHandle<()>>();
}
