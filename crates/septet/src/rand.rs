//! Randomness that a seed repeats: inside a simulation what the simulated host draws from the world's seed, outside the
//! operating system's.
//!
//! ```
//! let mut world = septet::test::World::new();
//! world.client("client", async {
//!     let wait = septet::rand::range(50..150);
//!     assert!((50..150).contains(&wait));
//!     let mut order = ["a", "b", "c"];
//!     septet::rand::shuffle(&mut order);
//!     Ok(())
//! });
//! world.run()?;
//! # Ok::<(), septet::test::Failure>(())
//! ```

use core::convert::Infallible;
use core::ops::Range;

use rand_core::TryRng;
use septet_host::Here;

/// Fills `buf` with random bytes.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let mut key = [0; 16];
///     septet::rand::fill(&mut key);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Outside of a simulation, where the operating system gives none.
pub fn fill(buf: &mut [u8]) {
    match Here::current() {
        Some(here) => here.net().fill_random(buf),
        None => getrandom::fill(buf).expect("the operating system gives randomness"),
    }
}

/// A random number.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let (one, other) = (septet::rand::u64(), septet::rand::u64());
///     assert_ne!(one, other);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A random number.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let name = format!("request-{:08x}", septet::rand::u32());
///     assert_eq!(name.len(), 16);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn u32() -> u32 {
    (u64() >> 32) as u32
}

/// A random number in a range.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let die = septet::rand::range(1..7);
///     assert!((1..=6).contains(&die));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
///
/// # Panics
/// Where the range is empty.
pub fn range(range: Range<u64>) -> u64 {
    assert!(!range.is_empty(), "a number is drawn from an empty range");
    // Lemire: the high half of a product is as good as fair for any bound that a program asks for.
    range.start + ((u128::from(u64()) * u128::from(range.end - range.start)) >> 64) as u64
}

/// A random number from zero up to one.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     assert!((0.0..1.0).contains(&septet::rand::unit()));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn unit() -> f64 {
    (u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether something happens that does so with probability `p`.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     assert!(septet::rand::chance(1.0) && !septet::rand::chance(0.0));
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn chance(p: f64) -> bool {
    unit() < p
}

/// Brings what is in a slice into a random order.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let mut order = [1, 2, 3];
///     septet::rand::shuffle(&mut order);
///     assert_eq!(order.iter().sum::<i32>(), 6);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn shuffle<T>(slice: &mut [T]) {
    for last in (1..slice.len()).rev() {
        slice.swap(last, range(0..last as u64 + 1) as usize);
    }
}

/// One of a slice; `None` of an empty one.
///
/// ```
/// # let mut world = septet::test::World::new();
/// world.client("client", async {
///     let replicas = ["a", "b", "c"];
///     assert!(replicas.contains(septet::rand::choose(&replicas).unwrap()));
///     assert_eq!(septet::rand::choose::<u8>(&[]), None);
///     Ok(())
/// });
/// world.run()?;
/// # Ok::<(), septet::test::Failure>(())
/// ```
pub fn choose<T>(slice: &[T]) -> Option<&T> {
    (!slice.is_empty()).then(|| &slice[range(0..slice.len() as u64) as usize])
}

/// The same randomness as [`rand_core`]'s traits have it, for the crate `rand` and all that takes one of its generators.
///
/// ```
/// use rand_core::Rng;
/// let mut rng = septet::rand::rng();
/// let _ = rng.next_u64();
/// ```
pub fn rng() -> HostRng {
    HostRng(())
}

/// The randomness of whichever host draws from it; see [`rng`].
#[derive(Clone, Copy, Debug)]
pub struct HostRng(());

impl TryRng for HostRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self::u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self::u64())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        fill(dst);
        Ok(())
    }
}
