//! The tables that a lab is made of, each with the keys of its own: hosts, routers, switches, media.

use core::time::Duration;

use crate::builder::fields::Fields;
use crate::builder::value::Value;

/// A table with keys of its own, each one line.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $method:ident($($argument:ident: $type:ty),*) => $how:ident($($given:expr),*);)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default)]
            #[must_use]
            pub struct $name(Fields);

            impl $name {
                $(
                    $(#[$of])*
                    pub fn $method(self $(, $argument: $type)*) -> Self {
                        Self(self.0.$how($($given),*))
                    }
                )*

                /// Any key of the table, as in a lab file.
                pub fn set(self, key: &str, value: impl Into<Value>) -> Self {
                    Self(self.0.set(key, value))
                }

                /// Any table below it, as in a lab file.
                pub fn table(self, key: &str, of: impl FnOnce(Fields) -> Fields) -> Self {
                    Self(self.0.table(key, of))
                }
            }

            impl From<$name> for Fields {
                fn from(table: $name) -> Self {
                    table.0
                }
            }
        )*
    };
}

tables! {
    /// What is said of a host.
    Host {
        /// A program and when it starts: `at 1s: ping web1`.
        run(command: impl Into<Value>) => push("run", command);
        /// A service that it offers, by its key: `http`, `dns`, `balancer`.
        service(key: &str, of: impl FnOnce(Fields) -> Fields) => table(key, of);
        /// The congestion controller.
        tcp(controller: &str) => set("tcp", controller);
        /// An option of its TCP, by its key.
        tcp_option(key: &str, value: impl Into<Value>) => table("tcp", |tcp| tcp.set(key, value));
        /// What system calls of its programs cost, by the keys of the table `costs`; the defaults where nothing is set.
        costs(of: impl FnOnce(Fields) -> Fields) => table("costs", of);
        /// The versions of IP that it speaks: `4`, `6` or `dual`.
        ip(versions: &str) => set("ip", versions);
        /// The address with its prefix, where there is one port only; one more.
        address(address: impl Into<Value>) => push("address", address);
        /// The largest packet that it sends, in bytes.
        mtu(bytes: u16) => set("mtu", bytes);
        /// Where its routes come from: `computed` or `none`.
        routing(from: &str) => set("routing", from);
        /// What is said of one of its ports.
        port(number: u16, of: impl FnOnce(Fields) -> Fields) => table(&format!("eth{number}"), of);
        /// The router of its default route, by name or address.
        gateway(node: impl Into<Value>) => set("gateway", node);
        /// Whom it asks for names, by name or address; one more.
        resolver(node: impl Into<Value>) => push("resolver", node);
        /// How long it takes from the end of a frame to its answer.
        turnaround(time: Duration) => set("turnaround", time);
    }

    /// What is said of a router.
    Router {
        /// A program and when it starts: `at 1s: ping web1`.
        run(command: impl Into<Value>) => push("run", command);
        /// The congestion controller.
        tcp(controller: &str) => set("tcp", controller);
        /// The versions of IP that it speaks: `4`, `6` or `dual`.
        ip(versions: &str) => set("ip", versions);
        /// The largest packet that it sends, in bytes.
        mtu(bytes: u16) => set("mtu", bytes);
        /// Where its routes come from: `computed` or `none`.
        routing(from: &str) => set("routing", from);
        /// What is said of one of its ports.
        port(number: u16, of: impl FnOnce(Fields) -> Fields) => table(&format!("eth{number}"), of);
        /// The router of its default route, by name or address.
        gateway(node: impl Into<Value>) => set("gateway", node);
        /// A route by hand: `10.0.0.0/8 via r2`; one more.
        route(route: impl Into<Value>) => push("routes", route);
        /// A routing protocol that it speaks, by its key: `rip`, `ospf`, `bgp`.
        protocol(key: &str, of: impl FnOnce(Fields) -> Fields) => table(key, of);
        /// A service that it offers, by its key: `dhcp`, `dhcp_relay`.
        service(key: &str, of: impl FnOnce(Fields) -> Fields) => table(key, of);
    }

    /// What is said of a switch.
    Switch {
        /// How long it remembers an address.
        ageing(time: Duration) => set("ageing", time);
        /// The spanning tree that it takes part in: `stp` or `rstp`.
        stp(version: &str) => set("stp", version);
        /// Its priority in the spanning tree; the lowest is the root.
        priority(priority: u16) => set("priority", priority);
        /// The VLAN of the port to a neighbour.
        vlan(neighbour: &str, vlan: u16) => table("vlans", |vlans| vlans.set(neighbour, vlan));
        /// A neighbour to whom all VLANs go, with tags; one more.
        trunk(neighbour: &str) => push("trunks", neighbour);
        /// Whether those who send more than a port can pass on are paused.
        flow_control(on: bool) => set("flow_control", on);
    }

    /// What is said of a switch that routes between its VLANs.
    L3Switch {
        /// The VLAN of the port to a neighbour.
        vlan(neighbour: &str, vlan: u16) => table("vlans", |vlans| vlans.set(neighbour, vlan));
        /// A neighbour to whom all VLANs go, with tags; one more.
        trunk(neighbour: &str) => push("trunks", neighbour);
        /// The spanning tree that it takes part in: `stp` or `rstp`.
        stp(version: &str) => set("stp", version);
        /// Its priority in the spanning tree; the lowest is the root.
        priority(priority: u16) => set("priority", priority);
        /// The versions of IP that it speaks: `4`, `6` or `dual`.
        ip(versions: &str) => set("ip", versions);
        /// Its address in a VLAN, with the prefix.
        address(vlan: u16, address: impl Into<Value>) => table("addresses", |all| all.set(&vlan.to_string(), address));
        /// What is said of its interface in a VLAN.
        interface(vlan: u16, of: impl FnOnce(Fields) -> Fields) => table("eth0", |inside| inside.table(&vlan.to_string(), of));
        /// A program and when it starts: `at 1s: ping web1`.
        run(command: impl Into<Value>) => push("run", command);
        /// Where its routes come from: `computed` or `none`.
        routing(from: &str) => set("routing", from);
        /// The router of its default route, by name or address.
        gateway(node: impl Into<Value>) => set("gateway", node);
        /// A route by hand: `10.0.0.0/8 via r2`; one more.
        route(route: impl Into<Value>) => push("routes", route);
        /// A routing protocol that it speaks, by its key: `rip`, `ospf`, `bgp`.
        protocol(key: &str, of: impl FnOnce(Fields) -> Fields) => table(key, of);
        /// A service that it offers, by its key: `dhcp`, `dhcp_relay`.
        service(key: &str, of: impl FnOnce(Fields) -> Fields) => table(key, of);
    }

    /// What one kind of link is made of.
    Medium {
        /// The bit rate of the transmitter.
        rate(rate: impl Into<Value>) => set("rate", rate);
        /// From the first bit out to the first bit in.
        delay(delay: impl Into<Value>) => set("delay", delay);
        /// Each frame's delay is uniform in `delay ± jitter`.
        jitter(jitter: impl Into<Value>) => set("jitter", jitter);
        /// The share of frames that are lost.
        loss(share: impl Into<Value>) => set("loss", share);
        /// The queue discipline before the transmitter, with its settings.
        queue(discipline: &str) => set("queue", discipline);
        /// How much may wait before the transmitter.
        limit(limit: impl Into<Value>) => set("limit", limit);
        /// The largest packet that the ends send, in bytes.
        mtu(bytes: u16) => set("mtu", bytes);
    }
}
