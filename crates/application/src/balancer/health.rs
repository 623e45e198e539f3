//! Health checks: an HTTP request to each backend, now and then.

use core::time::Duration;
use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt;
use septet_socket::{NetExt, NetRef};

use super::Target;
use super::backend::Backends;
use super::dial::dial;
use crate::http::{Body, Connection, Version};
use crate::task::{self, Owned};

/// How backends are checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// The time between two checks.
    pub every: Duration,
    /// What is asked for; a status below 400 is well.
    pub path: String,
    /// How long a check may take.
    pub timeout: Duration,
    /// After so many failures in a row a backend is taken out. What clients meet counts as well.
    pub fall: u32,
    /// After so many good checks in a row it is taken in again.
    pub rise: u32,
}

impl Default for Health {
    /// HAProxy's `inter 2s fall 3 rise 2`, asking for `/`.
    fn default() -> Self {
        let every = Duration::from_secs(2);
        Self { every, path: "/".to_owned(), timeout: every, fall: 3, rise: 2 }
    }
}

/// Starts the checks; they end when what is returned is dropped.
pub(super) fn start(net: &NetRef, backends: &Arc<Backends>, health: Option<Health>) -> Vec<Owned> {
    let Some(health) = health else { return Vec::new() };
    (0..backends.targets().len())
        .map(|index| {
            let (net2, backends, health) = (net.clone(), backends.clone(), health.clone());
            // The backends are not all asked at the same moment.
            let offset = health.every * index as u32 / backends.targets().len().max(1) as u32;
            task::spawn(
                net,
                Box::pin(async move {
                    net2.sleep(offset).await;
                    loop {
                        let next = net2.now() + health.every;
                        let outcome = check(&net2, &backends.targets()[index], &health).await;
                        net2.count(if outcome.is_ok() { "balancer.checks.ok" } else { "balancer.checks.failed" });
                        backends.checked(index, outcome);
                        net2.sleep_until(next).await;
                    }
                }),
            )
        })
        .collect()
}

async fn check(net: &NetRef, target: &Target, health: &Health) -> Result<(), String> {
    let ask = async {
        let stream = dial(net, target, None).await.map_err(|e| format!("cannot connect: {e}"))?;
        let broken = |e: &dyn core::fmt::Display| format!("no answer: {e}");
        let mut connection = Connection::new(net, stream, Version::Http1).await.map_err(|e| broken(&e))?;
        let request = Request::get(&health.path)
            .header("host", target.at.to_string())
            .header("user-agent", "septet-balancer")
            .header("connection", "close")
            .body(Body::default())
            .map_err(|e| e.to_string())?;
        let mut response = connection.send(request).await.map_err(|e| broken(&e))?;
        while let Some(frame) = response.body_mut().frame().await {
            frame.map_err(|e| broken(&e))?;
        }
        if response.status().as_u16() < 400 { Ok(()) } else { Err(format!("it answered {}", response.status())) }
    };
    match net.timeout(health.timeout, ask).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {:?}", health.timeout)),
    }
}
