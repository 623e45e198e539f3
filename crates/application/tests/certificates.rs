//! Certificates with a flaw, as our curl and the real one see them.

mod common;

use common::{TempFile, authority, free_address, judge, net, ours, ours_with, start};
use septet_application::http::{Page, Server, Site};
use septet_application::programs::Captured;
use septet_presentation::ca::{Authority, Flaw, IssuedBy, Order, Usage};
use septet_presentation::tls::{Clients, Versions};

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

/// A server that asks clients who they are, as both clients see it; OpenSSL's client too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_asks_who_its_clients_are() {
    let net = net(&[]);
    let (authority, staff) = (authority(&net), authority(&net));
    let of = |authority: &Authority, flaw| {
        authority.fill_pem(&Order { flaw, usage: Usage::Client, ..Order::new(vec!["anna.test".to_owned()]) }).unwrap()
    };
    let shown = [
        ("staff", of(&staff, None), None),
        ("stranger", of(&authority, None), Some("unknown_ca")),
        ("expired", of(&staff, Some(Flaw::Expired)), Some("certificate_expired")),
        ("revoked", of(&staff, Some(Flaw::Revoked)), Some("certificate_revoked")),
        ("none", String::new(), Some("certificate_required")),
    ];
    let known = staff.trust_store().with_revocations(staff.revocations().unwrap());
    for (versions, code) in [(Versions::Tls13, 56), (Versions::Tls12, 35)] {
        let at = free_address();
        let server = Server::new(Site::new(Page::pattern(10)))
            .versions(versions)
            .clients(Clients::Known(known.clone()))
            .listen_tls(at, authority.fill(&order()).unwrap());
        start(&net, at, Box::pin(server.serve(net.clone()))).await;
        let ca = TempFile::new(&format!("clients-{}.pem", at.port()), authority.root_pem().as_bytes());
        let port = at.port();
        for (name, pem, alert) in &shown {
            let file = TempFile::new(&format!("{name}-{port}.pem"), pem.as_bytes());
            let path = file.0.display().to_string();
            let certificate = if pem.is_empty() { String::new() } else { format!("--cert {path}") };
            let line = format!("curl -sS {certificate} --resolve shop.test:{port}:127.0.0.1 https://shop.test:{port}/");
            let console = Captured::default();
            console.put_file(&path, pem.as_bytes());
            let ran = ours_with(&net, &authority.trust_store(), &line, &console).await;
            let expected = match alert {
                None => 0,
                Some("certificate_required") if versions == Versions::Tls12 => 98,
                Some(_) => code,
            };
            assert_eq!(i32::from(ran.code), expected, "{versions:?}, {name}: {}", ran.err);
            assert!(alert.is_none_or(|alert| ran.err.contains(alert)), "{versions:?}, {name}: {}", ran.err);
            if let Some(output) = judge(&format!("{line} --cacert {}", ca.0.display())).await {
                let err = String::from_utf8_lossy(&output.stderr);
                let ended = output.status.code().unwrap();
                let words = alert.map(|alert| alert.replace('_', " "));
                // Of an expired certificate that was its own curl says, before TLS 1.3, what it says of the server's.
                let mistaken = (versions, *name, ended) == (Versions::Tls12, "expired", 60);
                let named = words.is_none_or(|words| err.to_lowercase().contains(&words));
                assert!(mistaken || ended == expected && named, "{versions:?}, {name}: {ended}, {err}");
            }
            let line = format!(
                "openssl s_client -connect {at} -servername shop.test -verify_return_error -CAfile {} {}",
                ca.0.display(),
                certificate.replace("--", "-"),
            );
            if let Some(output) = judge(&line).await {
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(said.contains("Septet Lab Root CA"), "it names whom it believes: {said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_certificate_is_said() {
    let net = net(&[]);
    let authority = authority(&net);
    let (one, other) = (authority.fill_pem(&order()).unwrap(), authority.fill_pem(&order()).unwrap());
    for (files, line, reason) in [
        (&[][..], "--cert anna.pem", "from anna.pem: anna.pem: no such file"),
        (&[("anna.pem", "nothing")][..], "--cert anna.pem", "from anna.pem: not a PEM file of certificates"),
        (&[("anna.pem", &one[..])][..], "--cert anna.pem --key anna.key", "from anna.key: anna.key: no such file"),
        (&[("a.pem", &one[..]), ("b.pem", &other[..])][..], "--cert a.pem --key b.pem", "from a.pem: TLS refuses"),
    ] {
        let console = Captured::default();
        for (name, content) in files {
            console.put_file(*name, content.as_bytes());
        }
        let line = format!("curl {line} https://127.0.0.1:1/");
        let ran = ours_with(&net, &authority.trust_store(), &line, &console).await;
        assert_eq!(ran.code, 58, "{line}: {}", ran.err);
        assert!(ran.err.contains(reason), "{line}: {}", ran.err);
    }
}
