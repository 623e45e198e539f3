//! The bytes that command a run; where they end, all is zero.

pub(crate) struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte, if there is one.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn dword(&mut self) -> u32 {
        u32::from(self.word()) << 16 | u32::from(self.word())
    }

    /// Takes up to `most` bytes.
    pub(crate) fn some(&mut self, most: usize) -> &'a [u8] {
        let (head, rest) = self.bytes.split_at(most.min(self.bytes.len()));
        self.bytes = rest;
        head
    }

    /// One of `len` places.
    pub(crate) fn index(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| usize::from(self.byte()) % len)
    }

    /// A number near `base`, or far from it.
    pub(crate) fn near(&mut self, base: u32) -> u32 {
        match self.byte() {
            0..=63 => base,
            64..=159 => base.wrapping_add_signed(i32::from(self.word() as i16)),
            160..=223 => base.wrapping_add(u32::from(self.byte()) << 12),
            _ => self.dword(),
        }
    }
}
