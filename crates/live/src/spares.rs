//! Descriptors held back for the time when there are no others.

use std::fs::File;

use septet_socket::Reserve;

/// Descriptors held back.
#[derive(Debug)]
pub(crate) struct Spares {
    held: Vec<File>,
    wanted: usize,
}

impl Spares {
    /// Holds `wanted` back, or as many as there are.
    pub(crate) fn new(wanted: usize) -> Self {
        let mut this = Self { held: Vec::with_capacity(wanted), wanted };
        this.take_back();
        this
    }
}

impl Reserve for Spares {
    fn spend(&mut self) -> bool {
        self.held.pop().is_some()
    }

    fn take_back(&mut self) {
        while self.held.len() < self.wanted {
            match File::open("/dev/null") {
                Ok(file) => self.held.push(file),
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_back_is_given_up_once() {
        let mut spares = Spares::new(1);
        assert!(spares.spend());
        assert!(!spares.spend(), "nothing is held any more");
        spares.take_back();
        assert!(spares.spend());
    }
}
