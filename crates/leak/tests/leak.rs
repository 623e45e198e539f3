//! Plays every lab with the C library's clock and randomness replaced by functions that count their callers.
//!
//! The binary defines `clock_gettime`, `getrandom` and their kin itself, so that whatever is linked into it calls these.
//! They do what the kernel does, and take note. No test harness: it would look at the clock.
//!
//! One caller is let off: hyper's HTTP/1 server looks at the civil time whenever it is polled, so that it has a `Date` at
//! hand. Ours sets that field itself, by the network's clock, and tells hyper to send none (`auto_date_header(false)`), so
//! that no byte and no decision comes of that look. Whoever else asks is told apart by the functions that lead to the call.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use core::ffi::{c_int, c_long, c_uint, c_void};
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::path::{Path, PathBuf};

    use septet_lab::{BuildOptions, Lab};

    static CLOCK: AtomicU64 = AtomicU64::new(0);
    /// Of these, the looks that hyper takes for the `Date` that it does not send.
    static DATES: AtomicU64 = AtomicU64::new(0);
    static RANDOM: AtomicU64 = AtomicU64::new(0);

    // SAFETY, for all of these: each has the signature of the function of the C library that it stands for, and hands
    // its arguments to the system call that that function makes.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
        CLOCK.fetch_add(1, Ordering::Relaxed);
        if clock == libc::CLOCK_REALTIME && callers::is_hypers_date() {
            DATES.fetch_add(1, Ordering::Relaxed);
        }
        unsafe { libc::syscall(libc::SYS_clock_gettime, clock as c_long, time) as c_int }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn gettimeofday(time: *mut libc::timeval, zone: *mut c_void) -> c_int {
        CLOCK.fetch_add(1, Ordering::Relaxed);
        unsafe { libc::syscall(libc::SYS_gettimeofday, time, zone) as c_int }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn time(at: *mut libc::time_t) -> libc::time_t {
        CLOCK.fetch_add(1, Ordering::Relaxed);
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        unsafe {
            libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_REALTIME as c_long, &mut now);
            if !at.is_null() {
                *at = now.tv_sec;
            }
        }
        now.tv_sec
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(into: *mut c_void, len: usize, flags: c_uint) -> isize {
        RANDOM.fetch_add(1, Ordering::Relaxed);
        unsafe { libc::syscall(libc::SYS_getrandom, into, len, flags as c_long) as isize }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn getentropy(into: *mut c_void, len: usize) -> c_int {
        RANDOM.fetch_add(1, Ordering::Relaxed);
        let got = unsafe { libc::syscall(libc::SYS_getrandom, into, len, 0 as c_long) };
        if got as usize == len { 0 } else { -1 }
    }

    /// Who calls.
    mod callers {
        use core::cell::RefCell;
        use core::ffi::{c_int, c_void};
        use std::backtrace::Backtrace;
        use std::collections::BTreeMap;

        /// The return addresses on the way here, the nearest first: as many as tell callers apart.
        type Way = [usize; 8];

        // SAFETY: the two functions of the unwinder that every Rust program is linked with (Itanium C++ ABI, §1.3).
        unsafe extern "C" {
            fn _Unwind_Backtrace(step: extern "C" fn(*mut c_void, *mut c_void) -> c_int, into: *mut c_void) -> c_int;
            fn _Unwind_GetIP(frame: *mut c_void) -> usize;
        }

        struct Walk {
            way: Way,
            len: usize,
        }

        extern "C" fn step(frame: *mut c_void, walk: *mut c_void) -> c_int {
            // SAFETY: the unwinder hands back the `Walk` that `is_hypers_date` gave it, and a frame of its own.
            let (walk, at) = unsafe { (&mut *walk.cast::<Walk>(), _Unwind_GetIP(frame)) };
            let Some(place) = walk.way.get_mut(walk.len) else { return 5 };
            *place = at;
            walk.len += 1;
            0
        }

        /// Whether hyper's cached date asks. Names are looked up once for each way that leads here.
        pub(super) fn is_hypers_date() -> bool {
            thread_local!(static KNOWN: RefCell<BTreeMap<Way, bool>> = const { RefCell::new(BTreeMap::new()) });
            let mut walk = Walk { way: Way::default(), len: 0 };
            // SAFETY: `step` gets the `Walk` that it expects, and nothing outlives the call.
            unsafe { _Unwind_Backtrace(step, (&raw mut walk).cast()) };
            KNOWN.with_borrow_mut(|known| {
                *known
                    .entry(walk.way)
                    .or_insert_with(|| Backtrace::force_capture().to_string().contains("hyper::common::date::"))
            })
        }
    }

    /// How often clock and randomness were asked so far.
    fn counts() -> (u64, u64) {
        (CLOCK.load(Ordering::Relaxed) - DATES.load(Ordering::Relaxed), RANDOM.load(Ordering::Relaxed))
    }

    /// How often they are asked while `act` runs.
    fn asked<T>(act: impl FnOnce() -> T) -> (T, (u64, u64)) {
        let before = counts();
        let result = act();
        let after = counts();
        (result, (after.0 - before.0, after.1 - before.1))
    }

    fn labs() -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../labs")];
        while let Some(directory) = todo.pop() {
            for entry in std::fs::read_dir(&directory).expect("the labs are there") {
                let path = entry.expect("the labs can be listed").path();
                if path.is_dir() {
                    todo.push(path);
                } else if path.extension().is_some_and(|e| e == "toml") {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    pub(super) fn main() {
        // Unless what ought to be noticed is, nothing below means anything.
        let (_, (clock, _)) = asked(std::time::Instant::now);
        assert!(clock > 0, "the clock is asked past the counter");
        let (_, (clock, _)) = asked(std::time::SystemTime::now);
        assert!(clock > 0, "the civil time is asked past the counter");
        let fresh = std::thread::spawn(|| asked(std::collections::hash_map::RandomState::new).1);
        let (_, random) = fresh.join().expect("the thread does nothing that could fail");
        assert!(random > 0, "randomness is asked for past the counter");

        assert_eq!(DATES.load(Ordering::Relaxed), 0, "nothing but hyper is let off");

        for path in labs() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("the labs can be read");
            // By its path: what a lab reads beside itself stands there.
            let lab = Lab::parse(&path.display().to_string(), &text).expect("the labs are valid");
            let mut run = lab.build(&BuildOptions::default()).expect("the labs can be built");
            let (played, (clock, random)) = asked(|| run.play());
            played.expect("the labs end");
            assert_eq!((clock, random), (0, 0), "{name} asked the clock and the system's randomness so often");
            println!("{name}: neither clock nor randomness in {} events", run.world.stats().events);
        }
        assert!(DATES.load(Ordering::Relaxed) > 0, "hyper looks no longer: then nobody need be let off");
    }
}
