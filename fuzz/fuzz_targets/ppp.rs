//! A PPP end with numbered mode, and a LAPB link, take any frames in any state; time passes between them.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use septet_core::{EventId, Frame, Instant, Seed, Trace};
use septet_datalink::hdlc::{Accm, Fcs, encode};
use septet_datalink::lapb::{Arq, Config as LapbConfig, Link, Side};
use septet_datalink::ppp::{Config, Ppp, reliable};

fuzz_target!(|bytes: &[u8]| {
    let trace = &mut Trace::on();
    let mut now = Instant::from_millis(1);
    let lapb = reliable(Side::Dte, Arq::SelectiveRepeat, 4, Duration::from_millis(50));
    let mut ppp = Ppp::new(Config { reliable: Some(lapb), ..Config::default() }, Seed::new(1).stream("fuzz"));
    ppp.carrier_up(now, trace);
    let mut link = Link::new(LapbConfig { window: 4, arq: Arq::SelectiveRepeat, ..LapbConfig::default() });
    link.connect(now);
    for n in 0..8u8 {
        let _ = link.send(Frame::new(8, &[n]));
    }
    for piece in bytes.split(|octet| *octet == 0x7e) {
        let Some((wait, body)) = piece.split_first() else { continue };
        now = now + Duration::from_millis(u64::from(*wait));
        ppp.receive(now, &encode(body, Fcs::Sixteen, Accm::ALL), EventId::NONE, trace);
        let _ = link.receive(now, Frame::new(0, body));
        for _ in 0..64 {
            if ppp.poll_transmit(now, trace).is_none() {
                break;
            }
        }
        for _ in 0..64 {
            if link.poll_transmit(now).is_none() {
                break;
            }
        }
        while ppp.poll_event().is_some() || link.poll_event().is_some() {}
        if ppp.poll_timeout().is_some_and(|at| at <= now) {
            ppp.on_timeout(now, trace);
        }
        if link.poll_timeout().is_some_and(|at| at <= now) {
            link.on_timeout(now);
        }
        let _ = trace.drain().count();
    }
});
