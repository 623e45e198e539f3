//! Heads, chunks and bodies against an HTTP server, and as its responses against a client.

use core::time::Duration;

use septet::{NetExt, NetRef, ProgramError, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pieces::pieces;

/// Bytes over several connections against an HTTP server, which serves whoever asks properly meanwhile and afterwards.
pub fn http_server(bytes: &[u8]) {
    let lab = r#"
        [lab]
        stop = "400s"
        [topology]
        links = ["a -- s", "b -- s", "web -- s"]
        [switch.s]
        [host.a]
        [host.b]
        run = ["at 1s: curl http://web/", "at 390s: curl http://web/"]
        [host.web.http]
        body = "1kb"
        [expect]
        served = "b.http.ok == 2"
    "#;
    let steps: Vec<(u8, u8, Vec<u8>)> = pieces(bytes).map(|p| (p.what, p.wait, p.content.to_vec())).collect();
    let mut sim = Sim::new(lab).expect("a lab");
    let server = sim.address("web").expect("a host");
    let send = move |net: NetRef| {
        let steps = steps.clone();
        async move {
            let mut stream = None;
            for (what, wait, content) in steps {
                if what % 4 == 0 || stream.is_none() {
                    stream = net.connect((server, 80).into(), Default::default()).await.ok();
                }
                let Some(stream) = &mut stream else { continue };
                let _ = net.timeout(Duration::from_secs(1), stream.write_all(&content)).await;
                let mut answer = [0; 4096];
                let patience = Duration::from_millis(u64::from(wait) * 4);
                let _ = net.timeout(patience, stream.read(&mut answer)).await;
            }
            Ok::<(), ProgramError>(())
        }
    };
    sim.host("a", send).expect("a host");
    let outcome = sim.run().expect("the lab runs to its end");
    assert!(outcome.ok(), "the server no longer serves");
}

/// Bytes as the responses of a server against a client.
pub fn http_client(bytes: &[u8]) {
    let lab = r#"
        [lab]
        stop = "200s"
        [topology]
        links = ["a -- b"]
        [host.a]
        run = [
            "at 0s: curl http://b/ --max-time 10", "at 20s: curl -L http://b/ --max-time 10 --repeat 3",
            "at 60s: curl -I http://b/ --max-time 10", "at 80s: curl -d x http://b/ --max-time 10",
        ]
        [host.b]
    "#;
    let steps: Vec<(u8, u8, Vec<u8>)> = pieces(bytes).map(|p| (p.what, p.wait, p.content.to_vec())).collect();
    let mut sim = Sim::new(lab).expect("a lab");
    let serve = move |net: NetRef| {
        let mut steps = steps.clone().into_iter();
        async move {
            let listener = net.listen("0.0.0.0:80".parse()?, Default::default())?;
            while let Ok(Ok((mut stream, _))) = net.timeout(Duration::from_secs(70), listener.accept()).await {
                let mut request = [0; 4096];
                let _ = net.timeout(Duration::from_secs(1), stream.read(&mut request)).await;
                for (what, wait, content) in steps.by_ref() {
                    let _ = stream.write_all(&content).await;
                    net.sleep(Duration::from_millis(u64::from(wait))).await;
                    if what % 4 == 0 {
                        break;
                    }
                }
            }
            Ok::<(), ProgramError>(())
        }
    };
    sim.host("b", serve).expect("a host");
    sim.run().expect("the lab runs to its end");
}
