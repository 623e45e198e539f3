//! Multicast on the kernel's sockets: members hear, others do not, and what is set of time to live, interface and looping is
//! seen on the wire, which is a TAP here. Over both versions of IP.
//!
//! Without the test harness, because a process must have one thread to enter a user namespace.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("SKIPPED: TAPs are Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::ErrorKind;
    use std::net::{IpAddr, SocketAddr};
    use std::path::Path;

    use septet_core::Carrier;
    use septet_live::kernel::KernelNet;
    use septet_live::linux::ids::Users;
    use septet_live::linux::interface::Interface;
    use septet_live::linux::namespace;
    use septet_live::linux::tap::{Offload, Persistence, Tap};
    use septet_socket::{GroupChange, Looping, UdpSocket};

    /// Behind Ethernet's header, where IPv4 has its time to live and IPv6 its hop limit.
    const TTL_AT: [usize; 2] = [14 + 8, 14 + 7];

    pub(crate) fn main() {
        if let Err(e) = namespace::enter(Users::Own) {
            return skip(&format!("{e}"));
        }
        for (path, what) in [("/dev/net/tun", "no /dev/net/tun"), ("/proc/net/if_inet6", "no IPv6 in the kernel")] {
            if !Path::new(path).exists() {
                return skip(&format!("there is {what}"));
            }
        }
        let taps = ["eth0", "eth1"]
            .map(|name| Tap::open(name, Offload::None, Persistence::Fresh).expect("we are root in our namespace"));
        for (number, tap) in taps.iter().enumerate() {
            let interface = Interface::open(tap.name()).unwrap();
            interface.skip_duplicate_detection().unwrap();
            interface.up().unwrap();
            tap.set_carrier(Carrier::Up).unwrap();
            interface.set_address(format!("10.9.{number}.1").parse().unwrap(), 24).unwrap();
            interface.set_address(format!("2001:db8:{number}::1").parse().unwrap(), 64).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            talk(&taps, "239.7.7.7", "10.9.0.1", "10.9.0.77").await;
            talk(&taps, "ff05::7:7", "2001:db8::1", "2001:db8::77").await;
        });
        println!("memberships: ok");
    }

    /// What the next frames out of a TAP say of the time to live of the one that carries this; `None` where none does.
    fn ttl_of(tap: &Tap, text: &str) -> Option<u8> {
        let mut buf = [0; 2048];
        while let Ok(len) = tap.read(&mut buf) {
            if buf[..len].ends_with(text.as_bytes()) {
                return Some(buf[TTL_AT[usize::from(buf[14] >> 4 == 6)]]);
            }
        }
        None
    }

    async fn hears(socket: &UdpSocket, text: &str) {
        let mut buf = [0; 64];
        let datagram = tokio::time::timeout(core::time::Duration::from_secs(10), socket.receive(&mut buf));
        let datagram = datagram.await.unwrap_or_else(|_| panic!("nobody hears {text}")).unwrap();
        assert_eq!(core::str::from_utf8(&buf[..datagram.len]).unwrap(), text);
    }

    async fn talk(taps: &[Tap; 2], group: &str, own: &str, other: &str) {
        let [group, own, other]: [IpAddr; 3] = [group, own, other].map(|ip| ip.parse().unwrap());
        let any: IpAddr = if group.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
        let net = KernelNet::new().unwrap().into_net();
        let [member, sender] = [0; 2].map(|_| net.bind_udp(SocketAddr::new(any, 0)).unwrap());
        let to = SocketAddr::new(group, member.local_addr().unwrap().port());
        let say = async |text: &str| {
            sender.send_to(text.as_bytes(), to).await.unwrap();
        };
        let change = |what: GroupChange| member.change_group(group, Some("eth0"), what).map_err(|e| e.kind());

        sender.set_multicast_interface(Some("eth0")).unwrap();
        assert_eq!(sender.set_multicast_interface(Some("eth9")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(change(GroupChange::Leave), Err(ErrorKind::AddrNotAvailable));
        // The kernel takes an address of IPv6 into use a little later than it was given.
        let mut tries = 0;
        while let Err(e) = sender.send_to(b"before it is a member", to).await {
            tries += 1;
            assert!(tries < 500 && e.kind() == ErrorKind::AddrNotAvailable, "{e}");
            tokio::time::sleep(core::time::Duration::from_millis(20)).await;
        }
        assert_eq!(change(GroupChange::Join), Ok(()));
        assert_eq!(change(GroupChange::Join), Err(ErrorKind::AddrInUse));
        say("one").await;
        hears(&member, "one").await;
        assert_eq!(ttl_of(&taps[0], "one"), Some(1), "at first");

        sender.set_looping(Looping::Off).unwrap();
        sender.set_multicast_ttl(7).unwrap();
        say("two").await;
        sender.set_looping(Looping::On).unwrap();
        say("three").await;
        hears(&member, "three").await;
        assert_eq!(ttl_of(&taps[0], "two"), Some(7), "others hear it");
        sender.set_multicast_interface(Some("eth1")).unwrap();
        say("four").await;
        sender.set_multicast_interface(Some("eth0")).unwrap();
        assert_eq!((ttl_of(&taps[0], "four"), ttl_of(&taps[1], "four")), (None, Some(7)));

        assert_eq!(change(GroupChange::Block(own)), Ok(()));
        say("five").await;
        assert_eq!(change(GroupChange::Unblock(own)), Ok(()));
        say("six").await;
        hears(&member, "six").await;
        assert_eq!(change(GroupChange::JoinSource(own)), Err(ErrorKind::InvalidInput), "all sources are wanted");
        assert_eq!(change(GroupChange::Leave), Ok(()));
        say("seven").await;
        assert_eq!(change(GroupChange::JoinSource(other)), Ok(()));
        say("eight").await;
        assert_eq!(change(GroupChange::JoinSource(own)), Ok(()));
        say("nine").await;
        hears(&member, "nine").await;
        assert_eq!(change(GroupChange::LeaveSource(own)), Ok(()));
        assert_eq!(change(GroupChange::LeaveSource(own)), Err(ErrorKind::AddrNotAvailable));
        assert_eq!(change(GroupChange::LeaveSource(other)), Ok(()));
    }

    fn skip(why: &str) {
        assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none(), "required here: {why}");
        eprintln!("SKIPPED: {why}");
    }
}
