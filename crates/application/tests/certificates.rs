//! Certificates with a flaw, as our curl and the real one see them.

mod common;

use common::{TempFile, authority, free_address, judge, net, ours, start};
use septet_application::http::{Page, Server, Site};
use septet_presentation::ca::{Flaw, IssuedBy, Order};

/// Serves with a certificate like `order`, and asks both clients for the page: exit codes and what they said.
async fn asked(order: Order) -> Vec<(i32, String)> {
    let net = net(&[]);
    let authority = authority(&net);
    let at = free_address();
    let server = Server::new(Site::new(Page::pattern(10))).listen_tls(at, authority.fill(&order).unwrap());
    start(&net, at, Box::pin(server.serve(net.clone()))).await;
    let ca = TempFile::new(&format!("flaws-{}.pem", at.port()), authority.root_pem().as_bytes());
    let port = at.port();
    let line = format!("curl -sS --resolve shop.test:{port}:127.0.0.1 https://shop.test:{port}/");
    let ran = ours(&net, &authority.trust_store(), &line).await;
    let mut said = vec![(i32::from(ran.code), ran.err)];
    if let Some(output) = judge(&format!("{line} --cacert {}", ca.0.display())).await {
        said.push((output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    said
}

fn order() -> Order {
    Order::new(vec!["shop.test".to_owned()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flaw_is_named() {
    for (flaw, reason) in [
        (Flaw::Expired, "SSL certificate problem: certificate has expired"),
        (Flaw::NotYetValid, "SSL certificate problem: certificate is not yet valid"),
        (Flaw::WrongName, "SSL: no alternative certificate subject name matches target host name 'shop.test'"),
        (Flaw::SelfSigned, "SSL certificate problem: self-signed certificate"),
        (Flaw::UntrustedRoot, "SSL certificate problem: unable to get local issuer certificate"),
        (Flaw::MissingIntermediate, "SSL certificate problem: unable to get local issuer certificate"),
    ] {
        for (code, err) in asked(Order { flaw: Some(flaw), ..order() }).await {
            assert_eq!(code, 60, "{flaw:?}: {err}");
            assert!(err.starts_with(&format!("curl: (60) {reason}")), "{flaw:?}: {err}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_issuer_is_believed() {
    for issued_by in [IssuedBy::Intermediate, IssuedBy::Root] {
        for (code, err) in asked(Order { issued_by, ..order() }).await {
            assert_eq!(code, 0, "{issued_by:?}: {err}");
        }
    }
}
