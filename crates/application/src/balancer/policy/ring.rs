//! A ring of hashes on which each backend has many places: a client goes to the next place after its own hash. With
//! bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016): a backend that has a quarter more than its share already is
//! passed over, so that one popular address does not overload its server.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Asked, Candidate, Entry, Pick, Policy, Tables, Weights, hash_of};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "ring",
    summary: "consistent hashing of the client's address: the next backend on a ring that has not a quarter more than its share open",
    weights: Weights::Fixed,
    build: |_| Box::new(Ring::default()),
};

/// So many places on the ring has a backend, for each unit of its weight (ketama's number).
const PLACES: u32 = 160;
/// A ring has no more places than these: large weights share them.
const MOST_PLACES: u64 = 1 << 16;

/// The rings of the sets of backends that there were lately.
#[derive(Default)]
struct Ring {
    tables: Tables<Places>,
}

/// Hashes in order, each with the position of its backend among the candidates.
struct Places(Vec<(u64, u32)>);

impl Places {
    fn of(candidates: &[Candidate<'_>]) -> Self {
        let wanted: u64 = candidates.iter().map(|c| u64::from(c.weight) * u64::from(PLACES)).sum();
        let mut places = Vec::new();
        for (position, candidate) in candidates.iter().enumerate() {
            let own = u64::from(candidate.weight) * u64::from(PLACES);
            let own = if wanted > MOST_PLACES { (own * MOST_PLACES / wanted).max(1) } else { own };
            places.extend((0..own).map(|n| (xxh3_64_with_seed(candidate.name.as_bytes(), n), position as u32)));
        }
        places.sort_unstable();
        Self(places)
    }

    /// The positions after a hash, all round.
    fn after(&self, hash: u64) -> impl Iterator<Item = usize> {
        let from = self.0.partition_point(|(place, _)| *place < hash);
        self.0[from..].iter().chain(&self.0[..from]).map(|(_, position)| *position as usize)
    }
}

impl Policy for Ring {
    fn pick(&mut self, asked: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let places = self.tables.of(candidates, Places::of);
        let open: u128 = candidates.iter().map(|c| c.open as u128).sum();
        let weights: u128 = candidates.iter().map(|c| u128::from(c.weight)).sum();
        // Its share of what will be open, this one included, times 5/4 and rounded up.
        let has_room =
            |c: &Candidate<'_>| (c.open as u128) < ((open + 1) * u128::from(c.weight) * 5).div_ceil(weights * 4);
        let client = asked.client.ip();
        let mut passed = None;
        for position in places.after(hash_of(client, 0)) {
            if has_room(&candidates[position]) {
                let why = match passed {
                    None => format!("next on the ring to {client}"),
                    Some(full) => format!(
                        "on the ring after {}, which has more than its share open",
                        candidates[full as usize].name
                    ),
                };
                return Pick { position, why: why.into() };
            }
            passed.get_or_insert(position as u32);
        }
        // The bounds together hold more than there is, so somebody had room.
        Pick { position: 0, why: "the ring is full".into() }
    }
}
