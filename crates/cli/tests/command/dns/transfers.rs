//! Zones cross from our server to NSD and from NSD to ours, and both answer alike afterwards.

use std::process::Command;
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::servers::{Server, free, judge, nsd_server};
use super::zones::{Luck, generated};
use super::{Asking, question};
use crate::{scratch, wait_for};

#[test]
fn zones_cross_to_nsd_and_back() {
    let dir = scratch("dns-transferred");
    let Some(nsd) = judge("nsd") else { return };
    let mut luck = Luck::of(21);
    let zones: Vec<_> = (0..6).map(|number| generated(number, &mut luck)).collect();
    for zone in &zones {
        std::fs::write(dir.join(format!("{}.zone", zone.origin)), &zone.text).unwrap();
    }
    let origins: Vec<&str> = zones.iter().map(|zone| &zone.origin[..]).collect();
    let of_each = |form: &dyn Fn(&str) -> String| origins.iter().map(|origin| form(origin)).collect::<String>();
    let last = format!("{}.", origins.last().unwrap());

    // From the files to ours, to NSD, and to ours again, which nobody may have it from.
    let files = of_each(&|origin| format!("\"{origin}\" = '{origin}.zone'\n"));
    let first =
        Server::of_table(&dir, "first", free(), &format!("transfer = ['127.0.0.0/8']\n[dns.zone_files]\n{files}"));
    let second = dir.join("second");
    std::fs::create_dir(&second).unwrap();
    let fetched = of_each(&|origin| {
        format!(
            "zone:\n  name: \"{origin}\"\n  zonefile: \"{origin}.copy\"\n  request-xfr: AXFR 127.0.0.1@{} NOKEY\n  \
             provide-xfr: 127.0.0.1 NOKEY\n",
            first.port.0
        )
    });
    let second = nsd_server(&nsd, &second, &fetched, &last);
    let asked = |server: &Server, name: &str, kind| Asking::of(server.port).ask(&question(9, name, kind, Some(1232)));
    let has_come = |server: &Server| {
        let all = || origins.iter().all(|origin| asked(server, &format!("{origin}."), RecordType::SOA).code == 0);
        wait_for(Duration::from_secs(20), all);
        assert!(all(), "the zones have not come");
    };
    has_come(&second);
    let fetched = of_each(&|origin| format!("\"{origin}\" = '127.0.0.1:{}'\n", second.port.0));
    let third = Server::of_table(&dir, "third", free(), &format!("[dns.secondary]\n{fetched}"));
    has_come(&third);
    for zone in &zones {
        for _ in 0..40 {
            let (name, kind) = zone.question(&mut luck);
            assert_eq!(asked(&third, &name, kind), asked(&first, &name, kind), "{name} {kind}");
        }
        let soa = format!("{}.", zone.origin);
        assert_eq!(asked(&second, &soa, RecordType::SOA).answers, asked(&first, &soa, RecordType::SOA).answers);
    }

    if judge("dig").is_none() {
        return;
    }
    let whole = |server: &Server| {
        let port = server.port.0.to_string();
        let mut dig = Command::new("dig");
        dig.args(["@127.0.0.1", "-p", &port, "+noall", "+answer", "+onesoa", "+nocookie", origins[0], "AXFR"]);
        let output = dig.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).to_lowercase();
        let mut lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        lines.sort_unstable();
        lines
    };
    assert!(whole(&first).len() > 20, "{:?}", whole(&first));
    assert_eq!(whole(&first), whole(&second), "the same records");
    assert!(
        whole(&third).iter().all(|line| line.contains("transfer failed")),
        "nobody may have it: {:?}",
        whole(&third)
    );
}
