//! `septet ca`, with OpenSSL as the judge of what it writes and as the writer of what it reads.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Ended, run, scratch};

/// Whether OpenSSL is there. Where it is not the test says so and passes, unless `SEPTET_REQUIRE_JUDGES=1`.
pub(crate) fn judged() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok_and(|o| o.status.success());
    if !there {
        let required = std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1");
        assert!(!required, "openssl is not installed and SEPTET_REQUIRE_JUDGES=1");
        eprintln!("SKIPPED: openssl is not installed, so nobody judged");
    }
    there
}

fn openssl<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Ended::from(Command::new("openssl").args(arguments).output().unwrap())
}

/// An authority in a directory of this test's own.
struct Authority(PathBuf);

impl Authority {
    fn found(test: &str, more: &[&str]) -> Self {
        let dir = scratch(test).join("ca");
        let authority = Self(dir);
        let path = authority.at("");
        let ended = run([&["ca", "init", path.trim_end_matches('/')], more].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        authority
    }

    /// A path in the directory.
    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// `septet ca COMMAND DIR …`.
    fn ca(&self, command: &str, arguments: &[&str]) -> Ended {
        let dir = self.at("");
        run([&["ca", command, dir.trim_end_matches('/')], arguments].concat())
    }

    fn done(&self, command: &str, arguments: &[&str]) -> String {
        let ended = self.ca(command, arguments);
        assert_eq!(ended.code, Some(0), "{command} {arguments:?}: {ended:?}");
        ended.out
    }

    /// Why a command did not do what it was asked to.
    fn refused(&self, command: &str, arguments: &[&str]) -> String {
        let ended = self.ca(command, arguments);
        assert!(matches!(ended.code, Some(1 | 4)), "{command} {arguments:?}: {ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
        ended.err
    }

    /// `openssl verify` with the list of what is revoked.
    fn verify(&self, certificate: &str, more: &[&str]) -> Ended {
        let (root, intermediate, list) = (self.at("root.pem"), self.at("intermediate.pem"), self.at("crl.pem"));
        let base = ["verify", "-x509_strict", "-CAfile", &root, "-untrusted", &intermediate, "-CRLfile", &list];
        openssl([&base[..], &["-crl_check_all"], more, &[certificate]].concat())
    }
}

/// What stands behind `what` in the command's words.
fn field<'a>(out: &'a str, what: &str) -> &'a str {
    let line = out.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_else(|| panic!("no {what} in {out}"));
    line.trim()
}

