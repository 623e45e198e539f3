//! What a test looks at while its world runs, and after: packets.

use septet_lab::{Lab, Mistakes};

use super::watch::{Eye, Packet};
use super::world::World;

impl World {
    /// From now on what hosts and routers send is kept for [`packets`](Self::packets).
    #[track_caller]
    pub fn watch(&mut self) {
        let seen = self.seen.get_or_insert_default().clone();
        let run = self.lab();
        let nodes = run.lab().nodes.iter().enumerate().filter(|(_, node)| node.kind().has_addresses());
        let names = nodes.filter_map(|(index, node)| Some((run.station(index)?, node.name.clone()))).collect();
        run.world.add_monitor(Eye { seen, names });
    }

    /// The packets that were sent since it is [watched](Self::watch), of which these words of a fault's filter are true:
    /// `tcp syn`, `udp dport 53 src client`, or none for all.
    ///
    /// ```
    /// use septet::net::TcpStream;
    /// let mut world = septet::test::World::new();
    /// world.client("alone", async {
    ///     assert!(TcpStream::connect("nobody:80").await.is_err());
    ///     Ok(())
    /// });
    /// world.host("nobody", || async { Ok(()) });
    /// world.watch();
    /// world.run()?;
    /// assert_eq!(world.packets("tcp syn not ack src alone").len(), 1);
    /// assert_eq!(world.packets("tcp rst dst alone").len(), 1);
    /// # Ok::<(), septet::test::Failure>(())
    /// ```
    ///
    /// # Panics
    /// Where the words have a mistake, and where the world was not watched.
    #[track_caller]
    pub fn packets(&mut self, words: &str) -> Vec<Packet> {
        let seen = self.seen.clone().expect("the world is watched from before: `world.watch()`");
        let lab: &Lab = self.lab().lab();
        let fits = match lab.packets(words) {
            Ok(fits) => fits,
            Err(mistakes) => panic!("{}", first(&mistakes)),
        };
        let seen = seen.0.borrow();
        seen.iter().filter(|packet| fits.fits(packet.bytes())).cloned().collect()
    }
}

fn first(mistakes: &Mistakes) -> String {
    mistakes.iter().next().map(ToString::to_string).unwrap_or_default()
}
