//! The balancer's own interface for whoever looks after it: how the backends stand, and to drain, enable and weigh them.

use core::fmt::Write as _;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use septet_core::Storey;
use septet_socket::{NetExt, NetRef};
use serde_json::json;

use super::Target;
use super::backend::Backends;
use crate::http::{Body, Server};
use crate::task::{self, Owned};

/// What may be asked, for one who asked something else.
const USAGE: &str = "\
GET  /servers                              how the servers stand, as JSON
POST /servers/NAME/drain[?within=SECONDS]  no more for it; what is open after SECONDS is broken off
POST /servers/NAME/enable                  again for it
POST /servers/NAME/weight?to=WEIGHT        its share beside the others', 1 to 256
";

/// The backends of a route, by its name, or those of the balancer itself.
pub(super) type Named = (Option<String>, Arc<Backends>);

/// Listens at `at` until what is returned is dropped. An order counts in all groups that have a server of that name.
pub(super) fn start(net: &NetRef, groups: Vec<Named>, at: SocketAddr) -> Owned {
    let groups: Arc<[Named]> = groups.into();
    let answer = move |_: &NetRef| {
        let groups = groups.clone();
        move |request: Request<Body>| {
            let response = answer(&groups, &request);
            async { response }
        }
    };
    let (server, net2) = (Server::of(answer).listen(at), net.clone());
    let serve = async move {
        if let Err(e) = server.serve(net2.clone()).await {
            net2.count("balancer.admin.failed");
            net2.trace(Storey::Application, "balancer.admin", |f| {
                f.set("at", at).set("why", format!("it cannot listen: {e}"));
            });
        }
    };
    task::spawn(net, Box::pin(serve))
}

fn answer(groups: &[Named], request: &Request<Body>) -> Response<Body> {
    let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let is_post = match *request.method() {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return not_allowed("GET, HEAD, POST"),
    };
    match (&path[..], is_post) {
        (["servers"], false) => list(groups),
        (["servers"], true) => not_allowed("GET, HEAD"),
        (["servers", _, "drain" | "enable" | "weight"], false) => not_allowed("POST"),
        (["servers", name, order], true) => {
            let of_name = |backends: &Arc<Backends>| backends.targets().iter().position(|t| t.name == *name);
            let query = request.uri().query().unwrap_or_default();
            let orders = groups.iter().filter_map(|(_, backends)| Some((backends, of_name(backends)?)));
            let mut answers: Vec<_> = orders.map(|(backends, index)| obey(backends, index, order, query)).collect();
            // All of them say the same.
            let unknown = || say(StatusCode::NOT_FOUND, &format!("there is no server `{name}`\n\n{USAGE}"));
            answers.pop().unwrap_or_else(unknown)
        }
        _ => say(StatusCode::NOT_FOUND, USAGE),
    }
}

fn obey(backends: &Arc<Backends>, index: usize, order: &str, query: &str) -> Response<Body> {
    let name = &backends.targets()[index].name;
    let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    match order {
        "drain" => {
            let within = match value("within").map(|v| v.parse().map(Duration::try_from_secs_f64)) {
                None => None,
                Some(Ok(Ok(within))) => Some(within),
                Some(_) => return say(StatusCode::BAD_REQUEST, "`within` is a number of seconds: `?within=30`\n"),
            };
            backends.drain(index, within);
            say(StatusCode::OK, &format!("{name} is being drained\n"))
        }
        "enable" => {
            backends.enable(index);
            say(StatusCode::OK, &format!("{name} gets its share again\n"))
        }
        "weight" => match value("to").and_then(|v| v.parse().ok()).filter(|w| (1..=Target::MOST_WEIGHT).contains(w)) {
            Some(weight) => {
                backends.weigh(index, weight);
                say(StatusCode::OK, &format!("{name} has a weight of {weight}\n"))
            }
            None => say(StatusCode::BAD_REQUEST, "`to` is a weight from 1 to 256: `?to=3`\n"),
        },
        _ => say(StatusCode::NOT_FOUND, USAGE),
    }
}

fn list(groups: &[Named]) -> Response<Body> {
    let mut text = String::new();
    let all = groups.iter().flat_map(|(route, backends)| backends.seen().into_iter().map(move |seen| (route, seen)));
    for (route, seen) in all {
        let mut line = json!({
            "name": seen.target.name, "address": seen.target.at.to_string(), "state": seen.state,
            "weight": seen.weight, "open": seen.open,
        });
        if let Some(route) = route {
            line["route"] = json!(route);
        }
        let _ = writeln!(text, "{line}");
    }
    let mut response = say(StatusCode::OK, &text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = say(StatusCode::METHOD_NOT_ALLOWED, USAGE);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn say(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