#[test]
fn openssl_believes_what_is_issued_until_it_is_revoked() {
    if !judged() {
        return;
    }
    let ca = Authority::found("ca-issue", &[]);
    for (kind, host) in [("p256", "a.test"), ("p384", "b.test"), ("ed25519", "c.test")] {
        ca.done("issue", &[host, "*.a.test", "10.0.0.1", "fd00::1", "--key", kind]);
    }
    ca.done("issue", &["alice", "--client"]);
    ca.done("crl", &[]);
    let server = ca.at("issued/a.test.pem");
    for host in ["a.test", "b.test", "c.test"] {
        let certificate = ca.at(&format!("issued/{host}.pem"));
        let ended = ca.verify(&certificate, &["-purpose", "sslserver", "-verify_hostname", host]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    for (more, fits) in [
        (["-verify_hostname", "x.a.test"], true),
        (["-verify_hostname", "x.test"], false),
        (["-verify_ip", "10.0.0.1"], true),
        (["-verify_ip", "fd00::1"], true),
        (["-verify_ip", "10.0.0.2"], false),
        (["-purpose", "sslclient"], false),
    ] {
        assert_eq!(ca.verify(&server, &more).code == Some(0), fits, "{more:?}");
    }
    assert_eq!(ca.verify(&ca.at("issued/alice.pem"), &["-purpose", "sslclient"]).code, Some(0));
    assert_ne!(ca.verify(&ca.at("issued/alice.pem"), &["-purpose", "sslserver"]).code, Some(0));

    // The key is that of the certificate.
    let of_key = openssl(["pkey", "-pubout", "-in", &ca.at("issued/a.test.key")]).out;
    assert_eq!(openssl(["x509", "-pubkey", "-noout", "-in", &server]).out, of_key);

    ca.done("revoke", &[&server, "--reason", "keyCompromise"]);
    assert_eq!(ca.verify(&server, &[]).code, Some(0), "nobody hears of it before there is a list");
    ca.done("crl", &["--days", "30"]);
    let ended = ca.verify(&server, &[]);
    assert!(ended.code != Some(0) && ended.err.contains("certificate revoked"), "{ended:?}");
    assert_eq!(ca.verify(&ca.at("issued/b.test.pem"), &[]).code, Some(0));

    let list = openssl(["crl", "-noout", "-text", "-crlnumber", "-in", &ca.at("crl.pem")]).out;
    let serial = openssl(["x509", "-serial", "-noout", "-in", &server]).out;
    let serial = serial.trim().strip_prefix("serial=").unwrap().to_owned();
    for expected in ["crlNumber=0x02", "Next Update", "Key Compromise", &serial] {
        assert!(list.contains(expected), "no {expected} in {list}");
    }
    let shown = ca.done("show", &[]);
    assert!(shown.contains(&format!("{serial}  /CN=a.test  revoked since")), "{shown}");
    assert!(ca.refused("revoke", &[&server]).contains("revoked already"));

    // By its number too, as OpenSSL prints it with colons.
    let other = openssl(["x509", "-serial", "-noout", "-in", &ca.at("issued/b.test.pem")]).out;
    let other = other.trim().strip_prefix("serial=").unwrap().to_ascii_lowercase();
    let colons = other.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap()).collect::<Vec<_>>().join(":");
    ca.done("revoke", &[&colons]);
    ca.done("crl", &[]);
    assert_ne!(ca.verify(&ca.at("issued/b.test.pem"), &[]).code, Some(0));

    // The database is OpenSSL's.
    let index = fs::read_to_string(ca.at("index.txt")).unwrap();
    let statuses: Vec<_> = index.lines().map(|line| &line[..1]).collect();
    assert_eq!(statuses, ["R", "R", "V", "V"], "{index}");
}

/// A request by OpenSSL, with these names.
fn request(ca: &Authority, name: &str, key: &[&str], subject: &str, names: Option<&str>) -> String {
    let (path, key_path) = (ca.at(&format!("{name}.csr")), ca.at(&format!("{name}.key")));
    let mut arguments = vec!["req", "-new", "-nodes", "-subj", subject, "-keyout", &key_path, "-out", &path];
    arguments.extend_from_slice(key);
    let names = names.map(|names| format!("subjectAltName={names}"));
    if let Some(names) = &names {
        arguments.extend_from_slice(&["-addext", names]);
    }
    // What many requests carry, and what nobody has to grant.
    arguments.extend_from_slice(&["-addext", "basicConstraints=CA:FALSE", "-addext", "keyUsage=digitalSignature"]);
    let ended = openssl(arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    path
}

#[test]
fn requests_of_openssl_are_signed_and_ours_are_read() {
    if !judged() {
        return;
    }
    let ca = Authority::found("ca-sign", &[]);
    ca.done("crl", &[]);
    let keys: [(&str, &[&str]); 3] = [
        ("rsa.shop.test", &["-newkey", "rsa:2048"]),
        ("ec.shop.test", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("ed.shop.test", &["-newkey", "ed25519"]),
    ];
    for (name, key) in keys {
        let csr = request(&ca, name, key, "/C=KR/O=Shop/CN=elsewhere", Some(&format!("DNS:{name},IP:10.0.0.9")));
        let out = ca.done("sign", &[&csr, "--allow", "shop.test", "--allow", "10.0.0.9"]);
        assert_eq!(field(&out, "names"), format!("{name}, 10.0.0.9"));
        let ended = ca.verify(field(&out, "certificate"), &["-verify_hostname", name]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let public = openssl(["pkey", "-pubout", "-in", &ca.at(&format!("{name}.key"))]).out;
        assert_eq!(openssl(["x509", "-pubkey", "-noout", "-in", field(&out, "certificate")]).out, public);
    }
    // Without alternative names the common name is the name.
    let csr = request(&ca, "plain", &["-newkey", "ed25519"], "/CN=plain.shop.test", None);
    ca.done("sign", &[&csr]);
    assert_eq!(ca.verify(&ca.at("issued/plain.shop.test.pem"), &["-verify_hostname", "plain.shop.test"]).code, Some(0));

    let stem = ca.at("own");
    let ended = run(["ca", "request", "own.test", "10.1.2.3", "-o", &stem]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let judged = openssl(["req", "-in", &format!("{stem}.csr"), "-noout", "-text", "-verify"]);
    assert!(judged.code == Some(0) && judged.err.contains("verify OK"), "{judged:?}");
    assert!(judged.out.contains("DNS:own.test, IP Address:10.1.2.3"), "{judged:?}");
    ca.done("sign", &[&format!("{stem}.csr")]);
}

#[test]
fn a_request_that_should_not_be_signed_is_not() {
    if !judged() {
        return;
    }
    let ca = Authority::found("ca-refuse", &["--permit", "shop.test", "--permit", "10.0.0.9"]);
    let ed = ["-newkey", "ed25519"];
    let good = request(&ca, "good", &ed, "/CN=a", Some("DNS:www.shop.test"));
    let mut cases = vec![
        (request(&ca, "beyond", &ed, "/CN=a", Some("DNS:www.bank.test")), "may not sign for `www.bank.test`"),
        (request(&ca, "look", &ed, "/CN=a", Some("DNS:workshop.test")), "may not sign for `workshop.test`"),
        (request(&ca, "weak", &["-newkey", "rsa:1024"], "/CN=a.shop.test", None), "RSA key has 1024 bits"),
        (
            request(&ca, "sha1", &["-newkey", "rsa:2048", "-sha1"], "/CN=a.shop.test", None),
            "of a kind that is not taken",
        ),
        (request(&ca, "mail", &ed, "/CN=a", Some("email:a@shop.test")), "neither a DNS name nor an IP address"),
        (request(&ca, "nameless", &ed, "/O=Shop", None), "at least one name"),
        (request(&ca, "blank", &ed, "/CN=a shop", None), "neither a DNS name nor an IP address"),
    ];
    // One octet of the signed part changes: its signature no longer holds.
    let pem = fs::read_to_string(&good).unwrap();
    let forged = openssl(["req", "-in", &good, "-outform", "DER", "-out", &ca.at("forged.der")]);
    assert_eq!(forged.code, Some(0), "{forged:?}");
    let mut der = fs::read(ca.at("forged.der")).unwrap();
    let at = der.windows(3).position(|w| w == b"www").unwrap();
    der[at] = b'v';
    fs::write(ca.at("forged.der"), der).unwrap();
    let wrapped = Command::new("openssl").args(["base64", "-in", &ca.at("forged.der")]).output().unwrap().stdout;
    let text = String::from_utf8(wrapped).unwrap();
    let wrap = |body: &str| format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n");
    fs::write(ca.at("forged.csr"), wrap(&text)).unwrap();
    cases.push((ca.at("forged.csr"), "signature does not hold"));
    for (name, text, why) in [
        ("empty", String::new(), "no `BEGIN CERTIFICATE REQUEST`"),
        ("half", pem[..pem.len() / 2].to_owned(), "not PEM"),
        ("other", fs::read_to_string(ca.at("root.pem")).unwrap(), "no `BEGIN CERTIFICATE REQUEST`"),
        ("junk", wrap("AAAA\n"), "does not follow RFC 2986"),
    ] {
        fs::write(ca.at(name), text).unwrap();
        cases.push((ca.at(name), why));
    }
    for (csr, why) in &cases {
        let said = ca.refused("sign", &[csr]);
        assert!(said.contains(why) && said.contains(csr.as_str()) || said.contains(why), "{csr}: {said}");
    }
    assert!(ca.refused("sign", &[&good, "--allow", "api.shop.test"]).contains("asks for `www.shop.test`"));
    assert!(ca.refused("sign", &[&ca.at("nowhere")]).contains("cannot read"));
    assert!(ca.refused("sign", &[&good, "--days", "9000"]).contains("the authority itself holds for"));
    assert!(ca.refused("issue", &["www.bank.test"]).contains("may not sign"));
    assert_eq!(fs::read_to_string(ca.at("index.txt")).unwrap(), "", "nothing was signed");

    // What it may sign, OpenSSL believes of it; the bounds stand in its certificates for everyone.
    ca.done("sign", &[&good]);
    ca.done("issue", &["10.0.0.9", "shop.test"]);
    ca.done("crl", &[]);
    for name in ["www.shop.test", "10.0.0.9"] {
        let ended = ca.verify(&ca.at(&format!("issued/{name}.pem")), &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let text = openssl(["x509", "-noout", "-text", "-in", &ca.at("intermediate.pem")]).out;
    assert!(text.contains("DNS:shop.test") && text.contains("IP:10.0.0.9/255.255.255.255"), "{text}");
}

#[cfg(unix)]
#[test]
fn keys_are_the_owners_and_nothing_is_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let ca = Authority::found("ca-files", &[]);
    ca.done("issue", &["a.test"]);
    let mode = |name: &str| fs::metadata(ca.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for key in ["root.key", "intermediate.key", "issued/a.test.key"] {
        assert_eq!(mode(key), 0o600, "{key}");
    }
    let before = fs::read(ca.at("issued/a.test.key")).unwrap();
    assert!(ca.refused("issue", &["a.test"]).contains("--force"));
    assert!(ca.refused("init", &[]).contains("nothing is overwritten"));
    assert_eq!(fs::read(ca.at("issued/a.test.key")).unwrap(), before);
    assert_eq!(fs::read_to_string(ca.at("index.txt")).unwrap().lines().count(), 1, "what failed was not entered");
    ca.done("issue", &["a.test", "--force"]);
    assert_ne!(fs::read(ca.at("issued/a.test.key")).unwrap(), before);
    let left = |dir: &str| {
        let names = fs::read_dir(ca.at(dir)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(&format!(".{}", std::process::id()))).count()
    };
    assert_eq!((left(""), left("issued")), (0, 0));

    fs::set_permissions(ca.at("intermediate.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(ca.refused("issue", &["b.test"]).contains("chmod 600"));
    fs::set_permissions(ca.at("intermediate.key"), fs::Permissions::from_mode(0o600)).unwrap();

    // A root's key that is kept elsewhere is missed by nobody but the root's own list.
    fs::rename(ca.at("root.key"), ca.at("elsewhere.key")).unwrap();
    ca.done("issue", &["b.test"]);
    ca.done("crl", &[]);
    assert_eq!(fs::read_to_string(ca.at("crl.pem")).unwrap().matches("BEGIN X509 CRL").count(), 1);

    fs::write(ca.at("index.txt"), "V\tnonsense\n").unwrap();
    assert!(ca.refused("issue", &["c.test"]).contains("index.txt: line 1"));
    fs::copy(ca.at("elsewhere.key"), ca.at("intermediate.key")).unwrap();
    assert!(ca.refused("issue", &["c.test"]).contains("does not belong to the certificate"));
    let nowhere = run(["ca", "issue", "/nowhere/ca", "a.test"]);
    assert!(nowhere.code == Some(4) && nowhere.err.contains("septet ca init"), "{nowhere:?}");
}

#[test]
fn many_at_once_lose_nothing() {
    let ca = Authority::found("ca-at-once", &[]);
    std::thread::scope(|scope| {
        for i in 0..4 {
            let ca = &ca;
            scope.spawn(move || ca.done("issue", &[&format!("host{i}.test")]));
        }
    });
    let index = fs::read_to_string(ca.at("index.txt")).unwrap();
    assert_eq!(index.lines().count(), 4, "{index}");
    assert!(Path::new(&ca.at("issued/host3.test.pem")).is_file());
}

#[test]
fn files_are_told_in_words() {
    let ca = Authority::found("ca-show", &[]);
    ca.done("issue", &["a.test", "--client", "--server"]);
    let shown = run(["ca", "show", &ca.at("issued/a.test.pem")]);
    assert_eq!((shown.code, field(&shown.out, "  names")), (Some(0), "a.test"));
    assert_eq!(field(&shown.out, "  is for"), "servers and clients");
    assert_eq!(shown.out.matches("Certificate\n").count(), 2, "the chain");
    let key = run(["ca", "show", &ca.at("root.key")]);
    assert_eq!((key.code, key.out.as_str()), (Some(0), "Private key, which is not shown\n"));
    let nothing = run(["ca", "show", &ca.at("crlnumber")]);
    assert!(nothing.code == Some(1) && nothing.err.contains("no certificate, request or list"), "{nothing:?}");
}
