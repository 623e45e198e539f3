//! The PROXY protocol on the machine's own sockets, with curl as the one that begins with it and nginx as the one that gets it.

use std::fs;
use std::process::{Command, Stdio};

use crate::services::{Serving, free, ready};
use crate::{lab, scratch, septet};

/// Whether the judges are there. Where one is not the test says so and passes, unless `SEPTET_REQUIRE_JUDGES=1`.
fn judged() -> bool {
    let missing = |program: &&str| {
        !Command::new(program).arg("-V").stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    let missing: Vec<&str> = ["nginx", "curl"].into_iter().filter(missing).collect();
    if !missing.is_empty() {
        let required = std::env::var_os("SEPTET_REQUIRE_JUDGES").is_some_and(|v| v == "1");
        assert!(!required, "{missing:?} are not installed and SEPTET_REQUIRE_JUDGES=1");
        eprintln!("SKIPPED: {missing:?} are not installed, so nobody judged");
    }
    missing.is_empty()
}

#[test]
fn nginx_learns_whose_the_connection_is() {
    if !judged() {
        return;
    }
    let [origin, one, two, plain] = free();
    let dir = scratch("proxied");
    let conf = dir.join("nginx.conf");
    let path = dir.display();
    fs::write(
        &conf,
        format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr crit;\nevents {{}}\nhttp {{ access_log off;\n\
             client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;\n\
             uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\n\
             server {{ listen 127.0.0.1:{origin} proxy_protocol;\n\
             location / {{ return 200 \"$proxy_protocol_addr to $proxy_protocol_server_port\\n\"; }} }} }}\n"
        ),
    )
    .unwrap();
    let _nginx = Serving(Command::new("nginx").arg("-c").arg(&conf).arg("-p").arg(&dir).spawn().unwrap());
    ready(origin);
    let mut balancers = Vec::new();
    for (i, (listen, more)) in [
        (format!("tcp://:{one}"), "proxy_protocol = 'v1'\nproxy_protocol_from = '127.0.0.0/8'"),
        (
            format!("http://:{two}"),
            "proxy_protocol = 'v2'\nproxy_protocol_from = '127.0.0.0/8'\nhealth = { every = '100ms' }",
        ),
        (format!("tcp://:{plain}"), "proxy_protocol = 'v2'"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("[balancer]\nlisten = '{listen}'\nto = '127.0.0.1:{origin}'\n{more}\n");
        let file = lab(&scratch(&format!("proxied-{i}")), &text);
        let mut command = septet();
        command.args(["serve", "--sockets", "--services"]).arg(file).stdout(Stdio::null());
        balancers.push(Serving(command.spawn().unwrap()));
    }
    let ask = |port: u16, more: &[&str]| {
        ready(port);
        let url = format!("http://127.0.0.1:{port}/");
        let out = Command::new("curl").args(["-s", "-m", "10"]).args(more).arg(&url).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(ask(plain, &[]), format!("127.0.0.1 to {plain}\n"));
    for port in [one, two] {
        // curl says that it is 127.0.0.1, from its own port to ours.
        assert_eq!(ask(port, &["--haproxy-protocol"]), format!("127.0.0.1 to {port}\n"));
        assert_eq!(ask(port, &[]), "", "who must begin with a header and does not is not served");
    }
}
