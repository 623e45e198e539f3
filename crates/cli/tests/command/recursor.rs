//! The recursive resolver on the machine's own sockets, in a network namespace: NSD is the root, the top level and the authority,
//! BIND the resolver with which it is compared, dig and kdig the clients.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::services::Serving;
use crate::{lab, scratch, septet};

/// Whether the judges are there, and namespaces. Where one is not the test says so and passes, unless `SEPTET_REQUIRE_JUDGES=1`.
fn judged() -> bool {
    let judges = [("nsd", "-v"), ("named", "-v"), ("dig", "-v"), ("kdig", "-V"), ("ip", "-V")];
    let missing = |(program, flag): &(&'static str, &str)| {
        let ran = Command::new(program).arg(flag).stderr(Stdio::null()).stdout(Stdio::null()).status();
        ran.is_err().then_some(*program)
    };
    let mut missing: Vec<&str> = judges.iter().filter_map(missing).collect();
    let namespace = Command::new("unshare").args(["--user", "--net", "--map-root-user", "true"]).status();
    if !namespace.is_ok_and(|status| status.success()) {
        missing.push("unshare");
    }
    if !missing.is_empty() {
        let required = std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1");
        assert!(!required, "{missing:?} are not installed and SEPTET_REQUIRE_JUDGES=1");
        eprintln!("SKIPPED: {missing:?} are not installed, so nobody judged");
    }
    missing.is_empty()
}

/// A zone served at one address.
struct Zone {
    origin: &'static str,
    at: &'static str,
    records: &'static str,
}

const SOA: &str = "@ 600 IN SOA ns.invalid. h.invalid. 1 3600 900 86400 60\n";

const ZONES: [Zone; 3] = [
    Zone {
        origin: ".",
        at: "127.0.0.2",
        records: "@ NS ns.root-servers.test.\nns.root-servers.test. A 127.0.0.2\ntest. NS ns.test.\nns.test. A 127.0.0.3\n",
    },
    Zone {
        origin: "test.",
        at: "127.0.0.3",
        records: "@ NS ns.test.\nns A 127.0.0.3\nroot-servers NS ns.root-servers\nns.root-servers A 127.0.0.2\n\
                  shop NS ns.shop\nns.shop A 127.0.0.4\nfar NS ns.shop\nlost NS ns.lost\n",
    },
    Zone {
        origin: "shop.test.",
        at: "127.0.0.4",
        records: "@ NS ns\nns A 127.0.0.4\nwww A 10.9.9.9\nwww A 10.9.9.8\nwww AAAA 2001:db8::1\nalias CNAME www\n\
                  out CNAME www.far.test.\nloop CNAME pool\npool CNAME loop\nold DNAME new\nx.new A 10.9.9.7\n\
                  *.wild TXT \"any\"\n@ MX 10 mail\nmail A 10.9.9.6\n",
    },
];

const FAR: &str = "@ NS ns.shop.test.\nwww A 10.8.8.8\n";

/// Starts a program in the namespace of another process.
fn inside(pid: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--user", "--net", "--preserve-credentials", program]);
    command
}

fn nsd(dir: &Path, pid: u32, zone: &Zone) -> Serving {
    let home = dir.join(zone.at);
    fs::create_dir_all(&home).unwrap();
    let path = home.display();
    let mut zones = vec![(zone.origin, zone.records)];
    if zone.origin == "shop.test." {
        zones.push(("far.test.", FAR));
    }
    let mut conf = format!(
        "server:\n ip-address: {}\n zonesdir: \"{path}\"\n pidfile: \"{path}/pid\"\n xfrdfile: \"\"\n database: \"\"\n zonelistfile: \"{path}/list\"\n \
         username: \"\"\n server-count: 1\n logfile: \"{path}/log\"\nremote-control:\n control-enable: no\n",
        zone.at
    );
    for (i, (origin, records)) in zones.iter().enumerate() {
        fs::write(home.join(format!("{i}.zone")), format!("$ORIGIN {origin}\n$TTL 300\n{SOA}{records}")).unwrap();
        conf += &format!("zone:\n name: \"{origin}\"\n zonefile: \"{i}.zone\"\n");
    }
    fs::write(home.join("conf"), conf).unwrap();
    Serving(inside(pid, "nsd").arg("-d").arg("-c").arg(home.join("conf")).stderr(Stdio::null()).spawn().unwrap())
}

