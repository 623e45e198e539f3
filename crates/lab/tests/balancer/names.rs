//! TLS that is passed on unopened, by the name that it asks for.

use septet_lab::Outcome;

use super::{play, sum};

fn named(own: &str, asked: &str) -> Outcome {
    play(&format!(
        r#"
[lab]
stop = "5s"
[topology]
links = ["c, lb, shop, bank -- s"]
[switch.s]
[host.lb]
address = "10.0.1.9/24"
[host.lb.balancer]
listen = "sni://:443"
{own}
[host.lb.balancer.routes]
shop = {{ host = "*.shop.test", to = "shop:443" }}
bank = {{ host = "bank.test", to = "bank:443" }}
[host.shop.http]
listen = "https://www.shop.test"
[host.bank.http]
listen = "https://bank.test"
[host.c]
run = ["at 1s: curl {asked} --repeat 3 --fresh"]
"#
    ))
}

#[test]
fn each_name_has_its_own_server_and_certificate() {
    let asked = "--resolve www.shop.test:443:10.0.1.9 --resolve bank.test:443:10.0.1.9 https://www.shop.test/ https://bank.test/";
    let outcome = named("", asked);
    // Each server shows its own certificate, which the client believes for that name alone.
    assert_eq!((sum(&outcome, "c", "http.ok"), sum(&outcome, "c", "http.error")), (6.0, 0.0));
    assert_eq!((sum(&outcome, "shop", "http.requests"), sum(&outcome, "bank", "http.requests")), (3.0, 3.0));
}

#[test]
fn a_name_without_a_route_goes_to_the_rest_or_nowhere() {
    let asked = "-k --resolve a.test:443:10.0.1.9 https://a.test/";
    let nowhere = named("", asked);
    assert_eq!((sum(&nowhere, "c", "http.ok"), sum(&nowhere, "lb", "balancer.unrouted")), (0.0, 3.0));
    assert_eq!(sum(&named("to = 'bank:443'", asked), "bank", "http.requests"), 3.0);
}
