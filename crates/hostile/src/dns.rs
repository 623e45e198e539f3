//! DNS messages against a name server, and as its answers against a resolver.

use core::time::Duration;

use septet::{NetExt, NetRef, ProgramError, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pieces::pieces;

/// Messages over UDP and TCP against a name server, which answers whoever asks properly afterwards.
pub fn dns_server(bytes: &[u8]) {
    let lab = r#"
        [lab]
        stop = "120s"
        [topology]
        links = ["a -- s", "b -- s", "ns -- s"]
        [switch.s]
        [host.a]
        [host.b]
        run = ["at 100s: dig @ns www.x.test A", "at 110s: dig @ns www.x.test A +tcp"]
        [host.ns.dns]
        zones = { "x.test" = { www = "b", "*.wild" = "b" } }
        [expect]
        served = "b.dns.ok == 4"
    "#;
    let steps: Vec<(u8, Vec<u8>)> = pieces(bytes).map(|p| (p.what, p.content.to_vec())).collect();
    let mut sim = Sim::new(lab).expect("a lab");
    let server = sim.address("ns").expect("a host");
    let ask = move |net: NetRef| {
        let steps = steps.clone();
        async move {
            let socket = net.bind_udp("0.0.0.0:0".parse()?)?;
            for (what, message) in steps {
                if what % 4 != 0 {
                    let _ = socket.send_to(&message, (server, 53).into()).await;
                } else if let Ok(mut stream) = net.connect((server, 53).into(), Default::default()).await {
                    // Whole or cut off, as one message or in two pieces.
                    let _ = stream.write_all(&(message.len() as u16).to_be_bytes()).await;
                    let _ = stream.write_all(&message).await;
                    if what & 64 != 0 {
                        let mut answer = [0; 512];
                        let _ = net.timeout(Duration::from_millis(50), stream.read(&mut answer)).await;
                    }
                }
                net.sleep(Duration::from_millis(1)).await;
            }
            Ok::<(), ProgramError>(())
        }
    };
    sim.host("a", ask).expect("a host");
    let outcome = sim.run().expect("the lab runs to its end");
    assert!(outcome.ok(), "the name server no longer answers");
}

/// Answers of a name server, some of them with the identifier that was asked with, against what asks.
pub fn dns_client(bytes: &[u8]) {
    let lab = r#"
        [lab]
        stop = "300s"
        [topology]
        links = ["a -- b"]
        [host.a]
        run = [
            "at 0s: dig @b www.x.test A", "at 1s: dig @b www.x.test MX +tcp", "at 2s: dig @b x.test NS",
            "at 3s: dig @b 1.0.0.10.in-addr.arpa PTR",
        ]
        [host.b]
    "#;
    let steps: Vec<(u8, Vec<u8>)> = pieces(bytes).map(|p| (p.what, p.content.to_vec())).collect();
    let mut sim = Sim::new(lab).expect("a lab");
    let over_udp = {
        let steps = steps.clone();
        move |net: NetRef| {
            let mut answers = steps.clone().into_iter().cycle();
            async move {
                let socket = net.bind_udp("0.0.0.0:53".parse()?)?;
                let mut query = [0; 512];
                while let Ok(Ok(datagram)) = net.timeout(Duration::from_secs(60), socket.receive(&mut query)).await {
                    let Some((what, answer)) = answers.next() else { break };
                    let _ = socket.send_to(&answer_to(&query[..datagram.len], what, answer), datagram.from).await;
                }
                Ok::<(), ProgramError>(())
            }
        }
    };
    let over_tcp = move |net: NetRef| {
        let mut answers = steps.clone().into_iter().cycle();
        async move {
            let listener = net.listen("0.0.0.0:53".parse()?, Default::default())?;
            while let Ok(Ok((mut stream, _))) = net.timeout(Duration::from_secs(60), listener.accept()).await {
                let mut query = [0; 514];
                let len = stream.read(&mut query).await.unwrap_or(0);
                let Some((what, answer)) = answers.next() else { break };
                let answer = answer_to(query.get(2..len).unwrap_or_default(), what, answer);
                let _ = stream.write_all(&(answer.len() as u16).to_be_bytes()).await;
                let _ = stream.write_all(&answer).await;
            }
            Ok::<(), ProgramError>(())
        }
    };
    sim.host("b", over_udp).expect("a host");
    sim.host("b", over_tcp).expect("a host");
    sim.run().expect("the lab runs to its end");
}

/// The bytes as they are, with the query's identifier, or behind its whole head and question.
fn answer_to(query: &[u8], what: u8, mut answer: Vec<u8>) -> Vec<u8> {
    match what % 3 {
        0 => answer,
        1 => {
            let id = query.len().min(2).min(answer.len());
            answer[..id].copy_from_slice(&query[..id]);
            answer
        }
        _ => {
            // A response to this question, with as many answers as the input says.
            let mut whole = query.to_vec();
            if whole.len() >= 12 {
                whole[2] |= 0x80;
                whole[7] = what / 3 % 4;
                whole[11] = 0;
            }
            whole.extend(answer);
            whole
        }
    }
}

/// Answers of servers against a recursive resolver: whatever they say, a question costs a bounded number of others, comes to an
/// end, and leaves the resolver serving.
pub fn resolver(bytes: &[u8]) {
    let lab = r#"
        [lab]
        stop = "200s"
        [topology]
        links = ["a -- s", "ns -- s", "b -- s"]
        [switch.s]
        [host.a]
        run = [
            "at 0s: dig www.x.test A +tries=1", "at 20s: dig www.x.test A +tries=1", "at 40s: dig x.test MX +tries=1",
            "at 60s: dig www.x.test AAAA +tcp",
        ]
        [host.ns.recursor]
        root = "b"
        cache = "20kb"
        [host.b]
        [expect]
        bounded = "ns.recursor.asked <= 200"
        ended   = "count(ns.recursor.time) == ns.recursor.queries"
    "#;
    let steps: Vec<(u8, Vec<u8>)> = pieces(bytes).map(|p| (p.what, p.content.to_vec())).collect();
    let mut sim = Sim::new(lab).expect("a lab");
    let over_udp = move |net: NetRef| {
        let mut answers = steps.clone().into_iter().cycle();
        async move {
            let socket = net.bind_udp("0.0.0.0:53".parse()?)?;
            let mut query = [0; 512];
            while let Ok(Ok(datagram)) = net.timeout(Duration::from_secs(60), socket.receive(&mut query)).await {
                let Some((what, answer)) = answers.next() else { break };
                let _ = socket.send_to(&answer_to(&query[..datagram.len], what, answer), datagram.from).await;
            }
            Ok::<(), ProgramError>(())
        }
    };
    sim.host("b", over_udp).expect("a host");
    let outcome = sim.run().expect("the lab runs to its end");
    assert!(outcome.ok(), "a question costs too much, or does not end");
}
