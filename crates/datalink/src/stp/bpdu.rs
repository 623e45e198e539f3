//! Bridge protocol data units (IEEE 802.1D-1998 and 802.1D-2004, clause 9).

use core::fmt;
use core::time::Duration;

use septet_core::DropReason;

use crate::ethernet::MacAddr;

/// To all bridges (§7.12.3).
pub const DESTINATION: MacAddr = MacAddr([0x01, 0x80, 0xc2, 0x00, 0x00, 0x00]);

/// Priority and address of a bridge; the lower is the better (§9.2.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BridgeId {
    /// The priority; 32768 unless set.
    pub priority: u16,
    /// The address.
    pub mac: MacAddr,
}

impl BridgeId {
    fn to_bytes(self) -> [u8; 8] {
        let [a, b] = self.priority.to_be_bytes();
        let [c, d, e, f, g, h] = self.mac.0;
        [a, b, c, d, e, f, g, h]
    }

    const fn from_bytes([a, b, c, d, e, f, g, h]: [u8; 8]) -> Self {
        Self { priority: u16::from_be_bytes([a, b]), mac: MacAddr([c, d, e, f, g, h]) }
    }
}

impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.priority, self.mac)
    }
}

/// What a configuration BPDU says (§9.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Topology Change Acknowledgment.
    pub topology_change_ack: Flag,
    /// Topology Change.
    pub topology_change: Flag,
    /// Who is taken for the root.
    pub root: BridgeId,
    /// The cost of the way to it.
    pub root_path_cost: u32,
    /// Who sends this.
    pub bridge: BridgeId,
    /// Out of which port.
    pub port: u16,
    /// How old what it says is.
    pub message_age: Duration,
    /// How old it may become.
    pub max_age: Duration,
    /// How often the root sends.
    pub hello_time: Duration,
    /// How long a port listens, and how long it learns.
    pub forward_delay: Duration,
}

/// A bit of the flags octet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flag {
    /// 0
    #[default]
    Clear,
    /// 1
    Set,
}

/// What a port is for (802.1D-2004 §17.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nothing: no carrier. On the wire, unknown.
    Disabled,
    /// The way to the root.
    Root,
    /// The way to the root for all on its segment.
    Designated,
    /// Another way to the root.
    Alternate,
    /// Another port on a segment for which this bridge is designated. On the wire the same as an alternate one.
    Backup,
}

/// What a rapid spanning tree BPDU says beside a configuration: the rest of its flags (802.1D-2004 §9.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rapid {
    /// The role of the port that sends it.
    pub role: Role,
    /// It asks whether it may forward at once.
    pub proposal: Flag,
    /// The one that asked may.
    pub agreement: Flag,
    /// The port learns.
    pub learning: Flag,
    /// The port forwards.
    pub forwarding: Flag,
}

impl Rapid {
    /// What a configuration BPDU says without words (802.1D-2004 §17.21.8): it comes from a designated port.
    pub const DESIGNATED: Self = Self {
        role: Role::Designated,
        proposal: Flag::Clear,
        agreement: Flag::Clear,
        learning: Flag::Clear,
        forwarding: Flag::Clear,
    };
}

/// A bridge protocol data unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bpdu {
    /// Configuration.
    Config(Config),
    /// Rapid spanning tree.
    Rapid(Config, Rapid),
    /// Topology change notification.
    TopologyChange,
}

impl Bpdu {
    /// Reads what stands behind the LLC header.
    ///
    /// # Errors
    /// [`DropReason::Malformed`] for what is no BPDU of this protocol (§9.3.4).
    pub fn parse(bytes: &[u8]) -> Result<Self, DropReason> {
        match bytes {
            [0, 0, _, 0x80, ..] => Ok(Self::TopologyChange),
            [0, 0, _, 0x00, rest @ ..] => Ok(Self::Config(config(rest)?)),
            // The length of what version 1 would have to say stands at the end, and is 0.
            [0, 0, 2..=255, 0x02, rest @ ..] if rest.len() > CONFIG_LEN => {
                let config = config(rest)?;
                let flags = rest[0];
                let flag = |bit: u8| if flags & bit != 0 { Flag::Set } else { Flag::Clear };
                let role = match flags >> 2 & 3 {
                    0 => Role::Disabled,
                    1 => Role::Alternate,
                    2 => Role::Root,
                    _ => Role::Designated,
                };
                let rapid = Rapid {
                    role,
                    proposal: flag(0x02),
                    agreement: flag(0x40),
                    learning: flag(0x10),
                    forwarding: flag(0x20),
                };
                Ok(Self::Rapid(config, rapid))
            }
            _ => Err(DropReason::Malformed),
        }
    }

    /// The octets behind the LLC header.
    pub fn build(&self) -> Vec<u8> {
        let bit = |flag: Flag, bit: u8| if flag == Flag::Set { bit } else { 0 };
        let (start, c, flags) = match self {
            Self::TopologyChange => return vec![0, 0, 0, 0x80],
            Self::Config(c) => ([0, 0, 0, 0], c, 0),
            Self::Rapid(c, rapid) => {
                let role = match rapid.role {
                    Role::Disabled => 0,
                    Role::Alternate | Role::Backup => 1,
                    Role::Root => 2,
                    Role::Designated => 3,
                };
                let flags = bit(rapid.proposal, 0x02)
                    | role << 2
                    | bit(rapid.learning, 0x10)
                    | bit(rapid.forwarding, 0x20)
                    | bit(rapid.agreement, 0x40);
                ([0, 0, 2, 2], c, flags)
            }
        };
        let mut bytes = start.to_vec();
        bytes.push(flags | bit(c.topology_change_ack, 0x80) | bit(c.topology_change, 0x01));
        bytes.extend(c.root.to_bytes());
        bytes.extend(c.root_path_cost.to_be_bytes());
        bytes.extend(c.bridge.to_bytes());
        bytes.extend(c.port.to_be_bytes());
        for time in [c.message_age, c.max_age, c.hello_time, c.forward_delay] {
            bytes.extend(to_ticks(time).to_be_bytes());
        }
        if matches!(self, Self::Rapid(..)) {
            bytes.push(0);
        }
        bytes
    }
}

