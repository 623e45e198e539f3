//! Topologies of data centres.

use std::sync::Arc;

use septet_physical::Medium;

use crate::plan::{Node, Plan};

/// A fat-tree (Al-Fares et al., SIGCOMM 2008) of routers with `ports` ports each, and its hosts: as many pods as
/// ports, in each half as many edge and aggregation routers, and `ports`³ / 4 hosts.
pub(crate) fn fat_tree(plan: &mut Plan, ports: usize, cable: &Arc<Medium>) -> Vec<Node> {
    let half = ports / 2;
    let core: Vec<Node> = (0..half * half).map(|n| plan.router(format!("c{n}"))).collect();
    let mut hosts = Vec::with_capacity(ports * half * half);
    for pod in 0..ports {
        let above: Vec<Node> = (0..half).map(|n| plan.router(format!("a{pod}-{n}"))).collect();
        for (n, &router) in above.iter().enumerate() {
            for &top in &core[n * half..(n + 1) * half] {
                plan.cable(router, top, cable);
            }
        }
        for n in 0..half {
            let edge = plan.router(format!("e{pod}-{n}"));
            for &router in &above {
                plan.cable(edge, router, cable);
            }
            for m in 0..half {
                let host = plan.host(format!("h{pod}-{n}-{m}"));
                plan.cable(edge, host, cable);
                hosts.push(host);
            }
        }
    }
    hosts
}
