//! `--metrics`: what is counted, in Prometheus' text format (version 0.0.4).

use core::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use septet_application::http::{Body, HeaderValue, Request, Response, Server, StatusCode, plain};
use septet_core::{Metric, Reading, Recorder, Star};
use septet_socket::NetRef;

/// What the frame itself knows: the name behind `septet_`, its kind, its meaning, and its value now.
pub(super) type Own = (&'static str, &'static str, &'static str, f64);

/// Serves `own` and what `recorder` holds at `at`.
pub(super) async fn serve(
    net: NetRef,
    at: SocketAddr,
    recorder: Recorder,
    own: impl Fn() -> Vec<Own> + Send + Sync + 'static,
) -> std::io::Result<()> {
    let own = Arc::new(own);
    let server = Server::of(move |_| {
        let (recorder, own) = (recorder.clone(), own.clone());
        move |request: Request<Body>| {
            let response = match request.uri().path() {
                "/metrics" => page(exposition(&recorder, &own())),
                _ => plain(StatusCode::NOT_FOUND),
            };
            async move { response }
        }
    });
    server.listen(at).serve(net).await
}

fn page(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert("content-type", kind);
    response
}

fn exposition(recorder: &Recorder, own: &[Own]) -> String {
    let mut text = String::new();
    for (name, kind, doc, value) in own {
        let _ = write!(text, "# HELP septet_{name} {doc}\n# TYPE septet_{name} {kind}\nseptet_{name} {value}\n");
    }
    let names = recorder.names();
    let mut told: Vec<&str> = Vec::new();
    for metric in septet_service::recorders().flat_map(|(_, metrics)| metrics) {
        // Several services may record the same.
        if told.contains(&metric.name) {
            continue;
        }
        told.push(metric.name);
        family(&mut text, metric, &names, recorder);
    }
    text
}

/// One family: its head, where there is anything to tell, and each of its members.
fn family(text: &mut String, metric: &Metric, names: &[String], recorder: &Recorder) {
    let (suffix, kind) = match metric.reading {
        Reading::Sum => ("_total", "counter"),
        Reading::Each => ("", "summary"),
    };
    let name = format!("septet_{}{suffix}", known(&metric.name.replace(".*", "").replace("*.", "")));
    let mut head = false;
    for member in names.iter().filter(|name| metric.is(name)) {
        let Some(series) = recorder.series(member) else { continue };
        if !head {
            let doc = metric.doc.replace('\\', "\\\\").replace('\n', "\\n");
            let _ = write!(text, "# HELP {name} {doc}\n# TYPE {name} {kind}\n");
            head = true;
        }
        let label = metric.star_of(member).map(|star| label(metric.star, star)).unwrap_or_default();
        let _ = match metric.reading {
            Reading::Sum => writeln!(text, "{name}{label} {}", series.sum()),
            Reading::Each => {
                write!(text, "{name}_sum{label} {}\n{name}_count{label} {}\n", series.sum(), series.count())
            }
        };
    }
}

fn label(star: Star, value: &str) -> String {
    let name = match star {
        Star::Number => "number",
        Star::Port => "port",
        Star::Word | Star::Anything => "name",
    };
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`: a dot is none of them.
fn known(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use septet_core::Instant;

    use super::*;

    #[test]
    fn counters_series_and_families() {
        let recorder = Recorder::new();
        for (name, value) in [("http.requests", 1.0), ("http.requests", 1.0), ("http.answers.404", 1.0)] {
            recorder.record(Instant::ZERO, name, value);
        }
        let text = exposition(&recorder, &[("connections", "gauge", "connections that are open", 3.0)]);
        for line in [
            "# TYPE septet_connections gauge",
            "septet_connections 3",
            "# TYPE septet_http_requests_total counter",
            "septet_http_requests_total 2",
            "septet_http_answers_total{number=\"404\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert_eq!(text.matches("# TYPE septet_http_requests_total").count(), 1);
    }
}
