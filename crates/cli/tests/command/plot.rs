//! `plot`: metrics of a run as a picture.

use std::fs;

use crate::{run, scratch};

const METRICS: &str = "node,name,t,value\n\
    a,http.ok,1,1\na,http.ok,2,1\na,tcp.cwnd,1,14480\na,tcp.cwnd,2,28960\na,tcp.rtt,1,0.1\na,tcp.rtt,2,0.2\n";

#[test]
fn metrics_of_one_unit_share_a_panel() {
    let dir = scratch("plot");
    fs::write(dir.join("metrics.csv"), METRICS).expect("the target directory can be written");
    let listed = run(["plot".as_ref(), dir.as_os_str()]);
    assert_eq!((listed.code, listed.out.as_str()), (Some(0), "a.http.ok\na.tcp.cwnd\na.tcp.rtt\n"));
    let drawn = run(["plot".as_ref(), dir.as_os_str(), "a.tcp.cwnd".as_ref(), "a.tcp.rtt".as_ref()]);
    assert_eq!(drawn.code, Some(0), "{drawn:?}");
    assert!(drawn.out.starts_with("<svg") && drawn.out.ends_with("</svg>\n"));
    assert_eq!((drawn.out.matches("<path").count(), drawn.out.matches("<circle").count()), (2, 4));
    for part in [">KiB<", ">ms<", ">time, s<", ">a.tcp.cwnd<", ">a.tcp.rtt<"] {
        assert!(drawn.out.contains(part), "`{part}` is missing in:\n{}", drawn.out);
    }
    let endless = run(["plot".as_ref(), dir.as_os_str(), "a.tcp.cwnd".as_ref(), "--rate".as_ref(), "1ns".as_ref()]);
    assert_eq!(endless.code, Some(2), "{endless:?}");
    assert!(endless.err.contains("take a longer span"), "{}", endless.err);
    let wrong = run(["plot".as_ref(), dir.as_os_str(), "a.tcp.cwn".as_ref()]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("did you mean `a.tcp.cwnd`?"), "{}", wrong.err);
}
