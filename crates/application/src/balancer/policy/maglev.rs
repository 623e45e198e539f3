//! Maglev's table (Eisenbud and others, NSDI 2016): each backend fills the places of its own permutation in turn, so that
//! shares are even to a place, a look-up is one step, and a backend that leaves moves few clients of others.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Asked, Candidate, Entry, Pick, Policy, Tables, Weights, hash_of};

/// The table's entry.
pub(super) const POLICY: Entry = Entry {
    name: "maglev",
    summary: "Maglev's table by the client's address: even to a hundredth, and few clients move",
    weights: Weights::Fixed,
    build: |_| Box::new(Maglev::default()),
};

/// Places of the table: a prime, as the permutations need, and more than a hundred times the backends (the paper's small size).
const SIZE: u64 = 65_537;

/// The tables of the sets of backends that there were lately.
#[derive(Default)]
struct Maglev {
    tables: Tables<Vec<u16>>,
}

/// The position of a backend among the candidates, for each place.
fn fill(candidates: &[Candidate<'_>]) -> Vec<u16> {
    struct Walk {
        at: u64,
        skip: u64,
        /// Turns saved up: whoever weighs less waits longer.
        saved: u64,
    }
    let heaviest = u64::from(candidates.iter().map(|c| c.weight).max().unwrap_or(1));
    let mut walks: Vec<Walk> = candidates
        .iter()
        .map(|c| Walk {
            at: xxh3_64_with_seed(c.name.as_bytes(), 1) % SIZE,
            skip: xxh3_64_with_seed(c.name.as_bytes(), 2) % (SIZE - 1) + 1,
            saved: 0,
        })
        .collect();
    const FREE: u16 = u16::MAX;
    let mut table = vec![FREE; SIZE as usize];
    let mut left = SIZE;
    loop {
        for (position, (walk, candidate)) in walks.iter_mut().zip(candidates).enumerate() {
            walk.saved += u64::from(candidate.weight);
            if walk.saved < heaviest {
                continue;
            }
            walk.saved -= heaviest;
            while table[walk.at as usize] != FREE {
                walk.at = (walk.at + walk.skip) % SIZE;
            }
            table[walk.at as usize] = position as u16;
            left -= 1;
            if left == 0 {
                return table;
            }
        }
    }
}

impl Policy for Maglev {
    fn pick(&mut self, asked: &Asked, candidates: &[Candidate<'_>]) -> Pick {
        let client = asked.client.ip();
        let place = hash_of(client, 0) % SIZE;
        let table = self.tables.of(candidates, fill);
        Pick { position: table[place as usize].into(), why: format!("place {place} of the table, by {client}").into() }
    }
}