/// What `dig` says of a question: the code and the records of the answer in order, without their TTLs and whatever the case of
/// their letters (RFC 4343).
fn dig(pid: u32, at: &str, question: &[&str]) -> String {
    let output = inside(pid, "dig")
        .args([&format!("@{at}"), "+noall", "+comments", "+answer", "+ttlunits", "+nottlid", "+time=5", "+tries=3"])
        .args(question)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = text.lines().find_map(|line| line.split("status: ").nth(1)?.split(',').next()).unwrap_or("none");
    let mut records: Vec<&str> =
        text.lines().filter(|line| !line.starts_with(';') && !line.trim().is_empty()).map(str::trim).collect();
    records.sort_unstable();
    format!("{code} {}", records.join(" | ").to_ascii_lowercase().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn answers_are_those_of_bind_where_nsd_has_the_zones() {
    if !judged() {
        return;
    }
    let dir = scratch("recursor");
    // The namespace lives as long as this process, which waits for its input to end.
    let mut holder = Command::new("unshare");
    holder.args([
        "--user",
        "--net",
        "--map-root-user",
        "sh",
        "-c",
        "ip link set lo up && ip address add 127.0.0.9/8 dev lo && echo up && exec cat",
    ]);
    let mut holder = Serving(holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut up = [0; 3];
    std::io::Read::read_exact(holder.0.stdout.as_mut().unwrap(), &mut up).unwrap();
    let pid = holder.0.id();
    let _servers: Vec<Serving> = ZONES.iter().map(|zone| nsd(&dir, pid, zone)).collect();

    let hints = dir.join("hints");
    fs::write(&hints, ". 3600 NS ns.root-servers.test.\nns.root-servers.test. 3600 A 127.0.0.2\n").unwrap();
    let path = dir.display();
    let conf = dir.join("named.conf");
    fs::write(
        &conf,
        format!(
            "options {{ directory \"{path}\"; listen-on port 53 {{ 127.0.0.9; }}; listen-on-v6 {{ none; }}; recursion yes; \
             dnssec-validation no; pid-file none; session-keyfile none; qname-minimization off; max-cache-size 16m; empty-zones-enable no; \
             query-source address 127.0.0.9; }};\ncontrols {{ }};\nzone \".\" {{ type hint; file \"hints\"; }};\n"
        ),
    )
    .unwrap();
    let named = inside(pid, "named").args(["-g", "-4", "-n", "1", "-c"]).arg(&conf).stderr(Stdio::null()).spawn();
    let _named = Serving(named.unwrap());

    let table = lab(&dir, &format!("[recursor]\nlisten = '127.0.0.1'\nhints = '{}'\n", hints.display()));
    let ours = inside(pid, septet().get_program().to_str().unwrap())
        .args(["serve", "--sockets", "--services"])
        .arg(&table)
        .stdout(Stdio::null())
        .spawn();
    let _ours = Serving(ours.unwrap());

    const OURS: &str = "127.0.0.1";
    const BIND: &str = "127.0.0.9";
    for at in [OURS, BIND] {
        let begun = std::time::Instant::now();
        while !dig(pid, at, &["+time=1", "+tries=1", "ns.shop.test"]).starts_with("NOERROR") {
            assert!(begun.elapsed().as_secs() < 30, "{at} does not answer");
        }
    }
    let questions: [&[&str]; 21] = [
        &["www.shop.test"],
        &["WWW.Shop.Test"],
        &["www.shop.test", "AAAA"],
        &["www.shop.test", "MX"],
        &["alias.shop.test"],
        &["alias.shop.test", "CNAME"],
        &["out.shop.test"],
        &["out.shop.test", "AAAA"],
        &["x.old.shop.test"],
        &["y.old.shop.test"],
        &["old.shop.test", "DNAME"],
        &["a.wild.shop.test", "TXT"],
        &["a.b.wild.shop.test", "TXT"],
        &["shop.test", "MX"],
        &["shop.test", "NS"],
        &["nowhere.shop.test"],
        &["nowhere.test"],
        &["x.nowhere.test"],
        &["www.far.test"],
        &["www.shop.test", "+tcp"],
        &["nothing.at.all"],
    ];
    // Twice: what is asked for, and what is known.
    for _ in 0..2 {
        for question in questions {
            assert_eq!(dig(pid, OURS, question), dig(pid, BIND, question), "{question:?}");
        }
    }
    assert!(dig(pid, OURS, &["loop.shop.test"]).starts_with("SERVFAIL"));
    assert!(dig(pid, OURS, &["www.lost.test"]).starts_with("SERVFAIL"));
    let kdig = inside(pid, "kdig").args(["@127.0.0.1", "+short", "out.shop.test"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kdig.stdout), "www.far.test.\n10.8.8.8\n");
}
