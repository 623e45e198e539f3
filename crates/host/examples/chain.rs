use core::time::Duration;
use septet_core::*;
use septet_datalink::ethernet::MacAddr;
use septet_engine::World;
use septet_host::*;
use septet_physical::Medium;
use septet_socket::NetExt;
fn main() {
    let n: u32 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(200_000);
    let mut world = World::new(Seed::new(1));
    let medium = || Medium {
        rate: Rate::from_bits_per_sec(1_000_000_000),
        delay: Duration::from_micros(100),
        ..Medium::default()
    };
    let iface =
        |m: u64, a: String| InterfaceConfig { mac: MacAddr::local(m), addresses: vec![a.parse().unwrap()], mtu: 1500 };
    let mut ids = vec![];
    for i in 0..10u64 {
        let mut ifs = vec![];
        if i > 0 {
            ifs.push(iface(i * 2, format!("10.0.{}.2/24", i - 1)));
        }
        if i < 9 {
            ifs.push(iface(i * 2 + 1, format!("10.0.{i}.1/24")));
        }
        let mut routes = vec![];
        if i < 9 {
            routes.push(StaticRoute::new("10.0.8.0/24".parse().unwrap(), format!("10.0.{i}.2").parse().unwrap()));
        }
        if i > 0 {
            routes.push(StaticRoute::new("10.0.0.0/24".parse().unwrap(), format!("10.0.{}.1", i - 1).parse().unwrap()));
        }
        let mut h = Host::new(HostConfig {
            interfaces: ifs,
            routes,
            forwarding: if i == 0 || i == 9 { Forwarding::Off } else { Forwarding::On },
            ..HostConfig::new(format!("h{i}"))
        })
        .unwrap();
        if i == 0 {
            h.on_boot(move |net| {
                let net2 = net.clone();
                net.spawn(Box::pin(async move {
                    let udp = net2.bind_udp("0.0.0.0:0".parse().unwrap()).unwrap();
                    let to = "10.0.8.2:9".parse().unwrap();
                    let buf = [7u8; 1000];
                    udp.send_to(&buf, to).await.unwrap();
                    net2.sleep(Duration::from_secs(1)).await;
                    for _ in 1..n {
                        udp.send_to(&buf, to).await.unwrap();
                        net2.sleep(Duration::from_micros(10)).await;
                    }
                }));
            });
        }
        if i == 9 {
            h.on_boot(move |net| {
                let net2 = net.clone();
                net.spawn(Box::pin(async move {
                    let udp = net2.bind_udp("0.0.0.0:9".parse().unwrap()).unwrap();
                    let mut buf = [0u8; 2000];
                    for _ in 0..n {
                        udp.receive(&mut buf).await.unwrap();
                    }
                    eprintln!("all received at {}", net2.now());
                }));
            });
        }
        ids.push(world.add_station(&format!("h{i}"), Box::new(h)));
    }
    for i in 0..9usize {
        world.connect((ids[i], Port(u16::from(i > 0))), (ids[i + 1], Port(0)), medium(), medium(), "l");
    }
    let t = std::time::Instant::now();
    world.run_until(Instant::from_secs(60)).unwrap();
    let e = t.elapsed().as_secs_f64();
    println!("{:.0} hops/s wall, {:?}", f64::from(n) * 9.0 / e, world.stats());
}
