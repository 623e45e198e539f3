//! The backends of one route, or those that get what no route is for, with what is kept for them.

use std::sync::Arc;

use http::request::Parts;
use septet_core::Seed;
use septet_socket::{NetExt, NetRef};

use super::backend::{Backends, Rules};
use super::route::{HostPattern, Route};
use super::sticky::{Stickiness, Sticky};
use super::upstream::Pool;
use super::{Target, health, policy};
use crate::task::Owned;

/// Backends among which one policy chooses.
pub(super) struct Group {
    pub(super) backends: Arc<Backends>,
    /// The connections that are kept to each.
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) stickiness: Option<Stickiness>,
    _checks: Vec<Owned>,
}

impl Group {
    /// Starts its health checks, which end with it.
    pub(super) fn new(
        net: &NetRef,
        targets: Vec<Target>,
        policy: &policy::Entry,
        rules: &Rules,
        stickiness: Option<(Sticky, &str)>,
    ) -> Self {
        let rng = || Seed::new(net.random_u64()).stream("balancer");
        let backends = Backends::new(net.clone(), targets, (policy.build)(&rng), rules.clone());
        let checks = health::start(net, &backends, rules.health.clone());
        Self {
            pools: backends.targets().iter().map(|_| Arc::default()).collect(),
            stickiness: stickiness.map(|(sticky, scheme)| Stickiness::new(sticky, backends.targets(), scheme)),
            backends,
            _checks: checks,
        }
    }
}

/// All groups of a balancer, and which request gets which.
pub(super) struct Groups {
    /// That of what no route is for.
    own: Option<Arc<Group>>,
    routes: Vec<(Route, Arc<Group>)>,
}

/// Where a request goes.
#[derive(Clone, Copy)]
pub(super) struct Way<'g> {
    pub(super) group: &'g Arc<Group>,
    /// By which route, where it is one.
    pub(super) route: Option<&'g Route>,
}

impl Groups {
    /// Starts the groups of a balancer with these routes; `targets` are its own, and get what no route is for. A sticky cookie of
    /// a route is called after it, for its backends are others.
    pub(super) fn new(
        net: &NetRef,
        targets: Vec<Target>,
        policy: &policy::Entry,
        routes: Vec<Route>,
        rules: &Rules,
        sticky: Option<(Sticky, &str)>,
    ) -> Self {
        let own = (!targets.is_empty()).then(|| Arc::new(Group::new(net, targets, policy, rules, sticky.clone())));
        let start = |mut route: Route| {
            let group = match (route.to.take(), &own) {
                (Some(targets), _) => {
                    let sticky = sticky.clone().map(|(sticky, scheme)| {
                        (Sticky { name: format!("{}-{}", sticky.name, route.name), ..sticky }, scheme)
                    });
                    Arc::new(Group::new(net, targets, route.policy, rules, sticky))
                }
                (None, Some(own)) => own.clone(),
                (None, None) => return None,
            };
            Some((route, group))
        };
        Self { routes: routes.into_iter().filter_map(start).collect(), own }
    }

    /// The backends of each, with the name of its route, but for routes to the balancer's own.
    pub(super) fn backends(&self) -> Vec<(Option<String>, Arc<Backends>)> {
        let is_own = |group: &Arc<Group>| self.own.as_ref().is_some_and(|own| Arc::ptr_eq(own, group));
        let own = self.own.iter().map(|own| (None, own.backends.clone()));
        let others = self.routes.iter().filter(|(_, group)| !is_own(group));
        own.chain(others.map(|(route, group)| (Some(route.name.clone()), group.backends.clone()))).collect()
    }

    /// Where a request goes, if anywhere: the first route that fits, or else the balancer's own backends.
    pub(super) fn of(&self, head: &Parts) -> Option<Way<'_>> {
        self.first(|route| route.when.fits(head))
    }

    /// The same for a connection in which TLS asks for `name`.
    pub(super) fn of_name(&self, name: Option<&str>) -> Option<Way<'_>> {
        let fits = |pattern: &HostPattern| name.is_some_and(|name| pattern.fits(name));
        self.first(|route| route.when.host.as_ref().is_none_or(fits))
    }

    fn first(&self, fits: impl Fn(&Route) -> bool) -> Option<Way<'_>> {
        let found = self.routes.iter().find(|(route, _)| fits(route));
        let found = found.map(|(route, group)| Way { group, route: Some(route) });
        found.or_else(|| Some(Way { group: self.own.as_ref()?, route: None }))
    }
}
