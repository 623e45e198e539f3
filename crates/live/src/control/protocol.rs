//! What is said over the control socket.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The version of this protocol; a line of another version is refused.
pub const VERSION: u32 = 2;

/// A line from the client.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the lab is.
    Status {},
    /// Lets a fault happen now, in the words of `[faults] script` without a time: `loss 5% on r1--r2`.
    Fault {
        /// The fault.
        text: String,
    },
    /// Undoes a fault by its number.
    Undo {
        /// What [`Reply::Fault`] gave.
        id: u64,
    },
    /// Runs a built-in program on a host.
    Run {
        /// The host's name.
        host: String,
        /// The program and its arguments.
        argv: Vec<String>,
    },
    /// Asks for a host's place in the lab, for a TAP that follows.
    Plug {
        /// The host's name.
        host: String,
    },
    /// Opens a port forward.
    Forward {
        /// As on the command line: `8443:lb:443`.
        spec: String,
    },
    /// Ends the lab.
    Stop {},
}

/// A line from the lab.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Ok,
    /// It cannot be done.
    Error {
        /// Why, and what to do.
        text: String,
    },
    /// See [`Status`].
    Status(Box<Status>),
    /// The fault happens, now or at its time.
    Fault {
        /// Undoes it.
        id: u64,
        /// When it begins, in seconds from now.
        #[serde(rename = "in")]
        after: f64,
    },
    /// A piece of a program's output.
    Out {
        /// The text.
        text: String,
    },
    /// A piece of a program's error output.
    Err {
        /// The text.
        text: String,
    },
    /// The program has ended.
    Exit {
        /// Its exit code.
        code: u8,
    },
    /// See [`Place`].
    Place(Box<Place>),
    /// The forward is open.
    Forward(Forward),
}

/// How a lab is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// The lab's name.
    pub lab: String,
    /// The process.
    pub pid: u32,
    /// Seconds since the lab began.
    pub time: f64,
    /// How late the latest event fired, in seconds.
    pub lag_max: f64,
    /// A bound on how late 99 % of events fired, in seconds.
    pub lag_p99: f64,
    /// By how much the lab's clock is behind the machine's, in seconds, because the machine did not keep up.
    pub lost: f64,
    /// Hosts by name, with their addresses.
    pub hosts: Vec<(String, Vec<IpAddr>)>,
    /// Open forwards.
    pub forwards: Vec<Forward>,
    /// Faults in force and to come; one that is over is not listed.
    pub faults: Vec<Fault>,
}

/// A fault that is not over.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Undoes it.
    pub id: u64,
    /// What, as written, without the time.
    pub text: String,
    /// Whether it is in force.
    pub state: FaultState,
    /// When a pending fault begins, in seconds since the lab began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<f64>,
    /// When a fault in force ends by itself, in seconds since the lab began; absent: when it is undone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<f64>,
}

/// Whether a fault is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// It begins at a time to come, or begins again.
    Pending,
    /// What it does lasts.
    InForce,
}

/// An open forward.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forward {
    /// Where the machine's programs reach it: `tcp 127.0.0.1:8443`.
    pub from: String,
    /// Where it goes: `lb:443 as client`.
    pub to: String,
}

/// A host's place in the lab: what a namespace needs to take it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The host's addresses, each with the bits of its prefix.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its default gateways, one of each version of IP at most.
    pub gateways: Vec<IpAddr>,
    /// Its link address.
    pub mac: [u8; 6],
    /// Its largest packet.
    pub mtu: u32,
    /// Its name servers.
    pub name_servers: Vec<IpAddr>,
    /// Its search domains.
    pub search: Vec<String>,
    /// The names that it knows without asking: all hosts of a lab without name server.
    pub hosts: Vec<(String, Vec<IpAddr>)>,
    /// A process whose namespaces already hold this place; join them instead of making a TAP.
    pub join: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_documented() {
        let line = r#"{"do":"fault","text":"loss 5% on r1--r2"}"#;
        assert_eq!(
            serde_json::from_str::<Request>(line).unwrap(),
            Request::Fault { text: "loss 5% on r1--r2".to_owned() }
        );
        assert_eq!(serde_json::to_string(&Reply::Exit { code: 3 }).unwrap(), r#"{"reply":"exit","code":3}"#);
        assert!(serde_json::from_str::<Request>(r#"{"do":"stop","now":true}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"do":"dance"}"#).is_err());
    }
}
