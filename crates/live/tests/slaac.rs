//! The Linux kernel as a host of ours: it configures itself from our router's advertisements and reaches it, in fragments
//! too, and hears of what cannot be reached.
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
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use septet_core::{Carrier, Frame, Instant, Out, Port, Seed, Trace, Wire};
    use septet_live::linux::ids::Users;
    use septet_live::linux::interface::Interface;
    use septet_live::linux::namespace;
    use septet_live::linux::tap::{Offload, Persistence, Tap};
    use septet_network::ip::{Advertise, Cast, Ipv6Config};
    use septet_network::{Forwarding, InterfaceConfig, Ip};
    use septet_wire::ethernet::{EtherType, Header, MacAddr};

    const KERNEL: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x99]);
    const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    /// The kernel's end of the link, written to as a wire.
    struct Cable<'t>(&'t Tap);

    impl Wire for Cable<'_> {
        fn send(&mut self, _: Port, frame: Frame, _: &mut Trace) {
            // A frame that the kernel has no room for is lost, as on any wire.
            let _ = self.0.write(&[], frame.bytes());
        }

        fn backlog(&self, _: Port) -> usize {
            0
        }

        fn wake_below(&mut self, _: Port, _: usize) {}
    }

    /// Our router, at the other end.
    struct Router<'t> {
        ip: Ip,
        tap: &'t Tap,
        begun: time::Instant,
    }

    impl Router<'_> {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.begun.elapsed().as_nanos() as u64)
        }

        fn with(&mut self, call: impl FnOnce(&mut Ip, Instant, &mut Out<'_>)) {
            let now = self.now();
            let (mut cable, mut trace) = (Cable(self.tap), Trace::off());
            call(&mut self.ip, now, &mut Out::new(&mut cable, &mut trace));
            while self.ip.poll_up().is_some() {}
        }

        /// Plays until `over` says so; gives whether it did within forty seconds.
        fn play(&mut self, mut over: impl FnMut() -> bool) -> bool {
            let end = self.now() + time::Duration::from_secs(40);
            let mut buf = [0; 2048];
            while self.now() < end {
                if self.ip.deadline().is_some_and(|at| at <= self.now()) {
                    self.with(|ip, now, out| ip.on_deadline(now, out));
                }
                while let Ok(n) = self.tap.read(&mut buf) {
                    self.take(&buf[..n]);
                }
                if over() {
                    return true;
                }
                let soon = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                poll(&mut [PollFd::new(self.tap, PollFlags::IN)], Some(&soon)).expect("a TAP can be polled");
            }
            false
        }

        fn take(&mut self, bytes: &[u8]) {
            let mut frame = Frame::new(Frame::HEADROOM, bytes);
            let Ok(header) = Header::pull(&mut frame) else { return };
            let cast = if header.destination.is_multicast() { Cast::Multicast } else { Cast::Unicast };
            if header.ether_type == EtherType::IPV6 {
                self.with(|ip, now, out| {
                    ip.receive_v6(now, 0, cast, frame, out);
                });
            }
        }

        /// What a script of the kernel's side prints while we play.
        fn run(&mut self, script: &str) -> String {
            let mut shell = Command::new("sh");
            let child = shell.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
            let mut child = child.expect("there is a shell");
            assert!(self.play(|| child.try_wait().expect("our child").is_some()), "the kernel's side does not end");
            String::from_utf8(child.wait_with_output().expect("our child").stdout).expect("text")
        }
    }

    /// Waits for the address, and tries what can be tried with it. One shell for all: it is the first process of our
    /// namespace, and none comes after it.
    const SCRIPT: &str = "
        command -v ip ping >/dev/null || { echo missing; exit; }
        tries=0
        until ip -6 addr show dev eth0 scope global -tentative | grep 2001:db8:0:7:0:ff:fe00:99/64; do
            tries=$((tries + 1)); [ $tries -lt 100 ] || exit; sleep 0.2
        done
        ip -6 route
        ping -6 -n -c 2 -i 0.2 -W 5 2001:db8:0:7::1
        ping -6 -n -c 1 -W 5 -s 3000 2001:db8:0:7::1
        ping -6 -n -c 1 -W 5 2001:db8:77::1";

    pub(crate) fn main() {
        if let Err(e) = namespace::enter(Users::Own) {
            return skip(&format!("{e}"));
        }
        for (path, what) in [("/dev/net/tun", "no /dev/net/tun"), ("/proc/net/if_inet6", "no IPv6 in the kernel")] {
            if !Path::new(path).exists() {
                return skip(&format!("there is {what}"));
            }
        }
        let tap = Tap::open("eth0", Offload::None, Persistence::Fresh).expect("we are root in our namespace");
        let interface = Interface::open(tap.name()).unwrap();
        interface.set_mac(KERNEL.0).unwrap();
        let address = "2001:db8:0:7::1/64".parse().unwrap();
        let ours = [InterfaceConfig { mac: US, addresses: vec![address], mtu: 1500 }];
        let ip = Ip::new(&ours, Forwarding::On, Seed::new(1).stream("router"));
        let mut router = Router { ip, tap: &tap, begun: time::Instant::now() };
        let advertise = Some(Advertise { mtu: Some(1400), ..Advertise::default() });
        router.ip.configure_v6(0, &Ipv6Config { advertise, ..Ipv6Config::with_discovery() }).unwrap();
        router.with(|ip, _, out| ip.set_carrier(Port(0), Carrier::Up, out));
        interface.up().unwrap();
        tap.set_carrier(Carrier::Up).unwrap();

        let told = router.run(SCRIPT);
        if told.starts_with("missing") {
            return skip("there is no ip, or no ping");
        }
        for expected in [
            "inet6 2001:db8:0:7:0:ff:fe00:99/64",
            "default via fe80::ff:fe00:1 dev eth0 proto ra",
            "2 packets transmitted, 2 received",
            "3008 bytes from 2001:db8:0:7::1",
            "From 2001:db8:0:7::1 icmp_seq=1 Destination unreachable: No route",
        ] {
            assert!(told.contains(expected), "there is no `{expected}` in\n{told}");
        }
        assert!(router.ip.counters6.reasm_oks > 0 && router.ip.counters6.frag_creates > 0);
        println!("slaac: ok");
    }

    fn skip(why: &str) {
        assert!(std::env::var_os("SEPTET_REQUIRE_JUDGES").is_none(), "required here: {why}");
        eprintln!("SKIPPED: {why}");
    }
}
