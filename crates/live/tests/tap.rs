//! Namespace, interface and TAP against the kernel: it must answer an ARP request that we write to the TAP.
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
    use std::net::{IpAddr, Ipv4Addr};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use septet_core::Carrier;
    use septet_live::linux::ids::Users;
    use septet_live::linux::interface::Interface;
    use septet_live::linux::namespace;
    use septet_live::linux::tap::{Offload, Persistence, Tap};
    use septet_live::linux::vnet;

    const KERNEL: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const US: [u8; 6] = [2, 0, 0, 0, 0, 2];

    pub(crate) fn main() {
        if let Err(e) = namespace::enter(Users::Own) {
            skip(&format!("{e}"));
            return;
        }
        namespace::set_resolv_conf(&[IpAddr::V4(Ipv4Addr::new(10, 0, 0, 53))], &["lab".to_owned()])
            .expect("our own mount namespace");
        assert_eq!(std::fs::read_to_string("/etc/resolv.conf").unwrap(), "nameserver 10.0.0.53\nsearch lab\n");
        if !std::path::Path::new("/dev/net/tun").exists() {
            skip("there is no /dev/net/tun");
            return;
        }
        assert_eq!(
            Tap::open("a name/too long for it", Offload::None, Persistence::Fresh).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        for (name, offload) in [("eth0", Offload::None), ("eth1", Offload::Full)] {
            arp_is_answered(name, offload);
        }
        assert!(Interface::open("eth0").is_err(), "a fresh TAP goes with its descriptor");
        println!("tap: ok");
    }

    fn arp_is_answered(name: &str, offload: Offload) {
        let tap = Tap::open(name, offload, Persistence::Fresh).expect("we are root in our namespace");
        let interface = Interface::open(tap.name()).unwrap();
        interface.set_mac(KERNEL).unwrap();
        interface.set_mtu(1400).unwrap();
        interface.set_address(Ipv4Addr::new(10, 0, 0, 1).into(), 24).unwrap();
        interface.up().unwrap();
        interface.add_default_route(Ipv4Addr::new(10, 0, 0, 2).into()).unwrap();
        tap.set_carrier(Carrier::Up).unwrap();
        assert_eq!(interface.mtu().unwrap(), 1400);

        let mut request = Vec::new();
        request.extend([0xff; 6]);
        request.extend(US);
        request.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
        request.extend(US);
        request.extend([10, 0, 0, 2]);
        request.extend([0; 6]);
        request.extend([10, 0, 0, 1]);
        let header: &[u8] = if offload == Offload::Full { &vnet::Header::default().build() } else { &[] };
        tap.write(header, &request).unwrap();

        let mut buf = [0; 2048];
        // The kernel may say other things first (router solicitations); a second is for a busy machine.
        for _ in 0..100 {
            match tap.read(&mut buf) {
                Ok(n) => {
                    let frame = &buf[header.len()..n];
                    if frame[12..14] == [0x08, 0x06] && frame[21] == 2 {
                        assert_eq!((&frame[..6], &frame[22..28]), (&US[..], &KERNEL[..]));
                        if offload == Offload::Full {
                            assert_eq!(vnet::Header::parse(&buf[..n]).unwrap().segmentation, None);
                        }
                        return;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let second = Timespec { tv_sec: 1, tv_nsec: 0 };
                    let ready = poll(&mut [PollFd::new(&tap, PollFlags::IN)], Some(&second)).unwrap();
                    assert_ne!(ready, 0, "the kernel did not answer an ARP request within a second");
                }
                Err(e) => panic!("{e}"),
            }
        }
        panic!("a hundred frames and no ARP reply among them");
    }

    fn skip(why: &str) {
        assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none(), "required here: {why}");
        eprintln!("SKIPPED: {why}");
    }
}
