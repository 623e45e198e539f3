//! The front that balances requests: each goes to the backend that the policy picks, and to another where that fails.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use septet_core::Storey;
use septet_socket::{BoxFuture, NetExt, NetRef};

use super::backend::{Attempt, Wanted};
use super::budget::Budget;
use super::dial::{Ends, dial};
use super::forwarding::Forwarding;
use super::group::{Group, Groups};
use super::relay::Relay;
use super::upload::{Progress, Upload};
use super::upstream::{self, Outgoing};
use super::{Limits, cut, fields};
use crate::http::{self as ours, Service};

/// A body of this size is held, so that it can be sent to another backend.
const HELD: u64 = 64 * 1024;

/// What its requests share.
pub(super) struct Requests {
    net: NetRef,
    groups: Groups,
    budget: Budget,
    limits: Limits,
    scheme: &'static str,
    forwarding: Forwarding,
    /// How it calls itself in `Via`.
    name: String,
}

/// The body of a request that may have to be sent again.
enum Content {
    Held(Bytes),
    Passing(Option<ours::Body>),
}

/// How often a request may still be given to another backend.
#[derive(Clone, Copy)]
struct Tries<'t> {
    /// The backends that were asked, the present one included.
    tried: &'t [usize],
    /// It may be sent twice.
    may_move: bool,
    /// It was not tried as often as it may be.
    are_left: bool,
}

/// Why a backend gave no response.
struct Failure {
    /// What the client is told if no other backend answers.
    status: StatusCode,
    why: String,
    /// The body, if no octet of the request was sent.
    unsent: Option<Outgoing>,
    blame: Blame,
}

/// Whose fault it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    Backend,
    /// A kept connection was closed while the request was on its way: that may happen to any backend.
    Chance,
    /// The backend was taken out while the response was waited for: that is known already.
    Known,
    /// The backend may have crashed, and another one is asked instead: that is paid for already.
    Doubted,
    Client,
}

impl Requests {
    pub(super) fn new(
        net: &NetRef,
        groups: Groups,
        limits: Limits,
        scheme: &'static str,
        forwarding: Forwarding,
    ) -> Self {
        let name = net.hostname();
        // RFC 9110 §7.6.3: the name is a host or a token.
        let is_token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        Self {
            net: net.clone(),
            groups,
            budget: Budget::default(),
            limits,
            scheme,
            forwarding,
            name: if is_token { name } else { "septet".to_owned() },
        }
    }

