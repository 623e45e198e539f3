//! Requests that go different ways through one balancer, and what is changed in them.

use septet_lab::Outcome;

use super::{play, sum};

/// A client that asks for `asked` each a few times, a balancer with these keys, and servers.
fn routed(balancer: &str, asked: &[&str]) -> Outcome {
    let run: Vec<String> = asked.iter().map(|asked| format!("\"at 1s: curl {asked} --repeat 4\"")).collect();
    play(&format!(
        r#"
[lab]
stop = "6s"
[topology]
links = ["c, lb, web, api[1..2] -- s"]
[switch.s]
[host.web.http]
[host."api[1..2]".http]
answers = ["/v1: 200", "*: 404"]
[host.c]
run = [{}]
[host.lb.balancer]
listen = "http://:80"
{balancer}
"#,
        run.join(", ")
    ))
}

const ROUTES: &str = r#"
to = "web:80"
[host.lb.balancer.routes]
api = { path = "/api/*", strip_prefix = "/api", to = "api[1..2]:80", request_headers = "remove Cookie" }
host = { host = "*.shop.test", to = "api1:80", policy = "random" }
beta = { header = "X-Beta: yes", to = "api2:80" }
"#;

#[test]
fn the_first_route_that_fits_is_taken() {
    let requests = |asked: &str| {
        let outcome = routed(ROUTES, &[asked]);
        ["web", "api1", "api2"].map(|host| sum(&outcome, host, "http.requests"))
    };
    assert_eq!(requests("http://lb/"), [4.0, 0.0, 0.0]);
    assert_eq!(requests("http://lb/api/v1"), [0.0, 2.0, 2.0]);
    assert_eq!(requests("-H 'Host: eu.shop.test' http://lb/v1"), [0.0, 4.0, 0.0]);
    assert_eq!(requests("-H 'Host: shop.test' http://lb/v1"), [4.0, 0.0, 0.0]);
    assert_eq!(requests("-H 'X-Beta: yes' http://lb/v1"), [0.0, 0.0, 4.0]);
    assert_eq!(requests("-H 'X-Beta: yes' -H 'Host: a.shop.test' http://lb/api/v1"), [0.0, 2.0, 2.0]);
}

#[test]
fn the_prefix_is_taken_off_the_path() {
    let outcome = routed(ROUTES, &["http://lb/api/v1"]);
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.status.404")), (4.0, 0.0));
    let kept = routed(&ROUTES.replace("strip_prefix = \"/api\", ", ""), &["http://lb/api/v1"]);
    assert_eq!(sum(&kept, "c", "http.status.404"), 4.0);
}

#[test]
fn without_backends_of_its_own_the_rest_is_not_found() {
    let outcome = routed(&ROUTES.replace("to = \"web:80\"\n", ""), &["http://lb/", "http://lb/api/v1"]);
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.status.404")), (4.0, 4.0));
    assert_eq!(sum(&outcome, "lb", "balancer.unrouted"), 4.0);
}

#[test]
fn a_cookie_of_each_route_holds_its_client() {
    let routes = r#"
sticky = "S"
to = "web:80, api1:80"
routes = { api = { path = "/api/*", to = "api[1..2]:80" } }
"#;
    let outcome = routed(routes, &["-b '' http://lb/ http://lb/api/"]);
    let all = ["web", "api1", "api2"].map(|host| sum(&outcome, "lb", &format!("backend.{host}.requests")));
    // Both begin with the first of theirs and stay there.
    assert_eq!(all, [4.0, 4.0, 0.0]);
}

/// How many of a client's requests a second balancer finds with this field, as the first one wrote it.
fn arrives(edge: &str, client: &str, field: &str) -> f64 {
    let outcome = play(&format!(
        r#"
[lab]
stop = "4s"
[topology]
links = ["c, edge, lb, web -- s"]
[host.c]
address = "10.0.1.7/24"
run = ["at 1s: curl {client} http://edge/ --repeat 3"]
[switch.s]
[host.web.http]
[host.edge.balancer]
listen = "http://:80"
to = "lb:80"
{edge}
[host.lb.balancer]
listen = "http://:80"
routes = {{ told = {{ header = '{field}', to = "web:80" }} }}
"#
    ));
    sum(&outcome, "c", "http.ok")
}

#[test]
fn backends_are_told_who_asks_and_nobody_can_pretend() {
    let pretends = "-H 'X-Forwarded-For: 192.0.2.1'";
    assert_eq!(arrives("", "", "X-Forwarded-For: 10.0.1.7"), 3.0);
    assert_eq!(arrives("", pretends, "X-Forwarded-For: 10.0.1.7"), 3.0);
    let trusted = "trusted_proxies = '10.0.1.7'";
    assert_eq!(arrives(trusted, pretends, "X-Forwarded-For: 192.0.2.1, 10.0.1.7"), 3.0);
    assert_eq!(arrives("forwarded = 'forwarded'", "", "Forwarded: for=10.0.1.7;host=edge;proto=http"), 3.0);
    assert_eq!(arrives("forwarded = 'none'", pretends, "X-Forwarded-For"), 0.0);
}
