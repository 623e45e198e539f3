//! The lab's end: accepts connections and hands requests to whoever runs the lab.

use core::future::Future;
use core::task::{Context, Poll};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use septet_socket::{Accepted, Acceptor, Listener, Places};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};

use super::protocol::{Reply, Request};
use super::{descriptor, path};
use crate::kernel::KernelNet;
use crate::spares::Spares;

/// Longer lines are refused.
const LONGEST_LINE: u64 = 64 * 1024;
/// Clients that are answered even where all other descriptors are taken.
const SPARES: usize = 4;

/// Answers requests.
pub trait Handler: 'static {
    /// Answers one request.
    fn handle(self: Rc<Self>, request: Request, answer: &mut Answer) -> impl Future<Output = io::Result<()>>;
}

/// The way back to one client.
#[derive(Debug)]
pub struct Answer {
    stream: BufReader<UnixStream>,
}

impl Answer {
    /// Sends a line.
    ///
    /// # Errors
    /// The connection's: the client has gone.
    pub async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).await
    }

    /// Waits for a descriptor.
    ///
    /// # Errors
    /// `UnexpectedEof` where the client has gone, `InvalidData` where it sent something else.
    pub async fn descriptor(&mut self) -> io::Result<OwnedFd> {
        let stream = self.stream.get_ref();
        stream.async_io(Interest::READABLE, || descriptor::receive(stream)).await
    }

    /// Completes when the client has gone.
    pub async fn gone(&mut self) {
        let mut byte = [0];
        while let Ok(1..) = self.stream.read(&mut byte).await {}
    }

    /// The process at the other end.
    pub fn pid(&self) -> Option<u32> {
        self.stream.get_ref().peer_cred().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
    }

    async fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            let mut line = Vec::new();
            if (&mut self.stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await? == 0 {
                return Ok(None);
            }
            match serde_json::from_slice(&line) {
                Ok(request) => return Ok(Some(request)),
                Err(e) => {
                    let text = format!("expected one JSON object a line, as docs/live.md says: {e}");
                    self.reply(&Reply::Error { text }).await?;
                    if line.last() != Some(&b'\n') {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// The listening socket; dropping it removes its file.
#[derive(Debug)]
pub struct Server {
    clients: Clients,
    path: PathBuf,
}

#[derive(Debug)]
struct Clients(UnixListener);

impl Listener for Clients {
    type Taken = UnixStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        self.0.poll_accept(cx).map_ok(|(stream, _)| stream)
    }
}

impl Server {
    /// Makes the control socket of the lab called `name`.
    ///
    /// # Errors
    /// `AddrInUse` where a lab of that name runs already; else the directory's.
    pub fn bind(name: &str) -> io::Result<Self> {
        let path = path::socket(name)?;
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("a lab called `{name}` runs already; give this one another name, or stop that one"),
            ));
        }
        // Nobody answers: it was left behind by a process that was killed.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        let this = Self { clients: Clients(listener), path };
        fs::set_permissions(&this.path, fs::Permissions::from_mode(0o600))?;
        Ok(this)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers clients, each in a task of its own, for ever. Needs a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// The socket's; not those of a connection, and not that there are no descriptors for more of them.
    pub async fn serve<H: Handler>(&self, handler: Rc<H>) -> io::Result<()> {
        let net = KernelNet::new()?.into_net();
        let mut acceptor = Acceptor::new(&self.clients, &Places::default()).with_reserve(Spares::new(SPARES));
        loop {
            let (stream, place) = match acceptor.accept(&net).await? {
                Accepted::Placed(stream, place) => (stream, Some(place)),
                Accepted::Spared(stream) => (stream, None),
            };
            let handler = handler.clone();
            tokio::task::spawn_local(async move {
                let mut answer = Answer { stream: BufReader::new(stream) };
                // An error means that the client has gone: it needs no answer.
                while let Ok(Some(request)) = answer.request().await {
                    if handler.clone().handle(request, &mut answer).await.is_err() {
                        break;
                    }
                }
                drop(place);
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Another process may have cleaned up already.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;
    use crate::control::Client;

    struct Echo;

    impl Handler for Echo {
        async fn handle(self: Rc<Self>, request: Request, answer: &mut Answer) -> io::Result<()> {
            match request {
                Request::Run { argv, .. } => {
                    answer.reply(&Reply::Out { text: argv.join(" ") }).await?;
                    answer.reply(&Reply::Exit { code: 7 }).await
                }
                Request::Plug { .. } => {
                    answer.reply(&Reply::Ok).await?;
                    let fd = answer.descriptor().await?;
                    std::fs::File::from(fd).write_all(b"through the lab's hands")?;
                    answer.reply(&Reply::Ok).await
                }
                _ => answer.reply(&Reply::Error { text: "no".to_owned() }).await,
            }
        }
    }

    fn client(name: &str) {
        let mut client = Client::connect(name).unwrap();
        assert!(super::super::running().unwrap().contains(&name.to_owned()));
        client.send(&Request::Run { host: "h".to_owned(), argv: vec!["a".to_owned(), "b".to_owned()] }).unwrap();
        assert_eq!(client.receive().unwrap(), Reply::Out { text: "a b".to_owned() });
        assert_eq!(client.receive().unwrap(), Reply::Exit { code: 7 });
        assert_eq!(client.ask(&Request::Stop {}).unwrap_err().to_string(), "no");
        assert_eq!(client.ask(&Request::Plug { host: "h".to_owned() }).unwrap(), Reply::Ok);
        let (mut ours, theirs) = std::io::pipe().unwrap();
        client.hand_over(theirs.as_fd()).unwrap();
        drop(theirs);
        assert_eq!(client.receive().unwrap(), Reply::Ok);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut ours, &mut text).unwrap();
        assert_eq!(text, "through the lab's hands");
    }

    #[tokio::test]
    async fn answers_hands_over_and_cleans_up() {
        let name = format!("control-test-{}", std::process::id());
        let server = Server::bind(&name).unwrap();
        assert_eq!(fs::metadata(server.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let twice = Server::bind(&name).unwrap_err();
        assert_eq!(twice.kind(), io::ErrorKind::AddrInUse);
        let path = server.path().to_owned();
        let name_too = name.clone();
        tokio::task::LocalSet::new()
            .run_until(async {
                tokio::select! {
                    result = server.serve(Rc::new(Echo)) => panic!("{result:?}"),
                    done = tokio::task::spawn_blocking(move || client(&name_too)) => done.unwrap(),
                }
            })
            .await;
        drop(server);
        assert!(!path.exists());
        let gone = Client::connect(&name).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert!(gone.to_string().contains("no lab called"), "{gone}");
    }
}