    /// Answers a request that came over the connection with these ends.
    async fn answer(&self, ends: Ends, request: Request<ours::Body>) -> Response<ours::Body> {
        self.net.count("balancer.requests");
        self.budget.deposit();
        let client = ends.client;
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return self.say(StatusCode::METHOD_NOT_ALLOWED);
        }
        let label = format!("{} {}", head.method, head.uri.path());
        let Some(way) = self.groups.of(&head) else {
            self.net.count("balancer.unrouted");
            return self.refuse(client, &label, StatusCode::NOT_FOUND, "no route is for it".to_owned());
        };
        if let Some(route) = way.route {
            self.net.trace(Storey::Application, "balancer.route", |f| {
                f.set("client", client).set("request", label.clone()).set("route", route.name.clone());
            });
        }
        let edits = way.route.map(|route| &route.edits);
        fields::of_request(&mut head.headers, head.version, &head.uri, &self.name);
        self.forwarding.of_request(&mut head.headers, client, self.scheme);
        if !head.headers.contains_key(HOST) {
            head.headers.insert(HOST, HeaderValue::from_static(""));
        }
        if let Some(edits) = edits {
            edits.of_request(&mut head);
        }
        let mut content = match self.take_in(body).await {
            Ok(content) => content,
            Err(status) => return self.say(status),
        };
        let stickiness = way.group.stickiness.as_ref();
        let stuck = stickiness.and_then(|s| s.take(&mut head.headers));
        let wanted = Wanted { client, request: Some(&label), stuck };
        match self.forward(way.group, wanted, ends, &head, &mut content).await {
            Ok((mut response, index)) => {
                fields::of_response(response.headers_mut(), &self.name);
                if let Some(edits) = edits {
                    edits.of_response(response.headers_mut());
                }
                if let Some(stickiness) = stickiness.filter(|_| stuck != Some(index)) {
                    stickiness.set(response.headers_mut(), index);
                }
                *response.version_mut() = Version::HTTP_11;
                response.map(ours::Body::new)
            }
            Err((status, why)) => self.refuse(client, &label, status, why),
        }
    }

    /// Turns a request away.
    fn refuse(&self, client: SocketAddr, label: &str, status: StatusCode, why: String) -> Response<ours::Body> {
        self.net.count("balancer.refused");
        self.net.trace(Storey::Application, "balancer.refused", |f| {
            f.set("client", client).set("request", label.to_owned()).set("status", status.as_u16());
            f.set("why", why);
        });
        self.say(status)
    }

    /// Holds a short body; one that is longer, or of unknown length, passes through.
    async fn take_in(&self, body: ours::Body) -> Result<Content, StatusCode> {
        if body.size_hint().exact().is_none_or(|length| length > HELD) {
            return Ok(Content::Passing(Some(body)));
        }
        let collect = Limited::new(body, HELD as usize).collect();
        match self.net.timeout(self.limits.response, collect).await {
            Ok(Ok(whole)) => Ok(Content::Held(whole.to_bytes())),
            Ok(Err(e)) if e.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(e)) => match e.downcast_ref().map(io::Error::kind) {
                Some(io::ErrorKind::TimedOut) => Err(StatusCode::REQUEST_TIMEOUT),
                _ => Err(StatusCode::BAD_REQUEST),
            },
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// Sends the request to one backend after the other, until one answers or it may not be sent again: the response,
    /// and whose it is.
    async fn forward(
        &self,
        group: &Group,
        wanted: Wanted<'_>,
        ends: Ends,
        head: &Parts,
        content: &mut Content,
    ) -> Result<(Response<Relay>, usize), (StatusCode, String)> {
        let mut tried = Vec::new();
        // Whose kept connection failed: it may be asked again, over a new one, where there is no other.
        let mut by_chance = None;
        let mut last = (StatusCode::SERVICE_UNAVAILABLE, "no backend is well".to_owned());
        for retries in 0.. {
            let mut attempt = group.backends.pick(wanted, &tried).await;
            if attempt.is_err()
                && let Some(index) = by_chance.take()
            {
                tried.retain(|i| *i != index);
                attempt = group.backends.pick(wanted, &tried).await;
            }
            let attempt = match attempt {
                Ok(attempt) => attempt,
                Err(why) => {
                    if retries == 0 {
                        last.1 = why.to_owned();
                    }
                    break;
                }
            };
            let index = attempt.index();
            let name = attempt.name().to_owned();
            let progress = Progress::default();
            let Some(outgoing) = self.outgoing(content, &progress) else { break };
            let request = request(head, outgoing);
            tried.push(index);
            let may_move = matches!(content, Content::Held(_)) && head.method.is_idempotent();
            let tries = Tries { tried: &tried, may_move, are_left: retries < self.limits.retries };
            let failure = match self.exchange(group, attempt, ends, request, &progress, tries).await {
                Ok(response) => return Ok((response, index)),
                Err(failure) => failure,
            };
            if failure.blame == Blame::Chance {
                by_chance = Some(index);
            }
            // RFC 9110 §9.2.2: "A proxy MUST NOT automatically retry non-idempotent requests." One of which nothing was
            // sent is no retry.
            let is_held = matches!(content, Content::Held(_));
            let may_repeat = failure.unsent.is_some() || is_held && head.method.is_idempotent();
            if let (Content::Passing(body), Some(Either::Right(upload))) = (&mut *content, failure.unsent) {
                *body = Some(upload.body);
            }
            last = (failure.status, failure.why);
            let refused = if failure.blame == Blame::Client {
                Some("")
            } else if !may_repeat {
                Some("; it may not be sent twice")
            } else if retries == self.limits.retries {
                Some("; it was tried often enough")
            } else if failure.blame != Blame::Doubted && !self.budget.withdraw() {
                Some("; there are too many retries already")
            } else {
                None
            };
            if let Some(reason) = refused {
                last.1.push_str(reason);
                break;
            }
            self.net.count("balancer.retries");
            self.net.trace(Storey::Application, "balancer.retry", |f| {
                f.set("backend", name).set("client", wanted.client);
                if let Some(request) = wanted.request {
                    f.set("request", request.to_owned());
                }
                f.set("why", last.1.clone());
            });
        }
        Err(last)
    }

    /// What is sent this time; nothing where it was sent already and is not held.
    fn outgoing(&self, content: &mut Content, progress: &Progress) -> Option<Outgoing> {
        Some(match content {
            Content::Held(bytes) => Either::Left(Full::new(bytes.clone())),
            Content::Passing(body) => {
                let body = body.take()?;
                Either::Right(Upload { net: self.net.clone(), body, progress: progress.clone() })
            }
        })
    }

    /// One request to one backend, as far as the head of the response.
    async fn exchange(
        &self,
        group: &Group,
        attempt: Attempt,
        ends: Ends,
        request: Request<Outgoing>,
        progress: &Progress,
        tries: Tries<'_>,
    ) -> Result<Response<Relay>, Failure> {
        let index = attempt.index();
        let mut taken_out = pin!(attempt.taken_out());
        let mut doubted = Box::pin(attempt.doubted());
        let moved = |why: &str, blame| {
            Poll::Ready(Err(Failure { status: StatusCode::BAD_GATEWAY, why: why.to_owned(), unsent: None, blame }))
        };
        let outcome = {
            let mut ask = pin!(self.ask(group, &attempt, ends, request, progress));
            poll_fn(|cx| {
                if let Poll::Ready(outcome) = ask.as_mut().poll(cx) {
                    return Poll::Ready(outcome);
                }
                while taken_out.as_mut().poll(cx).is_ready() {
                    if attempt.is_cut() {
                        return moved("it was drained, and did not answer in time", Blame::Known);
                    }
                    if tries.may_move {
                        return moved("it was taken out before it answered", Blame::Known);
                    }
                    taken_out.set(attempt.taken_out());
                }
                if !tries.may_move {
                    return Poll::Pending;
                }
                while doubted.as_mut().poll(cx).is_ready() {
                    // One that only may have failed is left for a better one, and only as often as retries are no load.
                    if tries.are_left && group.backends.has_better(tries.tried) && self.budget.withdraw() {
                        return moved("it may have failed before it answered", Blame::Doubted);
                    }
                    doubted = Box::pin(attempt.doubted());
                }
                Poll::Pending
            })
            .await
        };
        match outcome {
            Ok((response, connection)) => {
                attempt.succeeded();
                let (mut head, body) = response.into_parts();
                head.extensions.insert(cut::From::new(&attempt));
                let pool = group.pools[index].clone();
                let mut relay = Relay::new(&self.net, body, attempt, connection, pool, self.limits.response);
                relay.gather().await;
                Ok(Response::from_parts(head, relay))
            }
            Err(failure) => {
                // Others of its connections are no better.
                group.pools[index].clear();
                match failure.blame {
                    Blame::Backend => attempt.failed(&failure.why),
                    Blame::Doubted => attempt.given_up(),
                    Blame::Chance | Blame::Known | Blame::Client => {}
                }
                Err(failure)
            }
        }
    }

    async fn ask(
        &self,
        group: &Group,
        attempt: &Attempt,
        ends: Ends,
        request: Request<Outgoing>,
        progress: &Progress,
    ) -> Result<(Response<Incoming>, upstream::Sender), Failure> {
        let (mut connection, blame) = match group.pools[attempt.index()].take(told(attempt, ends)).await {
            Some(kept) => (kept, Blame::Chance),
            None => match self.connect(attempt, ends).await {
                Ok(new) => (new, Blame::Backend),
                Err(e) => {
                    attempt.doubt();
                    let timed_out = e.kind() == io::ErrorKind::TimedOut;
                    let status = if timed_out { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
                    let unsent = Some(request.into_body());
                    return Err(Failure { status, why: format!("cannot connect: {e}"), unsent, blame: Blame::Backend });
                }
            },
        };
        let begun = self.net.now();
        progress.note(begun);
        let mut ask = pin!(connection.requests.try_send_request(request));
        let mut timer = self.net.sleep(self.limits.response);
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(outcome) = ask.as_mut().poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            // An upload that moves may take its time.
            while Pin::new(&mut timer).poll(cx).is_ready() {
                let until = progress.last() + self.limits.response;
                if until <= self.net.now() {
                    return Poll::Ready(None);
                }
                timer = self.net.sleep_until(until);
            }
            Poll::Pending
        })
        .await;
        match outcome {
            Some(Ok(response)) => {
                let took = self.net.now() - begun;
                attempt.took(took);
                self.net.observe(&format!("backend.{}.time", attempt.name()), took.as_secs_f64());
                Ok((response, connection))
            }
            Some(Err(mut e)) => {
                let unsent = e.take_message().map(Request::into_body);
                let why = format!("no answer: {}", innermost(e.error()));
                // Of a body that ended too early the client is to blame.
                let blame = if e.error().is_user() { Blame::Client } else { blame };
                let status = if blame == Blame::Client { StatusCode::BAD_REQUEST } else { StatusCode::BAD_GATEWAY };
                Err(Failure { status, why, unsent, blame })
            }
            None => {
                let why = format!("no answer within {:?}", self.limits.response);
                Err(Failure { status: StatusCode::GATEWAY_TIMEOUT, why, unsent: None, blame: Blame::Backend })
            }
        }
    }

    async fn connect(&self, attempt: &Attempt, ends: Ends) -> io::Result<upstream::Sender> {
        let connect = dial(&self.net, attempt.target(), Some(ends));
        let stream = self.net.timeout(self.limits.connect, connect).await??;
        self.net.count(&format!("backend.{}.connections", attempt.name()));
        upstream::speak(&self.net, stream, told(attempt, ends)).await
    }

    /// A page of the balancer's own.
    fn say(&self, status: StatusCode) -> Response<ours::Body> {
        let mut response = ours::plain(status);
        ours::sign(&*self.net, &mut response);
        response
    }
}

/// What is said over one connection of a client.
pub(super) struct Conversation {
    pub(super) requests: Arc<Requests>,
    pub(super) ends: Ends,
}

impl Service for Conversation {
    fn call(&self, request: Request<ours::Body>) -> BoxFuture<'_, Response<ours::Body>> {
        Box::pin(self.requests.answer(self.ends, request))
    }

    fn refuse(&self, status: StatusCode) -> Response<ours::Body> {
        self.requests.say(status)
    }
}

/// The client that the backend is told its connection is for, where it wants to know: it serves no other.
fn told(attempt: &Attempt, ends: Ends) -> Option<Ends> {
    attempt.target().proxy_protocol.map(|_| ends)
}

/// The request as a backend gets it: in origin form (RFC 9112 §3.2.1), but for `OPTIONS *`.
fn request(head: &Parts, body: Outgoing) -> Request<Outgoing> {
    let target = match head.uri.path_and_query() {
        Some(target) => Uri::from(target.clone()),
        None => Uri::from_static("/"),
    };
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = target;
    *request.headers_mut() = head.headers.clone();
    request
}

/// What is at the bottom of an error.
fn innermost(e: &hyper::Error) -> String {
    let mut error: &dyn std::error::Error = e;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