/// Octets from the flags to the forward delay.
const CONFIG_LEN: usize = 31;

fn config(bytes: &[u8]) -> Result<Config, DropReason> {
    let Some((c, _)) = bytes.split_first_chunk::<CONFIG_LEN>() else { return Err(DropReason::Malformed) };
    let flag = |bit: u8| if c[0] & bit != 0 { Flag::Set } else { Flag::Clear };
    let id = |at: usize| {
        let mut octets = [0; 8];
        octets.copy_from_slice(&c[at..at + 8]);
        BridgeId::from_bytes(octets)
    };
    let time = |at: usize| from_ticks(u16::from_be_bytes([c[at], c[at + 1]]));
    let config = Config {
        topology_change_ack: flag(0x80),
        topology_change: flag(0x01),
        root: id(1),
        root_path_cost: u32::from_be_bytes([c[9], c[10], c[11], c[12]]),
        bridge: id(13),
        port: u16::from_be_bytes([c[21], c[22]]),
        message_age: time(23),
        max_age: time(25),
        hello_time: time(27),
        forward_delay: time(29),
    };
    // §9.3.4: "the Message Age … is less than its Max Age".
    if config.message_age >= config.max_age { Err(DropReason::Malformed) } else { Ok(config) }
}

/// §9.2.8: times are in units of 1/256 second.
fn from_ticks(ticks: u16) -> Duration {
    Duration::from_nanos(u64::from(ticks) * (1_000_000_000 / 256))
}

fn to_ticks(time: Duration) -> u16 {
    // Rounded to the nearest; what does not fit is the longest.
    u16::try_from((time.as_nanos() * 256 + 500_000_000) / 1_000_000_000).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_configuration_bpdu_octet_by_octet() {
        let root = BridgeId { priority: 0x8000, mac: MacAddr([0, 1, 2, 3, 4, 5]) };
        let bpdu = Bpdu::Config(Config {
            topology_change_ack: Flag::Clear,
            topology_change: Flag::Set,
            root,
            root_path_cost: 19,
            bridge: BridgeId { priority: 0x8000, mac: MacAddr([0, 1, 2, 3, 4, 6]) },
            port: 0x8002,
            message_age: Duration::from_secs(1),
            max_age: Duration::from_secs(20),
            hello_time: Duration::from_secs(2),
            forward_delay: Duration::from_secs(15),
        });
        let bytes = bpdu.build();
        let expected = [
            0, 0, 0, 0, 1, 0x80, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, 19, 0x80, 0, 0, 1, 2, 3, 4, 6, 0x80, 2, 1, 0, 20, 0, 2,
            0, 15, 0,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(Bpdu::parse(&bytes), Ok(bpdu));
        assert_eq!(Bpdu::parse(&bytes[..34]), Err(DropReason::Malformed));
        assert_eq!(Bpdu::parse(&Bpdu::TopologyChange.build()), Ok(Bpdu::TopologyChange));
    }

    #[test]
    fn a_rapid_bpdu_octet_by_octet() {
        let root = BridgeId { priority: 0x8000, mac: MacAddr([0, 1, 2, 3, 4, 5]) };
        let config = Config {
            topology_change_ack: Flag::Clear,
            topology_change: Flag::Set,
            root,
            root_path_cost: 20_000,
            bridge: BridgeId { priority: 0x8000, mac: MacAddr([0, 1, 2, 3, 4, 6]) },
            port: 0x8002,
            message_age: Duration::from_secs(1),
            max_age: Duration::from_secs(20),
            hello_time: Duration::from_secs(2),
            forward_delay: Duration::from_secs(15),
        };
        let rapid = Rapid { proposal: Flag::Set, ..Rapid::DESIGNATED };
        let bytes = Bpdu::Rapid(config, rapid).build();
        let expected = [
            0, 0, 2, 2, 0x0f, 0x80, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0x4e, 0x20, 0x80, 0, 0, 1, 2, 3, 4, 6, 0x80, 2, 1, 0,
            20, 0, 2, 0, 15, 0, 0,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(Bpdu::parse(&bytes), Ok(Bpdu::Rapid(config, rapid)));
        assert_eq!(Bpdu::parse(&bytes[..35]), Err(DropReason::Malformed));
        let all = Rapid {
            role: Role::Root,
            proposal: Flag::Clear,
            agreement: Flag::Set,
            learning: Flag::Set,
            forwarding: Flag::Set,
        };
        assert_eq!(Bpdu::Rapid(config, all).build()[4], 0x79);
    }

    proptest! {
        #[test]
        fn what_parses_builds_again(mut bytes in proptest::collection::vec(any::<u8>(), 0..50), kind in 0usize..3) {
            let start = [[0, 0, 0, 0], [0, 0, 0, 0x80], [0, 0, 2, 2]][kind];
            for (octet, of_kind) in bytes.iter_mut().zip(start) {
                *octet = of_kind;
            }
            if let Ok(bpdu) = Bpdu::parse(&bytes) {
                prop_assert_eq!(Bpdu::parse(&bpdu.build()), Ok(bpdu));
            }
        }
    }
}
