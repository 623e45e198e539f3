//! A key-value server in the manner of Redis, its log on a disk, and a client that asks again: what was acknowledged outlives
//! crashes and partitions, with many seeds.

use core::time::Duration;
use std::io;

use septet::collections::HashMap;
use septet::net::{TcpListener, TcpStream};
use septet::test::World;
use septet::time::{sleep, timeout};
use septet::{fs, rand, task};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;

type Store = std::sync::Arc<Mutex<HashMap<String, String>>>;

/// What the log says, up to a line that the crash cut short.
async fn recovered() -> HashMap<String, String> {
    let log = fs::read_to_string("log").await.unwrap_or_default();
    let whole = log.rfind('\n').map_or("", |end| &log[..=end]);
    whole.lines().filter_map(|line| line.split_once(' ')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

async fn serve() -> io::Result<()> {
    let data = recovered().await;
    // What is left of a torn line must not run into the next.
    let mut whole: Vec<_> = data.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
    whole.sort();
    fs::write("log.new", whole.concat()).await?;
    fs::rename("log.new", "log").await?;
    fs::sync("log").await?;
    let store: Store = std::sync::Arc::new(Mutex::new(data));
    let listener = TcpListener::bind("0.0.0.0:6379").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let store = store.clone();
        task::spawn(async move {
            // A connection that breaks is the client's to complain of.
            let _ = converse(stream, store).await;
        });
    }
}

async fn converse(mut stream: TcpStream, store: Store) -> io::Result<()> {
    let (from, mut to) = stream.split();
    let mut lines = BufReader::new(from).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split(' ').collect();
        let mut store = store.lock().await;
        let answer = match words[..] {
            ["GET", key] => store.get(key).map_or("$-1".to_owned(), |value| format!("${value}")),
            ["SET", key, value] => {
                fs::append("log", format!("{key} {value}\n")).await?;
                fs::sync("log").await?;
                store.insert(key.to_owned(), value.to_owned());
                "+OK".to_owned()
            }
            _ => "-ERR unknown command".to_owned(),
        };
        drop(store);
        to.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

/// Asks until it is answered, on a new connection each time.
async fn ask(command: String) -> String {
    loop {
        let asked = async {
            let mut stream = TcpStream::connect("db:6379").await?;
            stream.write_all(format!("{command}\n").as_bytes()).await?;
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).await?;
            if answer.ends_with('\n') {
                Ok(answer.trim_end().to_owned())
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        };
        match timeout(Duration::from_millis(500), asked).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err::<_, io::Error>(_)) | Err(_) => sleep(Duration::from_millis(rand::range(20..100))).await,
        }
    }
}

#[septet::test(seeds = 40)]
fn what_was_acknowledged_is_there() -> septet::test::Result {
    let mut world = World::builder().jitter(Duration::from_micros(200)).loss("1%").build();
    world.host("db", || async { Ok(serve().await?) });
    for client in 0..3 {
        world.client(&format!("client{client}"), async move {
            for n in 0..12 {
                let key = format!("{client}.{}", n % 4);
                assert_eq!(ask(format!("SET {key} {n}")).await, "+OK");
                sleep(Duration::from_millis(rand::range(0..80))).await;
                assert_eq!(ask(format!("GET {key}")).await, format!("${n}"));
            }
            Ok(())
        });
    }
    let mut rng = world.rng();
    for _ in 0..3 {
        let from = rng.below(1500);
        let until = from + 50 + rng.below(500);
        world.fault(&format!("{from}ms..{until}ms: crash db"));
        world.fault(&format!("{}ms..{}ms: drop host client{} on db", from / 2, until, rng.below(3)));
    }
    world.run()?;
    assert_eq!(world.metrics("db").names().len(), 0, "the server records nothing of its own");
    Ok(())
}
